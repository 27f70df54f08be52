"""A crash before or after every single step of every operation, and the recovery from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from charimg import AsyncCharacterImageService, ReferencePolicy, RemoteDelete
from charimg.testing import Simulator

from .world import LENA, MAX, URL, AsyncWorld

pytestmark = pytest.mark.anyio

LONG = 10_000.0


class Crash(BaseException):
    """The process is gone: nothing after it may have an effect."""


class Fuse:
    """Counts steps, and blows before or after the chosen one."""

    def __init__(self, step: int | None = None, *, after: bool = False) -> None:
        self.step = step
        self.after = after
        self.count = 0
        self.blown = False

    def enter(self) -> int:
        if self.blown:
            raise Crash
        self.count += 1
        if self.count == self.step and not self.after:
            self.blown = True
            raise Crash
        return self.count

    def leave(self, number: int) -> None:
        if number == self.step:
            self.blown = True
            raise Crash


class AsyncFused:
    """A port behind the fuse."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if name not in _STEPS:
            return attribute

        async def step(*args: Any, **options: Any) -> Any:
            number = self._fuse.enter()
            result = await attribute(*args, **options)
            self._fuse.leave(number)
            return result

        return step


_STEPS = {
    "acquire",
    "add",
    "add_many",
    "delete",
    "get",
    "list",
    "release",
    "renew",
    "save",
    "unfinished",
    "update",
    "write",
}


class FusedSimulator(Simulator):
    """A Character Library behind the fuse: the request may or may not have arrived."""

    fuse = Fuse()

    def handle(self, *args: Any, **options: Any) -> Any:
        number = self.fuse.enter()
        answer = super().handle(*args, **options)
        self.fuse.leave(number)
        return answer


Work = Callable[[AsyncCharacterImageService], Awaitable[object]]


async def new_reference(service: AsyncCharacterImageService) -> object:
    return await service.generate_reference(LENA, prompt="two")


async def new_reference_after_success(service: AsyncCharacterImageService) -> object:
    return await service.generate_reference(
        LENA, prompt="two", policy=ReferencePolicy.DELETE_AFTER_SUCCESS
    )


async def scene(service: AsyncCharacterImageService) -> object:
    return await service.generate_scene(LENA, "two")


async def portfolio(service: AsyncCharacterImageService) -> object:
    return await service.generate_portfolio(LENA)


async def delete_all(service: AsyncCharacterImageService) -> object:
    return await service.delete_all_images(LENA)


async def prepared(shots: int) -> tuple[AsyncWorld, FusedSimulator]:
    simulator = FusedSimulator(base_url=URL)
    simulator.fuse = Fuse()
    simulator.switches.shots = shots
    world = AsyncWorld(simulator, concurrency=1)
    await world.link()
    await world.service.generate_reference(LENA, prompt="one")
    return world, simulator


def fused(world: AsyncWorld, fuse: Fuse) -> AsyncCharacterImageService:
    return world.assemble(
        metadata=AsyncFused(world.metadata, fuse),
        media=AsyncFused(world.media, fuse),
        ledger=AsyncFused(world.ledger, fuse),
    )


async def steps_of(work: Work, shots: int) -> int:
    world, simulator = await prepared(shots)
    simulator.fuse = Fuse()
    await work(fused(world, simulator.fuse))
    return simulator.fuse.count


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    ("work", "posts"),
    [
        (new_reference, (2, 1, 0, 0)),
        (new_reference_after_success, (2, 1, 0, 0)),
        (scene, (1, 0, 0, 1)),
        (portfolio, (1, 0, 1, 0)),
        (delete_all, (1, 1, 0, 0)),
    ],
)
async def test_no_crash_loses_an_image_or_pays_twice(
    work: Work, posts: tuple[int, int, int, int], after: bool
) -> None:
    shots = 3
    stride = (await prepared(shots))[0].stride
    for step in range(1, await steps_of(work, shots) + 1, stride):
        world, simulator = await prepared(shots)
        simulator.fuse = Fuse(step, after=after)
        with pytest.raises(Crash):
            await work(fused(world, simulator.fuse))
        simulator.fuse = Fuse()
        await world.stores.later(LONG)
        drawn = world.counts
        where = f"crash {'after' if after else 'before'} step {step}"

        report = await world.service.recover()

        # A removal that was interrupted before its one remote DELETE is finished with it.
        assert world.counts[0::2] == drawn[0::2], f"{where}: recovery never posts"
        assert world.counts[3] == drawn[3], f"{where}: recovery never posts"
        assert world.counts[1] - drawn[1] <= (work in (delete_all, new_reference)), where
        drawn = world.counts
        sent = {each.remote_delete for each in await world.operations()} - {RemoteDelete.NOT_DUE}
        if not await world.images() and sent != {RemoteDelete.INTENDED}:
            assert simulator.reference_of(world.db_id) is None, f"{where}: gone here, gone there"
        assert all(have <= most for have, most in zip(drawn, posts, strict=True)), where
        await world.check()
        assert {image.status for image in await world.images()} <= {"succeeded"}, where
        paid = sum(drawn) - drawn[1] - 1
        if paid and work is not delete_all:
            assert [each.outcome for each in report.unresolved] == [], where
            got = [image for image in await world.images() if image.prompt != "one"]
            shots_got = [image for image in await world.images() if image.kind == "portfolioItem"]
            assert len(got) == (0 if work is portfolio else 1), where
            assert len(shots_got) == (shots if work is portfolio else 0), where
        images, operations = await world.images(), await world.operations()
        again = await world.service.recover()
        assert [each.outcome for each in again.operations] in ([], ["unknown"]), where
        assert await world.images() == images, where
        assert await world.operations() == operations, where


async def test_the_lease_of_a_crashed_operation_ends_on_its_own() -> None:
    world, simulator = await prepared(1)
    simulator.fuse = Fuse(3)
    with pytest.raises(Crash):
        await scene(fused(world, simulator.fuse))
    simulator.fuse = Fuse()
    report = await world.service.recover()
    assert {each.outcome for each in report.operations} <= {"in-progress"}
    await world.stores.later(LONG)
    await world.service.generate_scene(LENA, "again")


async def test_a_character_of_another_world_is_untouched() -> None:
    world, simulator = await prepared(1)
    await world.link(MAX, name="Max", library_db_id=simulator.add_character(name="Max"))
    await world.service.generate_reference(MAX, prompt="max")
    simulator.fuse = Fuse(6)
    with pytest.raises(Crash):
        await new_reference(fused(world, simulator.fuse))
    simulator.fuse = Fuse()
    await world.stores.later(LONG)
    await world.service.recover()
    assert [image.prompt for image in await world.images(MAX)] == ["max"]
