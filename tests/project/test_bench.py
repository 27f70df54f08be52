"""The benchmarks: their arithmetic, and one short run of each."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from .tools import load_tool

bench = load_tool("bench")


def fake(seconds: dict[str, list[float]]) -> tuple[object, Callable[[], float], list[str]]:
    """Return a pair whose jobs take the given seconds one after the other, its clock, its log."""
    now = 0.0
    log: list[str] = []

    def job(name: str) -> Callable[[], None]:
        def run() -> None:
            nonlocal now
            log.append(name)
            now += seconds[name].pop(0)

        return run

    return bench.Pair(job("ours"), job("floor")), lambda: now, log


def test_both_are_timed_in_turns_after_a_first_run_that_does_not_count() -> None:
    pair, clock, log = fake({"ours": [99, 2, 4, 6], "floor": [99, 1, 2, 2]})
    assert bench.measure(pair, 3, clock) == [(2, 1), (4, 2), (6, 2)]
    assert log == ["ours", "floor", "ours", "floor", "floor", "ours", "ours", "floor"]


def test_the_ratio_is_that_of_the_middle_round() -> None:
    taken = [(2.0, 1.0), (8.0, 2.0), (3.0, 1.0), (5.0, 1.0), (6.0, 1.0)]
    result = bench.summarise("x", "y", taken)
    assert (result.low, result.ratio, result.high) == (3, 4, 5)
    assert (result.ours_ms, result.floor_ms, result.rounds) == (5000, 1000, 5)


def test_one_slow_moment_moves_no_ratio() -> None:
    steady = [(2.0, 1.0)] * 8
    assert bench.summarise("x", "y", [*steady, (200.0, 1.0)]).ratio == 2
    assert bench.summarise("x", "y", [*steady, (2.0, 50.0)]).ratio == 2


def test_the_table_is_aligned() -> None:
    results = [
        bench.summarise("short", "a floor", [(0.002, 0.001)] * 2),
        bench.summarise("a longer one", "b", [(0.03, 0.001)] * 2),
    ]
    assert bench.table(results).splitlines() == [
        "benchmark     against  ratio  middle half      ours    floor",
        "short         a floor   2.00    2.00-2.00   2.00 ms  1.00 ms",
        "a longer one  b        30.00  30.00-30.00  30.00 ms  1.00 ms",
    ]


@pytest.mark.parametrize("name", bench.BENCHMARKS)
def test_every_benchmark_runs(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "IMAGES", 250)
    assert bench.main(["--json", "--only", name, "--rounds", "2"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["results"]
    assert result["name"] == name
    assert result["floor"] == bench.BENCHMARKS[name].floor
    assert result["rounds"] == 2
    assert 0 < result["low"] <= result["ratio"] <= result["high"]
    assert result["ours_ms"] > 0
    assert result["floor_ms"] > 0


def test_a_name_that_is_none_and_one_round_alone_are_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for arguments in (["--only", "nothing"], ["--rounds", "1"]):
        with pytest.raises(SystemExit) as caught:
            bench.main(arguments)
        assert caught.value.code == 2
    assert "at least 2" in capsys.readouterr().err


def test_a_wrong_answer_has_no_speed() -> None:
    with pytest.raises(SystemExit, match="bench: 3 of 4 rows"):
        bench.demand(False, "3 of 4 rows")
