"""The contests of the table's other rows: each runs, with tiny sizes, and gives its rows."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import charimg

TOOLS = Path(__file__).resolve().parents[2] / "tools"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return the package of the benchmarks, as its processes find it, too."""
    monkeypatch.syspath_prepend(str(TOOLS))
    source = Path(charimg.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(source), str(TOOLS))))
    import bench
    import bench.__main__

    yield bench


SMALL: dict[str, dict[str, dict[str, Any]]] = {
    "call": {"call": {"CALLS": 3}},
    "imports": {},
    "insert-sqlite": {"insert": {"RECORDS": 3}},
    "insert-postgres": {"insert": {"RECORDS": 3}},
    "listing-sqlite": {"listing": {"SIZES": (60, 80, 600), "PAGES": 2, "DEEP": 10}},
    "listing-postgres": {"listing": {"SIZES": (60, 80, 600), "PAGES": 2, "DEEP": 10}},
    "web": {"web": {"REQUESTS": 20}},
    "objects": {"objects": {"SIZE": 1_000}},
    "objects-exit": {"objects": {"SHORT_RUNS": 2}},
    "memory": {"memory": {"MEGABYTES": 2, "PORTFOLIOS": 1, "LARGE_PORTFOLIOS": 1}},
}


@pytest.mark.parametrize("name", SMALL)
def test_a_contest_gives_its_rows(name: str, bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench.measure import Missing, run

    for module, sizes in SMALL[name].items():
        for constant, value in sizes.items():
            monkeypatch.setattr(sys.modules[f"bench.{module}"], constant, value)
    contest = bench.__main__.CONTESTS[name]
    try:
        found = run(contest, 2)
    except Missing as missing:
        pytest.skip(str(missing))
    assert [(each.work, each.against) for each in found] == [
        (row.work, row.against) for row in contest.rows
    ]
    for each in found:
        assert each.rounds == 2
        assert min(each.ratio, each.ours_ms, each.other_ms) > 0
        assert each.unit in {"ms", "MiB", "runs"}
