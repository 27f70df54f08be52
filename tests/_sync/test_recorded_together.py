# Generated from tests/_async/test_recorded_together.py by tools/unasync.py. Do not edit.
"""The records of images that are in at the same moment are written in one transaction."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from charimg import (
    CharacterImage,
    ImageFailed,
    ImageStored,
    IngestionError,
    LeaseLost,
    OperationItem,
    StageFinished,
    StorageError,
)
from charimg._concurrency import Outcome
from charimg._sync.ingest import _Ingestion
from charimg._sync.operation import Run

from .mishaps import Crash, Stubborn, break_once, left_behind, outcomes, rigged, settled
from .world import LENA, World

ID = f"{'0' * 31}1"


class Watching:
    """Keeps every event."""

    every_event = True

    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, event: Any, /) -> None:
        self.events.append(event)


def key(index: int) -> str:
    return f"{ID}-{index:03d}"


def brought(world: World, number: int, *, lost: int | None = None) -> _Ingestion:
    """Return an operation for which so many images have come in, and nothing is recorded.

    Args:
        world: The world; the reference that it draws is all of these images.
        number: How many.
        lost: The one that could not be fetched.
    """
    reference = (world.service.generate_reference(LENA, prompt="one")).image
    urls = [reference.source_url] * number
    if lost is not None:
        urls[lost] = "http://library.test/nowhere.png"
    items = tuple(
        OperationItem(key=key(index), index=index, prompt="lost", source_url=url)
        for index, url in enumerate(urls)
    )
    op = left_behind(world, id=ID, kind="scene", state="received", items=items)
    lease = world.ledger.acquire(LENA, owner="me", ttl=1000)
    run = Run(world.service._parts, op, lease)
    work = _Ingestion(run, kind="scene", character=None, replaced=None)
    for item in items:
        try:
            outcome: Any = Outcome(value=work.fetch(item))
        except IngestionError as error:
            outcome = Outcome(error=error)
        work.handle(item, outcome)
    return work


def counted(world: World) -> list[int]:
    """Return a list of how many records each call of `add_many` is given, as they come."""
    calls: list[int] = []
    real = world.metadata.add_many

    def add_many(images: Any) -> Any:
        calls.append(len(images))
        return real(images)

    world.metadata.add_many = add_many  # type: ignore[method-assign]
    return calls


def recorded(world: World) -> dict[str, str]:
    """Return the status of the recorded images that have no number below, by key."""
    return {image.key: image.status for image in world.images() if ID in image.key}


def test_those_that_are_in_are_recorded_in_one_call_and_told_one_by_one() -> None:
    watching = Watching()
    world, _ = rigged(hooks=[watching])
    calls = counted(world)
    work = brought(world, 3, lost=1)
    writes = world.ledger.write
    written: list[Any] = []

    def write(operation: Any, **options: Any) -> None:
        written.append(operation)
        writes(operation, **options)

    world.ledger.write = write  # type: ignore[method-assign]
    del watching.events[:]
    work.settle()
    assert calls == [3]
    assert len(written) == 1
    assert recorded(world) == {
        key(0): "succeeded",
        key(1): "failed",
        key(2): "succeeded",
    }
    assert work.waiting == []
    stages = [each for each in watching.events if isinstance(each, StageFinished)]
    records = [each.key for each in stages if each.stage == "record"]
    assert sorted(records) == [key(0), key(1), key(2)]
    told = [each for each in watching.events if isinstance(each, ImageStored | ImageFailed)]
    assert [(each.image.key, each.done, each.total) for each in told] == [
        (key(0), 1, 3),
        (key(1), 2, 3),
        (key(2), 3, 3),
    ]
    (error,) = work.errors.values()
    assert error.image_id == key(1)
    assert "is paid for" in str(error)


def test_one_that_is_refused_keeps_none_of_the_others_from_being_recorded() -> None:
    watching = Watching()
    world, _ = rigged(hooks=[watching])
    work = brought(world, 4, lost=3)
    refusal = Stubborn(world.metadata, "add", "add_many", refuses=lambda image: image.key == key(2))
    work.settle()
    assert sorted(recorded(world)) == [key(0), key(1), key(3)]
    with pytest.raises(StorageError, match=f"The image is {key(2)}.") as caught:
        work.sparing.end()
    assert str(caught.value).count(key(2)) == 1
    stages = [each for each in watching.events if isinstance(each, StageFinished)]
    records = [
        (each.key, each.code) for each in stages if each.stage == "record" and ID in each.key
    ]
    assert sorted(records) == [
        (key(0), None),
        (key(1), None),
        (key(2), "StorageError"),
        (key(3), None),
    ]
    world.ledger.release(work.run.lease)
    refusal.relent()
    assert outcomes(world.service.recover()) == ["completed"]
    assert sorted(recorded(world)) == [key(0), key(1), key(2), key(3)]
    settled(world)


def test_an_image_that_the_store_names_is_named_once() -> None:
    world, _ = rigged()
    work = brought(world, 1)

    def refused(image: CharacterImage, /) -> CharacterImage:
        raise StorageError(f"There is no room for {image.key}.")

    world.metadata.add = refused  # type: ignore[method-assign]
    work.settle()
    with pytest.raises(StorageError) as caught:
        work.sparing.end()
    assert str(caught.value) == f"There is no room for {key(0)}."
    world.ledger.release(work.run.lease)


def test_a_transaction_that_took_effect_before_it_failed_makes_no_second_record() -> None:
    world, _ = rigged()
    work = brought(world, 3)
    break_once(world.metadata, "add_many", after=True, error=StorageError)
    work.settle()
    work.sparing.end()
    assert sorted(recorded(world)) == [key(0), key(1), key(2)]


@pytest.mark.parametrize("after", [False, True])
def test_what_a_crash_leaves_of_it_comes_in_with_recovery(after: bool) -> None:
    world, _ = rigged()
    work = brought(world, 3)
    break_once(world.metadata, "add_many", after=after)
    with pytest.raises(Crash):
        work.settle()
    work.close()
    assert sorted(recorded(world)) == ([key(0), key(1), key(2)] if after else [])
    world.ledger.release(work.run.lease)
    assert outcomes(world.service.recover()) == ["completed"]
    assert sorted(recorded(world)) == [key(0), key(1), key(2)]
    settled(world)


def test_one_that_has_the_record_of_an_earlier_failure_makes_that_good() -> None:
    world, _ = rigged()
    work = brought(world, 3)
    failed = CharacterImage(
        key=key(1), character_id=LENA, kind="scene", status="failed", error="lost"
    )
    world.metadata.add(failed)
    calls = counted(world)
    work.settle()
    assert calls == [3]
    assert recorded(world) == dict.fromkeys([key(0), key(1), key(2)], "succeeded")


def test_records_without_their_user_are_told_once() -> None:
    world, _ = rigged()
    work = brought(world, 3)
    work.run.op = evolve(work.run.op, created_by="ann")
    add_many = world.metadata.add_many

    def strict(images: Any, /) -> Any:
        return add_many([evolve(image, created_by=None) for image in images])

    world.metadata.add_many = strict  # type: ignore[method-assign]
    calls = counted(world)
    work.settle()
    assert calls == [3]
    assert [each.code for each in work.run.warnings] == ["CREATED_BY_REFUSED"]


def test_a_repository_that_returns_too_few_is_asked_one_by_one() -> None:
    world, _ = rigged()
    work = brought(world, 3)

    def add_many(images: Any) -> Any:
        return ()

    world.metadata.add_many = add_many  # type: ignore[method-assign]
    work.settle()
    assert sorted(recorded(world)) == [key(0), key(1), key(2)]


class Alone:
    """A repository of a host's, which can only add one by one."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.requires_media = inner.requires_media

    def __getattr__(self, name: str) -> Any:
        if name == "add_many":
            raise AttributeError(name)
        return getattr(self._inner, name)


def test_a_repository_without_it_works_as_before() -> None:
    world, _ = rigged()
    work = brought(world, 3)
    work.records._metadata = Alone(world.metadata)  # type: ignore[assignment]
    calls = counted(world)
    work.settle()
    assert calls == []
    assert sorted(recorded(world)) == [key(0), key(1), key(2)]
    assert work.records.add_many([]) == {}


def test_files_that_are_stored_in_turn_are_recorded_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, _ = rigged()
    monkeypatch.setattr(world.media, "concurrent_safe", False, raising=False)
    calls = counted(world)
    work = brought(world, 3)
    work.settle()
    # None waits for a file of another one.
    assert calls == []
    assert sorted(recorded(world)) == [key(0), key(1), key(2)]


def test_a_store_that_has_been_failing_for_too_long_is_not_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("charimg._sync.sparing._PATIENCE", 0.0)
    world, _ = rigged()
    work = brought(world, 3)
    work.sparing.note(StorageError("It hangs."))
    calls = counted(world)
    with pytest.raises(StorageError, match="hangs"):
        work.settle()
    assert calls == []
    assert recorded(world) == {}


def test_a_lease_that_is_lost_takes_back_all_that_came_in_together() -> None:
    world, _ = rigged()
    work = brought(world, 3)

    def lost(*args: Any, **options: Any) -> None:
        raise LeaseLost("somebody else")

    real = world.ledger.write
    world.ledger.write = lost  # type: ignore[method-assign]
    with pytest.raises(LeaseLost):
        work.settle()
    assert len(recorded(world)) == 3
    world.ledger.write = real  # type: ignore[method-assign]
    ended = evolve(work.run.op, state="done")
    world.ledger.write(ended, lease=work.run.lease)
    work.records.withdraw()
    assert recorded(world) == {}
    assert not [each for each in sorted(world.stores.keys()) if ID in each]
