"""What the suite of the service runs over each combination of stores, and what it does not.

The tests are run by ``test_combinations.py`` in ``_async`` and ``_sync``.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import pytest

from .._async import test_combinations as in_async
from .._sync import test_combinations as in_sync
from ..figures import Figure
from .exclusions import LEFT_OUT, left_out

ALL = {"disk_and_sqlite", "s3_and_postgres", "payload"}
MODES = pytest.mark.parametrize("module", [in_async, in_sync], ids=["async", "sync"])


def cases(test: Callable[..., Any]) -> int:
    """Return how many cases a test has."""
    marks = [each for each in getattr(test, "pytestmark", ()) if each.name == "parametrize"]
    return math.prod(len(each.args[1]) for each in marks)


@MODES
def test_everything_that_stands_on_a_world_is_in_the_suite(module: Any) -> None:
    parts = {name.partition("__")[0] for name in module.SUITE}
    assert parts == {
        *("test_adoption", "test_crashes", "test_generate_portfolio", "test_generate_reference"),
        *("test_generate_scene", "test_ingest", "test_interrupted_removal", "test_looking_again"),
        *("test_manage_images", "test_migration", "test_one_run", "test_own_thread"),
        *("test_leases", "test_recovered_removals", "test_recovered_retries", "test_recovery"),
        *(
            "test_cleaning",
            "test_clocks",
            "test_closed",
            "test_failed_after_drawing",
            "test_lost_references",
            "test_lost_sets",
            "test_marked_images",
            "test_paid_once",
            "test_possible_sets",
            "test_received",
            "test_reference_policies",
            "test_refusals",
            "test_retry_fallback",
            "test_settlement",
            "test_settled_in_parts",
            "test_recorded_together",
            "test_settling",
            "test_sets_at_once",
            "test_signed_sources",
            "test_stubborn_stores",
            "test_too_many",
        ),
        *(
            "test_strays",
            "test_texts",
            "test_unrecorded",
            "test_verification",
            "test_watching",
            "test_whose",
        ),
    }
    assert {name: vars(module)[name] for name in module.SUITE} == module.SUITE
    kinds = {inspect.iscoroutinefunction(test) for test in module.SUITE.values()}
    assert kinds == {module is in_async}


def test_both_modes_have_the_same_tests() -> None:
    assert in_async.SUITE.keys() == in_sync.SUITE.keys()


def test_what_is_left_out_exists_and_is_no_more_than_these() -> None:
    assert LEFT_OUT.keys() <= ALL
    assert all(names.keys() <= in_async.SUITE.keys() for names in LEFT_OUT.values())
    assert {name: len(names) for name, names in LEFT_OUT.items()} == {
        "s3_and_postgres": 6,
        "payload": 44,
    }


@MODES
def test_each_combination_runs_in_both_modes_in_one_of_the_series(module: Any) -> None:
    assert set(module.COMBINATIONS) == ALL
    assert "disk_and_sqlite" in module.RUN
    assert {*in_async.RUN, *in_sync.RUN} == ALL
    for name in module.SUITE:
        ids = [getattr(each, "values", (each,))[0] for each in module.cases(name)]
        assert set(ids) == {each for each in ALL if not left_out(name, each)}


def test_every_step_of_the_crashes_is_tried_in_the_long_series() -> None:
    for module in (in_async, in_sync):
        tried = [each for each in module.cases(module.STRIDES) if hasattr(each, "marks")]
        assert {each.values[0] for each in tried} == ALL
        assert all(mark.name == "long" for each in tried for mark in each.marks)


ORDINALS = {1: "", 3: "third ", 6: "sixth "}


def test_how_many_cases_each_combination_runs(figure: Figure) -> None:
    modes = {"async": in_async, "sync": in_sync}
    for combination in sorted(ALL):
        every = ", ".join(
            f"{mode} every {ORDINALS[module.RUN[combination]]}one"
            for mode, module in modes.items()
            if combination in module.RUN
        )
        run = [
            cases(test) for name, test in in_async.SUITE.items() if not left_out(name, combination)
        ]
        assert sum(run) > 300
        figure(
            f"service suite over {combination}",
            f"{len(run)} tests, {sum(run)} cases in each mode; outside the long series {every}"
            f"; {len(in_async.SUITE) - len(run)} tests left out with a reason",
        )
