# Generated from tests/_async/test_stubborn_stores.py by tools/unasync.py. Do not edit.
"""What a store refuses for ever is kept, and stands in the way of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from charimg import (
    CharacterImageService,
    ErrorCode,
    IngestionError,
    LeaseLost,
    OperationState,
    ReferencePolicy,
    StorageError,
)

from .mishaps import Crash, Stubborn, left_behind, outcomes, prompts, ready, rigged, settled
from .world import LENA, World

KEEP = ReferencePolicy.KEEP_HISTORY


def stubborn(world: World, port: str, end: str, **options: Any) -> Stubborn:
    """Have records or files be refused whose keys end so."""
    names = ("add", "add_many", "update") if port == "metadata" else ("save",)
    return Stubborn(
        getattr(world, port), *names, refuses=lambda each: each.key.endswith(end), **options
    )


def reference(service: CharacterImageService) -> Any:
    return service.generate_reference(LENA, prompt="refused", policy=KEEP)


def scene(service: CharacterImageService) -> Any:
    return service.generate_scene(LENA, "refused")


def portfolio(service: CharacterImageService) -> Any:
    return service.generate_portfolio(LENA)


def begun() -> tuple[World, str, str]:
    """Return a world with a reference, and a scene that did not come in, with both their ids."""
    world, simulator = rigged()
    first = (world.service.generate_reference(LENA, prompt="one")).image.id
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_scene(LENA, "another scene")
    return world, first, caught.value.image_id or ""


def every_other_operation(world: World, first: str, failed: str) -> list[Any]:
    """Do everything that can be done with a character; return what each result warns of."""
    service = world.service
    results: list[Any] = [
        service.generate_scene(LENA, "a scene"),
        service.generate_portfolio(LENA, reference_id=first),
        service.generate_reference(LENA, prompt="a reference", policy=KEEP),
    ]
    service.restore_reference(LENA, first)
    results.append(service.retry_ingestion(LENA, failed))
    results.append(service.delete_image(LENA, results[0].image.id))
    return [[warning.code for warning in each.warnings] for each in results]


@pytest.mark.parametrize("error", [StorageError, OSError])
@pytest.mark.parametrize("port", ["metadata", "media"])
@pytest.mark.parametrize("work", [reference, scene, portfolio])
def test_an_image_that_is_refused_for_ever_stands_in_the_way_of_nothing(
    work: Any, port: str, error: type[Exception]
) -> None:
    world, *made = begun()
    # The image of this operation alone: the others' keys begin otherwise.
    refusal = stubborn(world, port, "-000", error=error)
    with pytest.raises(error) as caught:
        work(world.service)
    assert error is not StorageError or caught.value.recoverable
    key = (world.operations())[0].items[0].key
    refusal.relent()
    refusal = stubborn(world, port, key, error=error)
    for codes in every_other_operation(world, *made):
        assert ErrorCode.UNFINISHED in codes
    assert refusal.asked > 5, "it was tried again each time"
    assert outcomes(world.service.recover()) == ["error"]
    assert world.counts[0] == 2 + (work is reference)

    refusal.relent()
    before = {image.key for image in world.images()}
    assert outcomes(world.service.recover()) == ["completed"]
    assert {image.key for image in world.images()} - before == {key}
    settled(world)


@pytest.mark.parametrize("port", ["metadata", "media"])
def test_one_image_of_a_set_does_not_keep_the_others_from_coming_in(port: str) -> None:
    world, simulator = rigged()
    simulator.switches.shots = 5
    world.service.generate_reference(LENA, prompt="one")
    refusal = stubborn(world, port, "-000")
    with pytest.raises(StorageError):
        world.service.generate_portfolio(LENA)
    assert len(world.images()) == 1 + 4
    assert outcomes(world.service.recover()) == ["error"]
    assert world.counts == (1, 0, 1, 0)
    refusal.relent()
    world.service.recover()
    assert len(world.images()) == 1 + 5
    settled(world)


def test_neither_does_one_that_was_stored_before_a_crash_or_was_never_drawn() -> None:
    world, simulator = rigged(concurrency=1)
    simulator.switches.shots = 4
    simulator.switches.failing_shots = 1
    world.service.generate_reference(LENA, prompt="one")
    refusal = stubborn(world, "metadata", "-000")
    # The server lists what it could not draw last.
    undrawn = stubborn(world, "metadata", "-003")
    crash = stubborn(world, "metadata", "-001", error=Crash)
    with pytest.raises(Crash):
        world.service.generate_portfolio(LENA)
    crash.relent()
    unread = Stubborn(world.media, "get", refuses=lambda key: key.endswith("-001"))
    assert outcomes(world.service.recover()) == ["error"]
    (operation, _) = world.operations()
    assert [item.state for item in operation.items] == ["pending", "pending", "stored", "failed"]
    unread.relent()
    undrawn.relent()
    refusal.relent()
    assert outcomes(world.service.recover()) == ["completed"]
    assert len(world.images()) == 1 + 4
    settled(world)


def test_a_store_that_hangs_is_not_asked_for_each_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("charimg._sync.sparing._PATIENCE", 0.0)
    # Two records that come at once would be written together.
    world, _ = rigged(concurrency=1)
    world.service.generate_reference(LENA, prompt="one")
    refusal = Stubborn(world.metadata, "add")
    with pytest.raises(StorageError):
        world.service.generate_portfolio(LENA)
    assert refusal.asked == 1
    refusal.relent()
    assert outcomes(world.service.recover()) == ["completed"]
    settled(world)


def test_a_lease_that_is_lost_ends_everything() -> None:
    world, _ = rigged()
    world.service.generate_reference(LENA, prompt="one")
    refusal = Stubborn(world.metadata, "add", error=LeaseLost)
    for _ in range(2):
        with pytest.raises(LeaseLost):
            world.service.generate_scene(LENA, "two")
    assert world.counts == (1, 0, 0, 1)
    assert refusal.asked == 2
    refusal.relent()
    assert outcomes(world.service.recover()) == ["completed"]
    settled(world)


@pytest.mark.parametrize(("port", "name"), [("metadata", "delete"), ("media", "delete")])
def test_an_image_that_cannot_be_deleted_stands_in_the_way_of_nothing(port: str, name: str) -> None:
    world, *made = begun()
    doomed = (world.service.generate_scene(LENA, "two")).image
    given = doomed.id if port == "metadata" else doomed.key
    refusal = Stubborn(getattr(world, port), name, refuses=lambda each: each == given)
    with pytest.raises(StorageError):
        world.service.delete_image(LENA, doomed.id)
    for codes in every_other_operation(world, *made):
        assert codes == [ErrorCode.UNFINISHED]
    refusal.relent()
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert "two" not in prompts(world)
    settled(world)


def test_what_may_have_been_drawn_and_cannot_be_looked_for_is_waited_for() -> None:
    world = ready()
    left_behind(world, kind="scene", state=OperationState.POSTING)

    def broken(*_: object, **__: object) -> None:
        raise StorageError("The ledger cannot be read.")

    world.ledger.list = broken
    with pytest.raises(StorageError, match="cannot be read"):
        world.service.generate_scene(LENA, "two")
    assert world.counts == (0, 0, 0, 0)


def test_everything_is_deleted_though_one_image_was_refused() -> None:
    world, simulator = rigged()
    world.service.generate_reference(LENA, prompt="one")
    refusal = stubborn(world, "metadata", "-000")
    with pytest.raises(StorageError):
        world.service.generate_scene(LENA, "two")
    result = world.service.delete_all_images(LENA)
    assert {warning.code for warning in result.warnings} == {
        ErrorCode.UNFINISHED,
        ErrorCode.SUPERSEDED,
    }
    assert world.images() == []
    assert world.stores.keys() == set()
    refusal.relent()
    assert (world.service.recover()).operations == ()
    assert simulator.reference_of(world.db_id) is None


def test_a_store_that_hangs_is_not_asked_for_each_image_to_delete(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, _ = rigged()
    world.service.generate_reference(LENA, prompt="one")
    world.service.generate_scene(LENA, "two")
    monkeypatch.setattr("charimg._sync.sparing._PATIENCE", 0.0)
    refusal = Stubborn(world.metadata, "delete")
    with pytest.raises(StorageError):
        world.service.delete_all_images(LENA)
    assert refusal.asked == 1
    # Whoever has lost the lease sends nothing more, either.
    refusal.relent()
    lost = Stubborn(world.metadata, "delete", error=LeaseLost)
    assert outcomes(world.service.recover()) == ["error"]
    assert world.counts == (1, 0, 0, 1)
    lost.relent()
    assert outcomes(world.service.recover()) == ["cleaned"]
    assert world.counts == (1, 1, 0, 1)
    settled(world)
