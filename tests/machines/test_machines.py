"""Hundreds of histories in which anything goes wrong, in both modes."""

from __future__ import annotations

import os
import secrets

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from ..figures import Figure
from ..histories import follow
from .machine import RULES, TALLY, Machine
from .stages import AsyncStage, SyncStage

SOAK = os.environ.get("CHARIMG_SOAK", "")
"""``examples x steps`` of a longer run, as ``make soak`` asks for; each with a seed of its own.
Another text stands for 2,000 x 50."""
EVERYTHING = {
    *("generate_reference", "generate_portfolio", "generate_scene", "restore_reference", "list"),
    *("page", "delete_image", "delete_all_images", "retry_ingestion", "crash", "fault", "recover"),
}
"""Every rule, by what it calls."""

FEW = 60
"""Of the histories of the long series, the beginning."""


class SyncMachine(Machine):
    stage_type = SyncStage


class AsyncMachine(Machine):
    stage_type = AsyncStage


@pytest.mark.parametrize(
    "examples", [FEW, pytest.param(200, marks=pytest.mark.long)], ids=["few", "all"]
)
@pytest.mark.parametrize("machine", [SyncMachine, AsyncMachine], ids=["sync", "async"])
def test_nothing_is_lost_in_any_history(
    machine: type[Machine], examples: int, figure: Figure
) -> None:
    TALLY.clear()
    RULES.clear()
    begun = "derandomized"
    if SOAK:
        many, _, steps = (SOAK if "x" in SOAK else "2000x50").partition("x")
        number = int(os.environ.get("CHARIMG_SOAK_SEED") or secrets.randbits(32))
        begun = f"CHARIMG_SOAK_SEED={number}"
        print(begun)
        run_state_machine_as_test(
            seed(number)(machine),
            settings=settings(
                max_examples=int(many),
                stateful_step_count=int(steps),
                deadline=None,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    else:
        follow(machine, examples, steps=20, phases=list(Phase), report_multiple_bugs=True)
    # Few histories may never come to something to retry.
    assert set(RULES) | ({"retry_ingestion"} if examples == FEW else set()) == EVERYTHING
    followed = ", ".join(f"{number} {name}" for name, number in sorted(RULES.items()))
    figure(
        f"random histories, {machine.stage_type.__name__.removesuffix('Stage').lower()}",
        f"{TALLY['histories']} ({begun}), {TALLY['steps']} operations, {TALLY['crashes']} crashes, "
        f"{TALLY['failures']} failures, 0 violations; rules: {followed}",
    )
