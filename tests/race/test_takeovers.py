"""A lease ends while its holder still works, and somebody else goes on.

Nobody can stop a process that was suspended for longer than its lease. It must notice, and what it
did in ignorance must not stand.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from charimg import CharacterImageService, CharimgError, LeaseLost

from ..crash.steps import Steps
from ..crash.works import LENA, TOGETHER, WORKS
from ..figures import Figure
from .test_interrupts import LEASE_SECONDS, by_ports
from .worlds import ACTS, EVERY, SOAK, World, Worlds


def delete_all(service: CharacterImageService) -> None:
    service.delete_all_images(LENA)


def reference(service: CharacterImageService) -> None:
    service.generate_reference(LENA, prompt="another's")


def recover(service: CharacterImageService) -> None:
    service.recover()


OTHERS = {each.__name__: each for each in (delete_all, reference, recover)}


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("name", [*ACTS, TOGETHER] if SOAK else ["reference", TOGETHER])
def test_taken_over_at_every_call(
    worlds: Worlds, figure: Figure, name: str, other: str, every: int
) -> None:
    work = ACTS[name].work if name in ACTS else name
    steps = Steps()
    by_ports(worlds.fresh(work), WORKS[work].act, steps)
    lost = 0
    chosen = list(enumerate(steps.trail, start=1))[list(OTHERS).index(other) % every :: every]
    for at, moment in chosen:
        world = worlds.fresh(work)
        lost += _taken_over(world, work, at, other)
        where = f"{at}: {moment}"
        assert world.judge(work, later=2 * LEASE_SECONDS, contested=True) == [], where
        worlds.forget(world)
    # Where what it works on is gone, it is told that, and not that its lease is lost.
    assert lost > 5
    figure(
        f"leases taken over, {name}, by {other}",
        f"{len(chosen)} of {len(steps.trail)} points, {lost} times noticed, 0 violations",
    )


def _taken_over(world: World, work: str, at: int, other: str) -> bool:
    def take_over(what: str, when: str) -> None:
        with world.open() as second:
            ledger: Any = second.ledger
            ledger._clock = lambda: time.time() + LEASE_SECONDS
            OTHERS[other](second)

    try:
        by_ports(world, WORKS[work].act, Steps(at, take_over))
    except LeaseLost:
        return True
    except (CharimgError, IndexError):
        # What it was to work on is gone.
        return False
    return False
