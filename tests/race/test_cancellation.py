"""A cancellation at every suspension of every operation loses nothing and leaves nothing behind."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import anyio
import pytest

from charimg.journal import Operation, OperationState

from ..figures import Figure
from .stepped import MODES, run_cancelled
from .worlds import ACTS, EVERY, LENA, SOAK, Temporary, World, Worlds

FEW = ("reference",)
"""What scopes cancel in the suite; the stricter ``Task.cancel`` cancels everything."""


async def _act(world: World, name: str) -> None:
    async with world.aopen() as service:
        await ACTS[name].run(service)


@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize(
    ("mode", "name"),
    [(mode, name) for mode in MODES for name in ACTS if "task" in mode or name in FEW or SOAK],
)
def test_cancelled_at_every_suspension(
    worlds: Worlds, temporary: Temporary, figure: Figure, name: str, mode: str, every: int
) -> None:
    work = ACTS[name].work
    first = 1 + (list(ACTS).index(name) + list(MODES).index(mode)) % every
    for at in itertools.count(first, every):
        world = worlds.fresh(work)
        reached = run_cancelled(lambda world=world: _act(world, name), mode, at)  # type: ignore[misc]
        assert temporary.left() == [], f"suspension {at}"
        assert not world.is_leased(), f"suspension {at}"
        assert world.judge(work) == [], f"suspension {at}"
        worlds.forget(world)
        if not reached:
            break
    assert at > 30
    points = len(range(first, at, every))
    figure(
        f"cancelled at await points, {mode}, {name}",
        f"every {every}. of them, {points} points, 0 violations",
    )


@pytest.mark.parametrize("by", ["task", "scope"])
@pytest.mark.parametrize("name", ["reference", "portfolio", "scene"])
def test_what_was_received_is_written_down_though_cancelled(
    worlds: Worlds, name: str, by: str
) -> None:
    """The answer is here, and the cancellation comes before it is in the ledger."""
    world = worlds.fresh(ACTS[name].work)
    cancelled: list[str] = []

    async def main() -> None:
        async with world.aopen() as service:
            ledger: Any = service.ledger
            write = ledger.write

            async def cancelling(operation: Operation, /, **options: Any) -> None:
                if operation.state == OperationState.RECEIVED and not cancelled:
                    cancelled.append(operation.id)
                    if by == "task":
                        task.cancel()
                    else:
                        scope.cancel()
                await write(operation, **options)

            ledger.write = cancelling

            async def act() -> None:
                with scope:
                    await ACTS[name].run(service)

            scope = anyio.CancelScope()
            task = asyncio.create_task(act())
            await asyncio.wait([task])
            assert scope.cancelled_caught or task.cancelled()

    asyncio.run(main())
    with world.open() as service:
        (op,) = service.ledger.unfinished(LENA)
        assert (op.id, op.state) == (cancelled[0], OperationState.RECEIVED)
    # It need not be found on the Library, which may show something else by now.
    for character in world.simulator._state.characters.values():
        character.reference = None
        character.gallery.clear()
    assert world.judge(ACTS[name].work) == []
