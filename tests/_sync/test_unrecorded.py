# Generated from tests/_async/test_unrecorded.py by tools/unasync.py. Do not edit.
"""Failed images where a record cannot stand without media: the ledger lists and retries them."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from charimg import (
    CharacterImage,
    ImageMismatch,
    ImageNotFound,
    ImagePage,
    IngestionError,
    InvalidArgument,
    OperationItem,
    OperationPage,
    OperationState,
    ReferencePolicy,
    StorageError,
)
from charimg.models import utcnow
from charimg.stores import MemoryMetadataRepository

from .mishaps import Crash, Rigged, break_once, left_behind, outcomes, prompts, rigged, settled
from .world import LENA, World


def picky() -> tuple[World, Rigged]:
    """Return a world whose repository keeps no record without media, with a reference."""
    world, simulator = rigged()
    if not world.metadata.requires_media:
        world.metadata.requires_media = True
    world.service.generate_reference(LENA, prompt="one")
    return world, simulator


def failures(world: World, **options: str) -> list[CharacterImage]:
    page = world.service.list_images(LENA, status="failed", **options)
    assert page.total == len(page.images)
    return list(page.images)


def lost(world: World, simulator: Rigged, count: int = 1) -> list[CharacterImage]:
    """Draw a set of which some images do not come in; return these."""
    simulator.switches.file_errors = count
    return list((world.service.generate_portfolio(LENA)).failures)


def test_failed_shots_are_listed_and_retried() -> None:
    world, simulator = picky()
    (failed,) = lost(world, simulator)
    (listed,) = failures(world)
    assert (listed.id, listed.kind, listed.status) == (failed.id, "portfolioItem", "failed")
    assert (listed.prompt, listed.source_url) == (failed.prompt, failed.source_url)
    assert listed.error
    assert listed.metrics.shot == failed.metrics.shot
    assert world.service.get_image(LENA, failed.id) == listed
    assert listed in [image for image in world.service.iter_images(LENA)]

    image = (world.service.retry_ingestion(LENA, failed.id)).image
    assert (image.key, image.status, image.kind) == (failed.key, "succeeded", "portfolioItem")
    assert image.metrics.shot == failed.metrics.shot
    assert failures(world) == []
    assert image.id in {each.id for each in world.service.iter_images(LENA)}
    settled(world)


def test_a_retry_may_fail_again() -> None:
    world, simulator = picky()
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_scene(LENA, "On a roof.")
    (failed,) = failures(world)
    assert (failed.kind, failed.prompt) == ("scene", "On a roof.")
    assert caught.value.image_id == failed.id
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as again:
        world.service.retry_ingestion(LENA, failed.id)
    assert again.value.image_id == failed.id
    assert failures(world) == [failed]
    image = (world.service.retry_ingestion(LENA, failed.id)).image
    assert (image.key, image.status) == (failed.key, "succeeded")
    settled(world)


def test_pages_and_kinds() -> None:
    world, simulator = picky()
    expected = sorted((image.id for image in lost(world, simulator, 2)), reverse=True)
    assert [image.id for image in failures(world, kind="portfolioItem")] == expected
    assert failures(world, kind="scene") == []
    one = world.service.list_images(LENA, status="failed", limit=1)
    assert one.next_cursor is not None
    two = world.service.list_images(LENA, status="failed", cursor=one.next_cursor)
    assert [image.id for image in (*one.images, *two.images)] == expected
    assert (one.total, two.total, two.next_cursor) == (2, 2, None)
    for limit in (2, 1_000):
        whole = world.service.list_images(LENA, status="failed", limit=limit)
        assert ([image.id for image in whole.images], whole.next_cursor) == (expected, None)
    wrong = [{"limit": limit} for limit in (0, 1_001, True, 1.0, "5")]
    cursors = [
        {"cursor": each} for each in ("foreign", "_k_over_", "2026_k_over_", "2026-01-01_k_")
    ]
    for options in (*wrong, *cursors, {"cursor": "2026-01-01_k_over_"}, {"cursor": 5}):
        for status in ("failed", None):
            with pytest.raises(InvalidArgument):
                world.service.list_images(LENA, status=status, **options)  # type: ignore[arg-type]


def paged(world: World, limit: int, **options: Any) -> list[CharacterImage]:
    """Return the images page by page, checked against what each page says."""
    images: list[CharacterImage] = []
    cursor, total = None, None
    while True:
        page = world.service.list_images(LENA, limit=limit, cursor=cursor, **options)
        assert total in (None, page.total)
        cursor, total = page.next_cursor, page.total
        assert len(page.images) == limit or cursor is None
        images += page.images
        if cursor is None:
            assert len(images) == total
            return images


def test_failed_images_are_among_the_others_on_pages_of_any_size() -> None:
    world, simulator = picky()
    simulator.switches.shots = 3
    for count in (3, 0, 2):
        lost(world, simulator, count)
        simulator.switches.file_errors = 1
        with pytest.raises(IngestionError):
            world.service.generate_scene(LENA, "On a roof.")
        world.service.generate_scene(LENA, "In a cellar.")
    whole = paged(world, 1_000)
    assert len(whole) == 1 + 3 * (3 + 2)
    assert [image.status for image in whole].count("failed") == 5 + 3
    assert whole == sorted(whole, key=lambda image: image.created_at, reverse=True)
    for kind in (None, "scene", "portfolioItem", "reference"):
        expected = [image for image in whole if kind in (None, image.kind)]
        for limit in range(1, len(expected) + 2):
            assert paged(world, limit, kind=kind) == expected
    stored = [image for image in whole if image.status == "succeeded"]
    assert paged(world, 2, status="succeeded") == stored
    assert paged(world, 3, status="failed") == [i for i in whole if i not in stored]
    assert [image for image in world.service.iter_images(LENA, page_size=4)] == whole


def test_what_comes_and_goes_between_two_pages_hides_nothing() -> None:
    world, simulator = picky()
    simulator.switches.shots = 4
    lost(world, simulator, 2)
    whole = paged(world, 1_000)
    for limit in range(1, 5):
        page = world.service.list_images(LENA, limit=limit)
        world.service.delete_image(LENA, page.images[-1].id)
        world.service.generate_scene(LENA, "In a cellar.")
        rest, cursor = [], page.next_cursor
        while cursor is not None:
            following = world.service.list_images(LENA, limit=limit, cursor=cursor)
            rest += following.images
            cursor = following.next_cursor
        assert [*page.images, *rest] == whole
        whole = paged(world, 1_000)


def test_what_nobody_knows_is_not_found() -> None:
    world, simulator = picky()
    (failed,) = lost(world, simulator)
    for unknown in ("nothing", f"{'0' * 32}-000", f"{failed.id}9"):
        with pytest.raises(ImageNotFound):
            world.service.get_image(LENA, unknown)
    with pytest.raises(ImageMismatch):
        world.service.get_image("somebody-else", failed.id)


def test_the_ledger_is_asked_for_keys_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = picky()
    asked: list[str] = []

    def get(operation_id: str, /) -> None:
        asked.append(operation_id)

    monkeypatch.setattr(world.ledger, "get", get)
    for image_id in ("7", "a-000", f"{'0' * 32}-00", f"{'0' * 32}-000"):
        with pytest.raises(ImageNotFound):
            world.service.get_image(LENA, image_id)
    assert asked == ["0" * 32]


def test_a_failed_reference_says_since_when_it_is_the_master() -> None:
    world, simulator = picky()
    # So that no two moments are one.
    simulator.switches.generation_seconds = 0.005
    failed = failed_reference(world, simulator, policy="keep-history")
    operation = (world.operations())[0]
    assert failed.created_at == operation.received_at
    assert failed.created_at != operation.created_at
    since = failed.metrics.master_since
    assert since is not None
    assert since.isoformat() == operation.options["master_since"]
    assert operation.options["policy"] == "keep-history"


def test_the_whole_ledger_is_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    world, simulator = picky()
    (failed,) = lost(world, simulator)
    world.service.generate_scene(LENA, "On a roof.")
    read = world.ledger.list

    def one_by_one(character_id: str, /, *, limit: int, cursor: str | None) -> OperationPage:
        assert limit > 1
        return read(character_id, limit=1, cursor=cursor)

    monkeypatch.setattr(world.ledger, "list", one_by_one)
    assert [image.id for image in failures(world)] == [failed.id]
    # A character without a reference has no operation that removed everything.
    monkeypatch.undo()
    assert (world.service.list_images("nobody", status="failed")).total == 0


def test_removing_everything_removes_them_and_counts_them() -> None:
    world, simulator = picky()
    lost(world, simulator)
    total = len(world.images())
    assert (world.service.delete_all_images(LENA)).removed == total
    assert (world.operations())[0].removed == total
    assert failures(world) == []
    world.service.generate_reference(LENA, prompt="two")
    lost(world, simulator)
    result = world.service.generate_reference(LENA, prompt="three")
    assert result.removed == total
    assert failures(world) == []


def test_a_removal_that_failed_hides_nothing() -> None:
    world, simulator = picky()
    lost(world, simulator)
    images = world.images()
    break_once(world.metadata, "list", 2, error=StorageError)
    with pytest.raises(StorageError):
        world.service.delete_all_images(LENA)
    assert world.images() == images


def test_a_kept_history_keeps_them() -> None:
    world, simulator = picky()
    (failed,) = lost(world, simulator)
    world.service.generate_reference(LENA, prompt="two", policy=ReferencePolicy.KEEP_HISTORY)
    assert [image.id for image in failures(world)] == [failed.id]
    world.service.generate_reference(
        LENA, prompt="three", policy=ReferencePolicy.DELETE_AFTER_SUCCESS
    )
    assert failures(world) == []


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("port", ["media", "metadata"])
def test_an_interrupted_retry_is_finished(port: str, after: bool) -> None:
    world, simulator = picky()
    (failed,) = lost(world, simulator)
    store, method = (world.media, "save") if port == "media" else (world.metadata, "add")
    break_once(store, method, after=after)
    with pytest.raises(Crash):
        world.service.retry_ingestion(LENA, failed.id)
    assert outcomes(world.service.recover()) == ["completed"]
    assert failures(world) == []
    (image,) = [each for each in world.images() if each.key == failed.key]
    assert (image.status, image.kind) == ("succeeded", "portfolioItem")
    assert all(each.state == OperationState.DONE for each in world.operations())
    settled(world)


def test_a_retry_keeps_what_the_image_was_from_the_beginning() -> None:
    world, simulator = picky()
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError):
        world.service.generate_scene(LENA, "On a roof.", created_by="ann")
    (failed,) = failures(world)
    assert failed.metrics.generation_ms is not None
    world.service.generate_scene(LENA, "In a cellar.")
    image = (world.service.retry_ingestion(LENA, failed.id)).image
    assert (image.created_by, image.created_at) == ("ann", failed.created_at)
    assert image.metrics.generation_ms == failed.metrics.generation_ms
    assert prompts(world) == ["In a cellar.", "On a roof.", "one"]
    settled(world)


def failed_reference(world: World, simulator: Rigged, **options: str) -> CharacterImage:
    """Draw a reference that does not come in."""
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError):
        world.service.generate_reference(LENA, prompt="two", **options)
    return (failures(world))[0]


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_retry_removes_nothing_when_another_is_the_master(interrupted: bool) -> None:
    world, simulator = picky()
    (one,) = world.images()
    failed = failed_reference(world, simulator, policy="delete-after-success")
    world.service.restore_reference(LENA, one.id)
    if interrupted:
        break_once(world.metadata, "add")
        with pytest.raises(Crash):
            world.service.retry_ingestion(LENA, failed.id)
        assert outcomes(world.service.recover()) == ["completed"]
    else:
        assert (world.service.retry_ingestion(LENA, failed.id)).removed == 0
    assert sorted(prompts(world)) == ["one", "two"]
    settled(world)


def test_the_latest_reference_is_the_master_though_its_file_is_missing() -> None:
    world, simulator = picky()
    (one,) = world.images()
    failed = failed_reference(world, simulator, policy="keep-history")
    result = world.service.generate_portfolio(LENA)
    assert result.reference_id == failed.id
    assert {image.prompt for image in result.images} == {"two"}
    assert simulator.reference_of(world.db_id) == failed.external_id
    assert not [each for each in simulator.requests if each.method == "PUT"]
    world.service.generate_portfolio(LENA, reference_id=one.id)
    assert simulator.reference_of(world.db_id) == one.external_id
    sent = len(simulator.requests)
    with pytest.raises(ImageMismatch, match="retry_ingestion"):
        world.service.restore_reference(LENA, failed.id)
    assert len(simulator.requests) == sent
    assert simulator.reference_of(world.db_id) == one.external_id


def test_a_master_whose_file_is_missing_is_deleted_there_too() -> None:
    world, simulator = picky()
    failed = failed_reference(world, simulator, policy="keep-history")
    result = world.service.delete_image(LENA, failed.id)
    assert (result.removed, result.remote_deleted) == (1, True)
    assert simulator.reference_of(world.db_id) is None
    assert failures(world) == []


def test_a_failed_shot_is_deleted() -> None:
    world, simulator = picky()
    first, second = lost(world, simulator, 2)
    before = world.counts
    result = world.service.delete_image(LENA, first.id)
    assert (result.removed, result.remote_deleted) == (1, None)
    assert world.counts == before
    assert [image.id for image in failures(world)] == [second.id]
    for call in (world.service.get_image, world.service.delete_image):
        with pytest.raises(ImageNotFound):
            call(LENA, first.id)
    with pytest.raises(ImageNotFound):
        world.service.retry_ingestion(LENA, first.id)
    settled(world)


def test_the_id_of_a_failed_shot_leads_to_the_image_that_a_retry_has_stored() -> None:
    world, simulator = picky()
    (failed,) = lost(world, simulator)
    image = (world.service.retry_ingestion(LENA, failed.id)).image
    assert world.service.get_image(LENA, failed.id) == image
    with pytest.raises(ImageMismatch, match="nothing to retry"):
        world.service.retry_ingestion(LENA, failed.id)
    assert (world.service.delete_image(LENA, failed.id)).removed == 1
    with pytest.raises(ImageNotFound):
        world.service.get_image(LENA, failed.id)
    assert failures(world) == []
    settled(world)


class Counting:
    """A repository that counts, and gives the number of its last record, deleted, to the next."""

    requires_media = True

    def __init__(self) -> None:
        self._kept = MemoryMetadataRepository()
        self._keys: dict[int, str] = {}

    def add(self, image: CharacterImage, /) -> CharacterImage:
        stored = self._kept.add(image)
        self._keys[max(self._keys, default=0) + 1] = stored.key
        return self._numbered(stored)

    def get(self, image_id: str, /) -> CharacterImage | None:
        key = self._keys.get(int(image_id)) if image_id.isdecimal() else None
        found = None if key is None else self._kept.get(key)
        return None if found is None else self._numbered(found)

    def list(self, character_id: str, /, **options: Any) -> ImagePage:
        page = self._kept.list(character_id, **options)
        return evolve(page, images=tuple(self._numbered(image) for image in page.images))

    def update(self, image: CharacterImage, /) -> CharacterImage:
        return self._numbered(self._kept.update(evolve(image, id=image.key)))

    def delete(self, image_id: str, /) -> bool:
        key = self._keys.pop(int(image_id), None)
        return key is not None and self._kept.delete(key)

    def _numbered(self, image: CharacterImage) -> CharacterImage:
        (number,) = (number for number, key in self._keys.items() if key == image.key)
        return evolve(image, id=str(number))


def test_an_id_that_was_given_anew_does_not_lead_to_another_image() -> None:
    world, simulator = rigged()
    world.metadata = Counting()
    world.service = world.assemble()
    world.service.generate_reference(LENA, prompt="one")
    (failed,) = lost(world, simulator)
    image = (world.service.retry_ingestion(LENA, failed.id)).image
    assert image.id != failed.id
    assert world.service.get_image(LENA, failed.id) == image
    world.service.delete_image(LENA, image.id)
    other = (world.service.generate_scene(LENA, "On a roof.")).image
    assert other.id == image.id
    for call in (world.service.get_image, world.service.delete_image):
        with pytest.raises(ImageNotFound):
            call(LENA, failed.id)
    assert world.service.get_image(LENA, other.id) == other
    settled(world)


def test_the_latest_error_is_shown() -> None:
    world, simulator = picky()
    (failed,) = lost(world, simulator)
    simulator.switches.html_files = 1
    with pytest.raises(IngestionError) as caught:
        world.service.retry_ingestion(LENA, failed.id)
    (again,) = failures(world)
    assert str(caught.value).startswith(f"{again.error} It is paid for, ")
    assert again.error != failed.error


@pytest.mark.parametrize("seen", ["posted_at", "received_at", None])
def test_how_long_it_took_is_not_told_where_nobody_saw_it(seen: str | None) -> None:
    world, _ = picky()
    item = OperationItem(key=f"{'f' * 32}-000", index=0, state="failed", error="dark")
    moment = {} if seen is None else {seen: utcnow()}
    adopted = left_behind(
        world, id="f" * 32, kind="scene", state=OperationState.DONE, items=(item,), **moment
    )
    (failed,) = failures(world)
    assert failed.metrics.generation_ms is None
    assert failed.created_at == (adopted.received_at or adopted.created_at)


def test_a_set_is_drawn_from_a_reference_that_failed_and_has_no_record() -> None:
    world, simulator = picky()
    keep = ReferencePolicy.KEEP_HISTORY
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_reference(LENA, prompt="two", policy=keep)
    failed = world.service.get_image(LENA, caught.value.image_id or "")
    world.service.generate_reference(LENA, prompt="three", policy=keep)
    result = world.service.generate_portfolio(LENA, reference_id=failed.id)
    assert len(result.images) == simulator.switches.shots
    assert simulator.reference_of(world.db_id) == failed.external_id
    (still,) = failures(world)
    assert (still.key, still.status) == (failed.key, "failed")
    settled(world)
