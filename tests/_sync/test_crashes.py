# Generated from tests/_async/test_crashes.py by tools/unasync.py. Do not edit.
"""A crash before or after every single step of every operation, and the recovery from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from charimg import CharacterImageService, ReferencePolicy, RemoteDelete
from charimg.testing import Simulator

from .world import LENA, MAX, URL, World

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


class Fused:
    """A port behind the fuse."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner = inner
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._inner, name)
        if name not in _STEPS:
            return attribute

        def step(*args: Any, **options: Any) -> Any:
            number = self._fuse.enter()
            result = attribute(*args, **options)
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


Work = Callable[[CharacterImageService], object]


def new_reference(service: CharacterImageService) -> object:
    return service.generate_reference(LENA, prompt="two")


def new_reference_after_success(service: CharacterImageService) -> object:
    return service.generate_reference(
        LENA, prompt="two", policy=ReferencePolicy.DELETE_AFTER_SUCCESS
    )


def scene(service: CharacterImageService) -> object:
    return service.generate_scene(LENA, "two")


def portfolio(service: CharacterImageService) -> object:
    return service.generate_portfolio(LENA)


def delete_all(service: CharacterImageService) -> object:
    return service.delete_all_images(LENA)


def prepared(shots: int) -> tuple[World, FusedSimulator]:
    simulator = FusedSimulator(base_url=URL)
    simulator.fuse = Fuse()
    simulator.switches.shots = shots
    world = World(simulator, concurrency=1)
    world.link()
    world.service.generate_reference(LENA, prompt="one")
    return world, simulator


def fused(world: World, fuse: Fuse) -> CharacterImageService:
    return world.assemble(
        metadata=Fused(world.metadata, fuse),
        media=Fused(world.media, fuse),
        ledger=Fused(world.ledger, fuse),
    )


def steps_of(work: Work, shots: int) -> int:
    world, simulator = prepared(shots)
    simulator.fuse = Fuse()
    work(fused(world, simulator.fuse))
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
def test_no_crash_loses_an_image_or_pays_twice(
    work: Work, posts: tuple[int, int, int, int], after: bool
) -> None:
    shots = 3
    stride = (prepared(shots))[0].stride
    for step in range(1, steps_of(work, shots) + 1, stride):
        world, simulator = prepared(shots)
        simulator.fuse = Fuse(step, after=after)
        with pytest.raises(Crash):
            work(fused(world, simulator.fuse))
        simulator.fuse = Fuse()
        world.stores.later(LONG)
        drawn = world.counts
        where = f"crash {'after' if after else 'before'} step {step}"

        report = world.service.recover()

        # A removal that was interrupted before its one remote DELETE is finished with it.
        assert world.counts[0::2] == drawn[0::2], f"{where}: recovery never posts"
        assert world.counts[3] == drawn[3], f"{where}: recovery never posts"
        assert world.counts[1] - drawn[1] <= (work in (delete_all, new_reference)), where
        drawn = world.counts
        sent = {each.remote_delete for each in world.operations()} - {RemoteDelete.NOT_DUE}
        if not world.images() and sent != {RemoteDelete.INTENDED}:
            assert simulator.reference_of(world.db_id) is None, f"{where}: gone here, gone there"
        assert all(have <= most for have, most in zip(drawn, posts, strict=True)), where
        world.check()
        assert {image.status for image in world.images()} <= {"succeeded"}, where
        paid = sum(drawn) - drawn[1] - 1
        if paid and work is not delete_all:
            assert [each.outcome for each in report.unresolved] == [], where
            got = [image for image in world.images() if image.prompt != "one"]
            shots_got = [image for image in world.images() if image.kind == "portfolioItem"]
            assert len(got) == (0 if work is portfolio else 1), where
            assert len(shots_got) == (shots if work is portfolio else 0), where
        images, operations = world.images(), world.operations()
        again = world.service.recover()
        assert [each.outcome for each in again.operations] in ([], ["unknown"]), where
        assert world.images() == images, where
        assert world.operations() == operations, where


def test_the_lease_of_a_crashed_operation_ends_on_its_own() -> None:
    world, simulator = prepared(1)
    simulator.fuse = Fuse(3)
    with pytest.raises(Crash):
        scene(fused(world, simulator.fuse))
    simulator.fuse = Fuse()
    report = world.service.recover()
    assert {each.outcome for each in report.operations} <= {"in-progress"}
    world.stores.later(LONG)
    world.service.generate_scene(LENA, "again")


def test_a_character_of_another_world_is_untouched() -> None:
    world, simulator = prepared(1)
    world.link(MAX, name="Max", library_db_id=simulator.add_character(name="Max"))
    world.service.generate_reference(MAX, prompt="max")
    simulator.fuse = Fuse(6)
    with pytest.raises(Crash):
        new_reference(fused(world, simulator.fuse))
    simulator.fuse = Fuse()
    world.stores.later(LONG)
    world.service.recover()
    assert [image.prompt for image in world.images(MAX)] == ["max"]
