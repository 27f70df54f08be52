"""Reading, deleting, restoring and retrying."""

from __future__ import annotations

from datetime import timedelta

import pytest

from charimg import (
    CharacterLibraryError,
    CharacterNotLinked,
    CharacterReference,
    ConfigurationError,
    ErrorCode,
    GenerationInProgress,
    ImageMismatch,
    ImageNotFound,
    IngestionError,
    InvalidArgument,
    LibraryMedia,
    OperationState,
    ReferencePolicy,
    RemoteDelete,
)
from charimg.models import utcnow

from .world import LENA, MAX, AsyncWorld

pytestmark = pytest.mark.anyio


async def ready(**options: object) -> AsyncWorld:
    world = AsyncWorld(**options)
    await world.link()
    await world.service.generate_reference(LENA, prompt="one")
    return world


async def test_a_character_is_put_into_a_directory_that_takes_it() -> None:
    world = AsyncWorld()
    character = CharacterReference(id="tom", name="Tom")
    await world.service.put_character(character)
    assert await world.directory.get("tom") == character


async def test_a_directory_of_the_hosts_is_given_no_id_that_cannot_be_reached() -> None:
    put: list[str] = []

    class AsyncHosts:
        async def get(self, character_id: str, /) -> None:
            return None

        async def put(self, character: CharacterReference, /) -> None:
            put.append(character.id)

    service = AsyncWorld().assemble(directory=AsyncHosts())
    with pytest.raises(InvalidArgument, match="slash"):
        await service.put_character(CharacterReference(id="a/b", name="Tom"))
    await service.put_character(CharacterReference(id="a-b", name="Tom"))
    assert put == ["a-b"]


async def test_a_directory_that_only_reads_takes_none() -> None:
    class AsyncReadOnly:
        async def get(self, character_id: str, /) -> None:
            return None

    service = AsyncWorld().assemble(directory=AsyncReadOnly())
    with pytest.raises(ConfigurationError, match="'tom' was not written"):
        await service.put_character(CharacterReference(id="tom", name="Tom"))


# Reading


async def test_a_page_is_newest_first_with_media_urls_and_total() -> None:
    world = await ready()
    await world.service.generate_scene(LENA, "She waits.")
    page = await world.service.list_images(LENA, limit=1)
    assert [image.prompt for image in page.images] == ["She waits."]
    assert page.total == 2
    assert page.images[0].media is not None
    assert page.images[0].media.url
    last = await world.service.list_images(LENA, limit=1, cursor=page.next_cursor)
    assert [image.prompt for image in last.images] == ["one"]
    assert last.next_cursor is None


async def test_filters_by_kind_and_status() -> None:
    world = await ready()
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError):
        await world.service.generate_scene(LENA, "She waits.")
    references = await world.service.list_images(LENA, kind="reference")
    failed = await world.service.list_images(LENA, status="failed")
    neither = await world.service.list_images(LENA, kind="reference", status="failed")
    assert [image.prompt for image in references.images] == ["one"]
    assert [image.prompt for image in failed.images] == ["She waits."]
    assert (references.total, failed.total, neither.total) == (1, 1, 0)


async def test_a_foreign_cursor_and_a_bad_limit_are_refused() -> None:
    world = await ready()
    with pytest.raises(InvalidArgument):
        await world.service.list_images(LENA, cursor="nonsense")
    with pytest.raises(InvalidArgument):
        await world.service.list_images(LENA, limit=0)


async def test_ten_thousand_images_page_through_without_a_gap_or_double() -> None:
    world = AsyncWorld()
    await world.link()
    begin = utcnow()
    for number in range(world.many(10_000)):
        await world.record(
            key=f"k{number:05}",
            kind="scene",
            status="failed",
            error="-",
            # Many share a time, so the id decides.
            created_at=begin + timedelta(milliseconds=number // 7),
        )
    seen = [image async for image in world.service.iter_images(LENA, page_size=world.many(999))]
    assert len(seen) == world.many(10_000)
    # An id may be a number.
    order = [(image.created_at, image.id.rjust(40)) for image in seen]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == world.many(10_000)


async def test_one_image_is_read_by_its_id() -> None:
    world = await ready()
    (image,) = await world.images()
    assert await world.service.get_image(LENA, image.id) == image
    with pytest.raises(ImageNotFound, match="nothing"):
        await world.service.get_image(LENA, "nothing")
    with pytest.raises(ImageMismatch, match="another character"):
        await world.service.get_image(MAX, image.id)


async def test_operations_are_listed_newest_first() -> None:
    world = await ready()
    await world.service.generate_scene(LENA, "She waits.")
    page = await world.service.list_operations(LENA, limit=1)
    assert [operation.kind for operation in page.operations] == ["scene"]
    page = await world.service.list_operations(LENA, limit=1, cursor=page.next_cursor)
    assert [operation.kind for operation in page.operations] == ["reference"]


# Deleting


async def test_a_file_that_is_not_in_this_store_is_told() -> None:
    """As when the records were moved and the setting of the media was forgotten."""
    world = await ready()
    await world.service.generate_scene(LENA, "She waits.")
    scene, reference = await world.images()
    assert scene.media is not None
    await world.media.delete(scene.media.key)
    deleted = await world.service.delete_image(LENA, scene.id)
    assert deleted.removed == 1
    (warning,) = deleted.warnings
    assert warning.code == ErrorCode.NO_MEDIA
    assert warning.message == (
        f"Of 1 removed images the media store had no file, of {scene.media.key!r} for example. If "
        "it is kept in another store, it is still there."
    )
    assert await world.images() == [reference]


async def test_files_that_are_not_in_this_store_are_told_when_all_go() -> None:
    world = await ready()
    await world.service.generate_scene(LENA, "She waits.")
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError):
        await world.service.generate_scene(LENA, "She leaves.")
    for image in await world.images():
        if image.media is not None:
            await world.media.delete(image.media.key)
    deleted = await world.service.delete_all_images(LENA)
    assert deleted.removed == 3
    # The one that never had a file is none of them.
    assert [warning.message[:9] for warning in deleted.warnings] == ["Of 2 remo"]


async def test_a_new_reference_tells_of_files_that_are_not_in_this_store() -> None:
    world = await ready()
    (image,) = await world.images()
    assert image.media is not None
    await world.media.delete(image.media.key)
    result = await world.service.generate_reference(LENA, prompt="two")
    assert [warning.code for warning in result.warnings] == [ErrorCode.NO_MEDIA]


async def test_deleting_a_scene_leaves_the_remote_alone() -> None:
    world = await ready()
    scene = (await world.service.generate_scene(LENA, "She waits.")).image
    result = await world.service.delete_image(LENA, scene.id)
    assert (result.removed, result.remote_deleted, result.warnings) == (1, None, ())
    assert [image.prompt for image in await world.images()] == ["one"]
    assert world.counts == (1, 0, 0, 1)
    assert world.told[-1].removed == 1
    await world.check()


async def test_a_failed_image_can_be_deleted_without_media() -> None:
    world = await ready()
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        await world.service.generate_scene(LENA, "She waits.")
    result = await world.service.delete_image(LENA, str(caught.value.image_id))
    assert result.removed == 1
    assert [image.prompt for image in await world.images()] == ["one"]
    await world.check()


async def test_deleting_the_reference_deletes_the_remote_one() -> None:
    world = await ready()
    (image,) = await world.images()
    result = await world.service.delete_image(LENA, image.id)
    assert (result.removed, result.remote_deleted) == (1, True)
    assert world.counts == (1, 1, 0, 0)
    assert world.simulator.reference_of(world.db_id) is None
    assert await world.images() == []
    await world.check()


async def test_a_failed_remote_delete_is_reported_and_not_repeated() -> None:
    world = await ready()
    (image,) = await world.images()
    world.simulator.switches.reference_delete_errors = 1
    result = await world.service.delete_image(LENA, image.id, on_progress=world.progress.append)
    assert result.removed == 1
    assert result.remote_deleted is False
    (warning,) = result.warnings
    assert "not deleted" in warning.message
    assert world.counts == (1, 1, 0, 0)
    (operation, _) = await world.operations()
    assert operation.remote_delete == RemoteDelete.FAILED
    assert operation.state == OperationState.DONE
    await world.check()


async def test_deleting_a_kept_earlier_reference_leaves_the_master_alone() -> None:
    world = await ready()
    (first,) = await world.images()
    await world.service.generate_reference(LENA, prompt="two", policy=ReferencePolicy.KEEP_HISTORY)
    result = await world.service.delete_image(LENA, first.id)
    assert result.remote_deleted is None
    assert world.counts == (2, 1, 0, 0)


async def test_a_reference_of_another_provider_never_reaches_the_remote() -> None:
    world = await ready()
    (image,) = await world.images()
    uploaded = await world.record(
        key="uploaded",
        kind="reference",
        status="succeeded",
        provider="upload",
    )
    result = await world.service.delete_image(LENA, uploaded.id)
    assert result.remote_deleted is None
    assert world.counts == (1, 0, 0, 0)
    assert await world.images() == [image]


async def test_deleting_twice_is_a_clear_not_found_and_leaves_nothing_behind() -> None:
    world = await ready()
    (image,) = await world.images()
    await world.service.delete_image(LENA, image.id)
    operations = await world.operations()
    with pytest.raises(ImageNotFound, match=image.id):
        await world.service.delete_image(LENA, image.id)
    assert await world.operations() == operations
    assert world.counts == (1, 1, 0, 0)
    assert world.stores.keys() == set()


async def test_losing_the_race_to_delete_is_a_not_found_too() -> None:
    world = await ready()
    (image,) = await world.images()
    acquire = world.ledger.acquire

    async def late(*args: object, **options: object) -> object:
        await world.metadata.delete(image.id)
        return await acquire(*args, **options)  # type: ignore[arg-type]

    world.ledger.acquire = late  # type: ignore[method-assign, assignment]
    with pytest.raises(ImageNotFound, match="deleted already"):
        await world.service.delete_image(LENA, image.id)
    assert world.counts == (1, 0, 0, 0)


async def test_an_image_of_another_character_is_refused() -> None:
    world = await ready()
    (image,) = await world.images()
    await world.link(MAX, library_db_id=world.simulator.add_character(name="Max"))
    with pytest.raises(ImageMismatch, match="another character"):
        await world.service.delete_image(MAX, image.id)
    assert await world.images() == [image]
    assert world.counts == (1, 0, 0, 0)


async def test_deleting_while_something_runs_is_refused() -> None:
    world = await ready()
    (image,) = await world.images()
    await world.ledger.acquire(LENA, owner="another", ttl=100)
    with pytest.raises(GenerationInProgress):
        await world.service.delete_image(LENA, image.id)
    assert await world.images() == [image]


async def test_deleting_everything() -> None:
    world = await ready()
    await world.service.generate_portfolio(LENA)
    await world.service.generate_scene(LENA, "She waits.")
    result = await world.service.delete_all_images(LENA)
    assert (result.removed, result.remote_deleted) == (world.shots + 2, True)
    assert await world.images() == []
    assert world.counts == (1, 1, 1, 1)
    again = await world.service.delete_all_images(LENA)
    assert (again.removed, again.remote_deleted) == (0, None)
    await world.check()


async def test_deleting_everything_takes_more_than_one_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = AsyncWorld()
    monkeypatch.setattr("charimg._async.removal._PAGE", world.many(500))
    await world.link()
    for number in range(world.many(1_100)):
        await world.record(
            key=f"k{number:05}",
            kind="reference",
            status="failed",
            provider="upload" if number % 2 else "character-library",
        )
    result = await world.service.delete_all_images(LENA)
    assert result.removed == world.many(1_100)
    assert world.counts == (0, 1, 0, 0)


async def test_images_of_a_character_that_is_gone_or_unlinked_can_be_deleted() -> None:
    world = await ready()
    await world.stores.forget(LENA)
    (image,) = await world.images()
    result = await world.service.delete_image(LENA, image.id)
    assert result.removed == 1
    assert result.remote_deleted is False
    assert [warning.code for warning in result.warnings] == ["NOT_LINKED"]
    assert world.counts == (1, 0, 0, 0)


# Restoring


async def test_an_earlier_reference_becomes_the_master_again() -> None:
    world = await ready()
    (first,) = await world.images()
    second = await world.service.generate_reference(
        LENA, prompt="two", policy=ReferencePolicy.KEEP_HISTORY
    )
    restored = await world.service.restore_reference(LENA, first.id)
    assert restored.id == first.id
    assert restored.metrics.master_since is not None
    assert second.image.metrics.master_since is not None
    assert restored.metrics.master_since >= second.image.metrics.master_since
    assert world.simulator.reference_of(world.db_id) == first.external_id
    result = await world.service.delete_image(LENA, second.image.id)
    assert result.remote_deleted is None, "it is no longer the master"
    result = await world.service.delete_image(LENA, first.id)
    assert result.remote_deleted is True


async def test_a_refused_restore_is_raised_and_over() -> None:
    world = await ready()
    (first,) = await world.images()
    await world.service.library.delete_character(world.db_id)
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.restore_reference(LENA, first.id)
    assert caught.value.code == ErrorCode.NOT_FOUND
    assert (await world.operations())[0].state == OperationState.FAILED
    assert (await world.service.recover()).operations == ()


async def test_only_a_reference_of_the_library_can_be_restored() -> None:
    world = await ready()
    scene = (await world.service.generate_scene(LENA, "She waits.")).image
    foreign = await world.record(key="f", kind="reference", status="succeeded", provider="upload")
    nameless = await world.record(key="n", kind="reference", status="succeeded")
    with pytest.raises(ImageMismatch, match="not a reference"):
        await world.service.restore_reference(LENA, scene.id)
    with pytest.raises(ImageMismatch, match="provider"):
        await world.service.restore_reference(LENA, foreign.id)
    with pytest.raises(ImageMismatch, match="no media id"):
        await world.service.restore_reference(LENA, nameless.id)
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        await world.service.generate_reference(LENA, prompt="two", policy="keep-history")
    failed = caught.value.image_id or ""
    sent = len(world.simulator.requests)
    with pytest.raises(ImageMismatch, match="retry_ingestion first"):
        await world.service.restore_reference(LENA, failed)
    assert len(world.simulator.requests) == sent
    retried = (await world.service.retry_ingestion(LENA, failed)).image
    assert (await world.service.restore_reference(LENA, failed)).id == retried.id
    with pytest.raises(ImageNotFound):
        await world.service.restore_reference(LENA, "nothing")
    await world.link(library_db_id=None)
    with pytest.raises(CharacterNotLinked):
        await world.service.restore_reference(LENA, scene.id)
    assert len([each for each in world.simulator.requests if each.method == "PUT"]) == 1


# Retrying


async def test_a_retry_that_fails_again_keeps_the_record_with_the_new_error() -> None:
    world = await ready()
    world.simulator.switches.file_errors = 2
    with pytest.raises(IngestionError) as caught:
        await world.service.generate_scene(LENA, "She waits.")
    image_id = caught.value.image_id or ""
    with pytest.raises(IngestionError) as again:
        await world.service.retry_ingestion(LENA, image_id)
    assert again.value.image_id == image_id
    failed = await world.service.get_image(LENA, image_id)
    assert failed.status == "failed"
    assert str(again.value).startswith(f"{failed.error} It is paid for, ")
    await world.service.retry_ingestion(LENA, image_id)
    assert world.counts == (1, 0, 0, 1)
    await world.check()


async def test_only_a_failed_image_can_be_retried() -> None:
    world = await ready()
    (image,) = await world.images()
    with pytest.raises(ImageMismatch, match="nothing to retry"):
        await world.service.retry_ingestion(LENA, image.id)
    with pytest.raises(ImageNotFound):
        await world.service.retry_ingestion(LENA, "nothing")


async def test_a_retry_works_without_the_character_and_by_media_id_alone() -> None:
    world = await ready()
    (image,) = await world.images()
    orphan = await world.record(
        key="again",
        kind="reference",
        status="failed",
        error="-",
        external_id=image.external_id,
    )
    await world.stores.forget(LENA)
    result = await world.service.retry_ingestion(LENA, orphan.id)
    assert result.image.metrics.sha256 == image.metrics.sha256
    assert result.image.source_url


async def test_a_media_id_that_the_library_does_not_know_fails_again() -> None:
    world = await ready()
    lost = await world.record(
        key="lost",
        kind="scene",
        status="failed",
        error="-",
        external_id="0123456789abcdef01234567",
    )
    with pytest.raises(IngestionError) as caught:
        await world.service.retry_ingestion(LENA, lost.id)
    assert caught.value.code == ErrorCode.NO_SOURCE
    assert isinstance(caught.value.__cause__, CharacterLibraryError)

    async def without_url(media_id: str) -> LibraryMedia:
        return LibraryMedia(id=media_id)

    world.service.library.get_media = without_url  # type: ignore[method-assign]
    with pytest.raises(IngestionError, match="gives no URL") as caught:
        await world.service.retry_ingestion(LENA, lost.id)
    assert caught.value.code == ErrorCode.NO_SOURCE
    error = (await world.service.get_image(LENA, lost.id)).error
    assert str(caught.value).startswith(f"{error} It is paid for, ")


async def test_the_journal_tells_who_restored_and_deleted() -> None:
    world = await ready()
    keep = ReferencePolicy.KEEP_HISTORY
    await world.service.generate_reference(LENA, prompt="two", policy=keep)
    (second, first) = await world.images()
    await world.service.restore_reference(LENA, first.id, created_by="ada")
    await world.service.delete_image(LENA, second.id, created_by="otto")
    await world.service.delete_all_images(LENA, created_by="eve")
    assert [(op.kind, op.created_by) for op in await world.operations()][:3] == [
        ("delete", "eve"),
        ("delete", "otto"),
        ("restore", "ada"),
    ]
