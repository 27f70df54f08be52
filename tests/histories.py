"""Random histories that are the same wherever they run, and whatever ran before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import providers
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

__all__ = ["follow", "same_everywhere"]


@contextmanager
def same_everywhere() -> Iterator[None]:
    """Let Hypothesis draw from nothing but its seed.

    ``derandomize`` alone does not: Hypothesis also draws numbers and words that it reads in
    the modules that are loaded, so what is tried would depend on the tests that ran before.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(providers.HypothesisProvider, "_local_constants", providers.Constants())
        providers.CONSTANTS_CACHE.cache.clear()
        try:
            yield
        finally:
            providers.CONSTANTS_CACHE.cache.clear()


def follow(machine: type[RuleBasedStateMachine], examples: int, steps: int, **options: Any) -> None:
    """Follow random histories of a machine, the same each time.

    Args:
        machine: What the histories are of.
        examples: How many there are.
        steps: How many steps each has at most.
        **options: More settings of Hypothesis.
    """
    with same_everywhere():
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                derandomize=True,
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
                **{"phases": [Phase.generate], "report_multiple_bugs": False, **options},
            ),
        )
