"""Several real processes work on one character at once."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from ..crash import invariants
from ..figures import Figure
from .arena import Arena, arena
from .contender import ACTS, LEASE_SECONDS, LENA

PROCESSES = 8
ROUNDS = 150
SOAK = bool(os.environ.get("CHARIMG_SOAK"))
TAKEOVERS = 30
WEIGHTS = {"reference": 4, "scene": 1, "delete one": 1, "delete all": 1, "recover": 2}
EXPECTED = {
    # There is nothing to draw a scene from when a deletion has come before it.
    "NO_REFERENCE",
    # Another process has deleted the image meanwhile.
    "ImageNotFound",
    # The switches below: a lost answer is a connection that breaks.
    "UNAVAILABLE",
    "INVALID_RESPONSE",
    "NOT_AN_IMAGE",
}


def faults(arena: Arena, number: int) -> None:
    """Give recovery something to do: an answer is lost, or a file is none."""
    arena.simulator.switches.lost_answers = int(number % 6 == 1)
    arena.simulator.switches.html_files = int(number % 10 == 3)


def settled(arena: Arena) -> list[str]:
    """Recover, twice, and return every broken rule."""
    with arena.open_service() as service:
        arena.simulator.switches.lost_answers = arena.simulator.switches.html_files = 0
        service.recover()
        facts = invariants.read_facts(service, [LENA])
        service.recover()
        again = invariants.read_facts(service, [LENA])
    found = invariants.violations(facts, one_reference=True)
    return found + invariants.changes(facts, again)


def test_eight_processes_compete_for_one_character(tmp_path: Path, figure: Figure) -> None:
    chance = random.Random(150)
    with arena(tmp_path, PROCESSES) as opened:
        for number in range(ROUNDS):
            faults(opened, number)
            acts = chance.choices(list(ACTS), [WEIGHTS[act] for act in ACTS], k=PROCESSES)
            opened.round(number, [(act, 0.0) for act in acts])
        score = opened.score
        assert score.errors.keys() <= EXPECTED
        stale, doubles = opened.stale(), opened.doubles()
        assert not stale, "every write was made by the holder of the lease"
        assert doubles == [], "at no moment were there two references"
        assert score.asked == [], "whoever is refused has asked the Library nothing"
        posts = opened.simulator.counters.initial_image_posts
        begun = score.done["reference"] + score.retried + score.errors.total()
        assert posts <= begun, "nothing is drawn twice"
        assert settled(opened) == []
        assert score.refused > 0
        assert score.done.keys() == set(ACTS)
    figure(
        f"races, {PROCESSES} processes x {ROUNDS} rounds on one character",
        f"{score.done.total()} acts done, {score.refused} refused with {len(score.asked)} remote "
        f"calls, {sum(stale.values())} stale commits among {score.written.total()}, "
        f"{len(doubles)} times two references",
    )


@pytest.mark.parametrize("seed", range(20 if SOAK else 1))
def test_a_lease_that_is_taken_from_a_living_process(
    tmp_path: Path, figure: Figure, seed: int
) -> None:
    """A clock that runs far ahead ends every lease: two processes work at the same time."""
    chance = random.Random(seed)
    with arena(tmp_path, PROCESSES) as opened:
        for number in range(TAKEOVERS):
            acts = chance.choices(list(ACTS), [WEIGHTS[act] for act in ACTS], k=PROCESSES)
            clocks = chance.choices([0.0, 2.0 * LEASE_SECONDS], [3, 1], k=PROCESSES)
            opened.round(number, list(zip(acts, clocks, strict=True)))
        score = opened.score
        stale = opened.stale()
        assert not stale
        assert score.errors["LeaseLost"] > 0, "some were really taken"
        assert settled(opened) == []
    figure(
        f"leases taken from living processes, run {seed}",
        f"{score.errors['LeaseLost']} lost, {sum(stale.values())} stale commits among "
        f"{score.written.total()}, 0 violations",
    )
