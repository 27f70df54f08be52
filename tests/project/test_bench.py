"""The benchmarks: their arithmetic, what they write, and one short run of each."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve
from PIL import Image

from .tools import load_package

load_package("bench")

from bench import __main__ as command  # noqa: E402
from bench import machine, measure, portfolio, report, scale, units  # noqa: E402
from bench.measure import Contest, Goal, Result, Row  # noqa: E402


def row(goal: Goal = Goal.AT_MOST, reach: float = 2.0, unit: str = "ms") -> Row:
    return Row(work="work", ours="a", other="b", against="other", reach=reach, goal=goal, unit=unit)


def contest(*rows: Row, jobs: Mapping[str, Callable[[], float | None]] | None = None) -> Contest:
    @contextmanager
    def prepare() -> Iterator[Mapping[str, Callable[[], float | None]]]:
        yield jobs or {}

    return Contest(name="c", rounds=5, prepare=prepare, rows=rows)


def result(each: Row, taken: list[tuple[float, float]]) -> Result:
    (found,) = measure.results(contest(each), [{"a": a, "b": b} for a, b in taken])
    return found


def test_jobs_are_timed_in_turns_after_a_first_run_that_does_not_count() -> None:
    now = 0.0
    seconds = {"a": [99.0, 2, 4, 6], "b": [99.0, 1, 2, 2]}
    log: list[str] = []

    def job(name: str) -> Callable[[], None]:
        def run() -> None:
            nonlocal now
            log.append(name)
            now += seconds[name].pop(0)

        return run

    taken = measure.measure({"a": job("a"), "b": job("b")}, 3, lambda: now)
    assert taken == [{"a": 2, "b": 1}, {"a": 4, "b": 2}, {"a": 6, "b": 2}]
    assert log == ["a", "b", "a", "b", "b", "a", "a", "b"]


def test_a_job_may_say_itself_what_counts() -> None:
    assert measure.measure({"a": lambda: 7.5}, 2) == [{"a": 7.5}, {"a": 7.5}]


def test_the_ratio_is_that_of_the_middle_round() -> None:
    found = result(row(), [(2.0, 1.0), (8.0, 2.0), (3.0, 1.0), (5.0, 1.0), (6.0, 1.0)])
    assert (found.low, found.ratio, found.high) == (3, 4, 5)
    assert (found.ours, found.other, found.unit, found.rounds) == (5000, 1000, "ms", 5)


def test_what_is_counted_is_not_turned_into_milliseconds() -> None:
    found = result(row(unit="MiB"), [(2.0, 4.0)] * 2)
    assert (found.ours, found.other, found.unit) == (2, 4, "MiB")


def test_one_slow_moment_moves_no_ratio() -> None:
    steady = [(2.0, 1.0)] * 8
    assert result(row(), [*steady, (200.0, 1.0)]).ratio == 2
    assert result(row(), [*steady, (2.0, 50.0)]).ratio == 2


@pytest.mark.parametrize(
    ("goal", "ours", "ratio", "reached"),
    [
        (Goal.AT_MOST, 2.0, 2.0, True),
        (Goal.AT_MOST, 2.02, 2.02, False),
        (Goal.AT_LEAST, 0.5, 2.0, True),
        (Goal.AT_LEAST, 0.52, 1.923, False),
        (Goal.WITHIN, 2.0, 2.0, True),
        (Goal.WITHIN, 0.5, 0.5, True),
        (Goal.WITHIN, 2.1, 2.1, False),
        (Goal.WITHIN, 0.4, 0.4, False),
    ],
)
def test_what_is_reached(goal: Goal, ours: float, ratio: float, reached: bool) -> None:
    found = result(row(goal), [(ours, 1.0)] * 2)
    assert (found.ratio, found.reached) == (ratio, reached)


def test_the_table_is_aligned_and_says_what_is_not_reached() -> None:
    results = [result(row(), [(0.002, 0.001)] * 2), result(row(unit="MiB"), [(123.4, 1.0)] * 2)]
    assert report.table(results).splitlines() == [
        "work  against  reach   ratio       middle half     ours  other",
        "work  other     <= 2    2.00      2.00 to 2.00     2 ms   1 ms",
        "work  other     <= 2  123.40  123.40 to 123.40  123 MiB  1 MiB  not reached",
    ]


def test_what_is_written_for_the_documentation(tmp_path: Path) -> None:
    results = [
        result(row(), [(0.002, 0.001)] * 2),
        result(row(Goal.AT_LEAST), [(0.002, 0.001)] * 2),
        result(row(Goal.WITHIN), [(0.001, 0.001)] * 2),
        evolve(result(row(), [(0.27, 0.27)] * 2), work=report.PACE),
    ]
    units = {"files on disk": 3.0}
    report.write(tmp_path / "out", results, {"s3": "no server"}, {"python": "3"}, units)
    said = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [each["reached"] for each in said["results"]] == [True, False, True, True]
    assert said["units"] == units
    assert said["machine"] == {"python": "3"}
    assert said["skipped"] == {"s3": "no server"}
    text = (tmp_path / "out" / "table.md").read_text()
    assert text.count("| yes |") == 3
    assert text.count("| **no** |") == 1
    assert "Left out, s3: no server" in text
    assert "python 3" in text
    drawn = ET.parse(tmp_path / "out" / "chart.svg")
    words = " ".join(drawn.getroot().itertext())
    assert "work / other" in words
    assert "work times faster than other" in words
    assert "| files on disk | 3 |" in (tmp_path / "out" / "units.md").read_text()
    grown = (tmp_path / "out" / "scale.md").read_text()
    assert "| files on disk | 300,000 | 3,000,000 | 30,000,000 | 300,000,000 |" in grown
    # 100,000 images of 10 ms each
    assert "| bringing in, one machine | 16.7 minutes | 2.78 hours | 1.16 days |" in grown


def test_the_machine_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    told = machine.describe()
    assert told["python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert "cores" in told["processor"]
    assert told["charimg"]
    monkeypatch.setattr(machine, "_lines", lambda path: [])
    monkeypatch.setattr(machine, "_PACKAGES", ("no-such-package",))
    told = machine.describe()
    assert told["memory"] == "unknown"
    assert "no-such-package" not in told


def test_the_peers_have_versions_of_their_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert "scrapy" not in machine.describe()
    info = tmp_path / "peers/lib/python3.11/site-packages/scrapy-2.13.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: scrapy\nVersion: 2.13\n")
    assert machine.describe()["scrapy"] == "2.13"


def test_the_command_prints_and_writes_and_leaves_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    @contextmanager
    def lacking() -> Iterator[Mapping[str, Callable[[], float | None]]]:
        raise measure.Missing("get it there")
        yield {}

    given = {
        "fine": contest(row(), jobs={"a": lambda: 1.0, "b": lambda: 1.0}),
        "lacking": Contest(name="lacking", rounds=5, prepare=lacking, rows=()),
    }
    monkeypatch.setattr(command, "CONTESTS", given)
    monkeypatch.setattr(command, "measure_units", lambda: {"files on disk": 3.0})
    assert command.main(["--rounds", "2", "--write", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "work  other     <= 2   1.00" in said
    assert "left out, lacking: get it there" in said
    assert json.loads((tmp_path / "results.json").read_text())["skipped"] == {
        "lacking": "get it there"
    }
    assert command.main(["--only", "fine", "--rounds", "2"]) == 0
    assert "lacking" not in capsys.readouterr().out


def test_the_units_are_measured_over_real_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "CHARACTERS", 2)
    found = units.measure_units()
    assert found["calls of the Library, per portfolio"] >= 3
    assert (found["downloads"], found["files on disk"]) == (1, 3)
    assert found["S3, requests"] > found["S3, writing requests"] == 3
    for store in ("SQLite", "PostgreSQL"):
        assert found[f"{store}, record and its indexes, bytes"] > 1000


def test_a_unit_whose_server_is_missing_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(root: Path) -> dict[str, float]:
        pytest.skip("no server here")

    monkeypatch.setattr(units, "CHARACTERS", 1)
    monkeypatch.setattr(units, "_postgres", missing)
    monkeypatch.setattr(units, "_s3", missing)
    found = units.measure_units()
    assert "SQLite, record and its indexes, bytes" in found
    assert not [name for name in found if name.startswith(("PostgreSQL", "S3"))]


def test_large_numbers_are_readable() -> None:
    assert [scale._bytes(value) for value in (2, 2e3, 2e14)] == ["2 B", "2 kB", "200 TB"]
    assert scale._duration(60) == "1 minutes"
    assert scale._duration(365 * 86_400) == "1 years"


def test_a_name_that_is_none_and_one_round_alone_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments in (["--only", "nothing"], ["--rounds", "1"]):
        with pytest.raises(SystemExit) as caught:
            command.main(arguments)
        assert caught.value.code == 2
    assert "at least 2" in capsys.readouterr().err


def test_a_wrong_answer_has_no_speed() -> None:
    with pytest.raises(SystemExit, match="bench: 3 of 4 rows"):
        measure.demand(False, "3 of 4 rows")


def small_pictures(folder: Path, **_: Any) -> list[Path]:
    folder.mkdir(parents=True)
    paths = [folder / f"{number:02}.jpg" for number in range(portfolio.PORTFOLIO)]
    for number, path in enumerate(paths):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(path)
    return paths


_FAKE_PEER = """#!{python}
import json, pathlib, sys
place = pathlib.Path(sys.argv[sys.argv.index("--output_folder") + 1])
place.mkdir()
urls = pathlib.Path(sys.argv[sys.argv.index("--url_list") + 1]).read_text().split()
(place / "00000_stats.json").write_text(json.dumps({{"successes": len(urls), "duration": 2.5}}))
"""


@pytest.mark.parametrize(
    "each",
    [
        pytest.param(
            each,
            id=each.name,
            marks=[pytest.mark.long] if each.name in ("img2dataset", "late", "thumbnails") else [],
        )
        for each in portfolio.CONTESTS
    ],
)
def test_every_contest_of_the_portfolio_runs(
    each: Contest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(portfolio, "draw_photographs", small_pictures)
    monkeypatch.setattr(portfolio, "LATE", 0.01)
    if each.name == "img2dataset":
        peer = tmp_path / "img2dataset"
        peer.write_text(_FAKE_PEER.format(python=sys.executable))
        peer.chmod(0o755)
        monkeypatch.setattr(sys, "prefix", str(tmp_path / "no environment"))
        monkeypatch.setenv("PATH", str(tmp_path))
    elif each.name == "portfolio" and shutil.which("curl") is None:
        pytest.skip("curl is not there; install it with: apt-get install curl")
    found = measure.run(each, 2)
    assert [(one.work, one.against) for one in found] == [
        (one.work, one.against) for one in each.rows
    ]
    for one in found:
        assert 0 < one.low <= one.ratio <= one.high
        assert one.ours > 0
        assert one.other > 0


def test_a_program_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(portfolio, "draw_photographs", small_pictures)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for each in portfolio.CONTESTS:
        if each.name in ("portfolio", "img2dataset"):
            with pytest.raises(measure.Missing, match="is not there"):
                measure.run(each, 2)


def test_photographs_are_as_large_as_they_should_be(tmp_path: Path) -> None:
    (path,) = load_package("bench.pictures").draw_photographs(tmp_path, count=1)
    assert 1_500_000 < path.stat().st_size <= 2_000_000
