"""A cancellation at every suspension of every operation loses nothing and leaves nothing behind."""

from __future__ import annotations

import pytest

from ..figures import Figure
from .stepped import MODES, run_cancelled
from .worlds import ACTS, Temporary, World, Worlds

EVERY = 1


async def _act(world: World, name: str) -> None:
    async with world.aopen() as service:
        await ACTS[name].run(service)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ACTS)
def test_cancelled_at_every_suspension(
    worlds: Worlds, temporary: Temporary, figure: Figure, name: str, mode: str
) -> None:
    work = ACTS[name].work
    at, reached = 0, True
    while reached:
        at += EVERY
        world = worlds.fresh(work)
        reached = run_cancelled(lambda world=world: _act(world, name), mode, at)  # type: ignore[misc]
        assert temporary.left() == [], f"suspension {at}"
        assert world.judge(work) == [], f"suspension {at}"
        worlds.forget(world)
    assert at > 10
    figure(f"cancelled at every suspension, {mode}, {name}", f"{at - 1} points, 0 violations")
