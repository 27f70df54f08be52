# Generated from tests/_async/test_manage_images.py by tools/unasync.py. Do not edit.
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

from .world import LENA, MAX, World


def ready(**options: object) -> World:
    world = World(**options)
    world.link()
    world.service.generate_reference(LENA, prompt="one")
    return world


def test_a_character_is_put_into_a_directory_that_takes_it() -> None:
    world = World()
    character = CharacterReference(id="tom", name="Tom")
    world.service.put_character(character)
    assert world.directory.get("tom") == character


def test_a_directory_of_the_hosts_is_given_no_id_that_cannot_be_reached() -> None:
    put: list[str] = []

    class Hosts:
        def get(self, character_id: str, /) -> None:
            return None

        def put(self, character: CharacterReference, /) -> None:
            put.append(character.id)

    service = World().assemble(directory=Hosts())
    with pytest.raises(InvalidArgument, match="slash"):
        service.put_character(CharacterReference(id="a/b", name="Tom"))
    service.put_character(CharacterReference(id="a-b", name="Tom"))
    assert put == ["a-b"]


def test_a_directory_that_only_reads_takes_none() -> None:
    class ReadOnly:
        def get(self, character_id: str, /) -> None:
            return None

    service = World().assemble(directory=ReadOnly())
    with pytest.raises(ConfigurationError, match="'tom' was not written"):
        service.put_character(CharacterReference(id="tom", name="Tom"))


# Reading


def test_a_page_is_newest_first_with_media_urls_and_total() -> None:
    world = ready()
    world.service.generate_scene(LENA, "She waits.")
    page = world.service.list_images(LENA, limit=1)
    assert [image.prompt for image in page.images] == ["She waits."]
    assert page.total == 2
    assert page.images[0].media is not None
    assert page.images[0].media.url
    last = world.service.list_images(LENA, limit=1, cursor=page.next_cursor)
    assert [image.prompt for image in last.images] == ["one"]
    assert last.next_cursor is None


def test_filters_by_kind_and_status() -> None:
    world = ready()
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError):
        world.service.generate_scene(LENA, "She waits.")
    references = world.service.list_images(LENA, kind="reference")
    failed = world.service.list_images(LENA, status="failed")
    neither = world.service.list_images(LENA, kind="reference", status="failed")
    assert [image.prompt for image in references.images] == ["one"]
    assert [image.prompt for image in failed.images] == ["She waits."]
    assert (references.total, failed.total, neither.total) == (1, 1, 0)


def test_a_foreign_cursor_and_a_bad_limit_are_refused() -> None:
    world = ready()
    with pytest.raises(InvalidArgument):
        world.service.list_images(LENA, cursor="nonsense")
    with pytest.raises(InvalidArgument):
        world.service.list_images(LENA, limit=0)


def test_ten_thousand_images_page_through_without_a_gap_or_double() -> None:
    world = World()
    world.link()
    begin = utcnow()
    for number in range(world.many(10_000)):
        world.record(
            key=f"k{number:05}",
            kind="scene",
            status="failed",
            error="-",
            # Many share a time, so the id decides.
            created_at=begin + timedelta(milliseconds=number // 7),
        )
    seen = [image for image in world.service.iter_images(LENA, page_size=world.many(999))]
    assert len(seen) == world.many(10_000)
    # An id may be a number.
    order = [(image.created_at, image.id.rjust(40)) for image in seen]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == world.many(10_000)


def test_one_image_is_read_by_its_id() -> None:
    world = ready()
    (image,) = world.images()
    assert world.service.get_image(LENA, image.id) == image
    with pytest.raises(ImageNotFound, match="nothing"):
        world.service.get_image(LENA, "nothing")
    with pytest.raises(ImageMismatch, match="another character"):
        world.service.get_image(MAX, image.id)


def test_operations_are_listed_newest_first() -> None:
    world = ready()
    world.service.generate_scene(LENA, "She waits.")
    page = world.service.list_operations(LENA, limit=1)
    assert [operation.kind for operation in page.operations] == ["scene"]
    page = world.service.list_operations(LENA, limit=1, cursor=page.next_cursor)
    assert [operation.kind for operation in page.operations] == ["reference"]


# Deleting


def test_a_file_that_is_not_in_this_store_is_told() -> None:
    """As when the records were moved and the setting of the media was forgotten."""
    world = ready()
    world.service.generate_scene(LENA, "She waits.")
    scene, reference = world.images()
    assert scene.media is not None
    world.media.delete(scene.media.key)
    deleted = world.service.delete_image(LENA, scene.id)
    assert deleted.removed == 1
    (warning,) = deleted.warnings
    assert warning.code == ErrorCode.NO_MEDIA
    assert warning.message == (
        f"Of 1 removed images the media store had no file, of {scene.media.key!r} for example. If "
        "it is kept in another store, it is still there."
    )
    assert world.images() == [reference]


def test_files_that_are_not_in_this_store_are_told_when_all_go() -> None:
    world = ready()
    world.service.generate_scene(LENA, "She waits.")
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError):
        world.service.generate_scene(LENA, "She leaves.")
    for image in world.images():
        if image.media is not None:
            world.media.delete(image.media.key)
    deleted = world.service.delete_all_images(LENA)
    assert deleted.removed == 3
    # The one that never had a file is none of them.
    assert [warning.message[:9] for warning in deleted.warnings] == ["Of 2 remo"]


def test_a_new_reference_tells_of_files_that_are_not_in_this_store() -> None:
    world = ready()
    (image,) = world.images()
    assert image.media is not None
    world.media.delete(image.media.key)
    result = world.service.generate_reference(LENA, prompt="two")
    assert [warning.code for warning in result.warnings] == [ErrorCode.NO_MEDIA]


def test_deleting_a_scene_leaves_the_remote_alone() -> None:
    world = ready()
    scene = (world.service.generate_scene(LENA, "She waits.")).image
    result = world.service.delete_image(LENA, scene.id)
    assert (result.removed, result.remote_deleted, result.warnings) == (1, None, ())
    assert [image.prompt for image in world.images()] == ["one"]
    assert world.counts == (1, 0, 0, 1)
    assert world.told[-1].removed == 1
    world.check()


def test_a_failed_image_can_be_deleted_without_media() -> None:
    world = ready()
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_scene(LENA, "She waits.")
    result = world.service.delete_image(LENA, str(caught.value.image_id))
    assert result.removed == 1
    assert [image.prompt for image in world.images()] == ["one"]
    world.check()


def test_deleting_the_reference_deletes_the_remote_one() -> None:
    world = ready()
    (image,) = world.images()
    result = world.service.delete_image(LENA, image.id)
    assert (result.removed, result.remote_deleted) == (1, True)
    assert world.counts == (1, 1, 0, 0)
    assert world.simulator.reference_of(world.db_id) is None
    assert world.images() == []
    world.check()


def test_a_failed_remote_delete_is_reported_and_not_repeated() -> None:
    world = ready()
    (image,) = world.images()
    world.simulator.switches.reference_delete_errors = 1
    result = world.service.delete_image(LENA, image.id, on_progress=world.progress.append)
    assert result.removed == 1
    assert result.remote_deleted is False
    (warning,) = result.warnings
    assert "not deleted" in warning.message
    assert world.counts == (1, 1, 0, 0)
    (operation, _) = world.operations()
    assert operation.remote_delete == RemoteDelete.FAILED
    assert operation.state == OperationState.DONE
    world.check()


def test_deleting_a_kept_earlier_reference_leaves_the_master_alone() -> None:
    world = ready()
    (first,) = world.images()
    world.service.generate_reference(LENA, prompt="two", policy=ReferencePolicy.KEEP_HISTORY)
    result = world.service.delete_image(LENA, first.id)
    assert result.remote_deleted is None
    assert world.counts == (2, 1, 0, 0)


def test_a_reference_of_another_provider_never_reaches_the_remote() -> None:
    world = ready()
    (image,) = world.images()
    uploaded = world.record(
        key="uploaded",
        kind="reference",
        status="succeeded",
        provider="upload",
    )
    result = world.service.delete_image(LENA, uploaded.id)
    assert result.remote_deleted is None
    assert world.counts == (1, 0, 0, 0)
    assert world.images() == [image]


def test_deleting_twice_is_a_clear_not_found_and_leaves_nothing_behind() -> None:
    world = ready()
    (image,) = world.images()
    world.service.delete_image(LENA, image.id)
    operations = world.operations()
    with pytest.raises(ImageNotFound, match=image.id):
        world.service.delete_image(LENA, image.id)
    assert world.operations() == operations
    assert world.counts == (1, 1, 0, 0)
    assert world.stores.keys() == set()


def test_losing_the_race_to_delete_is_a_not_found_too() -> None:
    world = ready()
    (image,) = world.images()
    acquire = world.ledger.acquire

    def late(*args: object, **options: object) -> object:
        world.metadata.delete(image.id)
        return acquire(*args, **options)  # type: ignore[arg-type]

    world.ledger.acquire = late  # type: ignore[method-assign, assignment]
    with pytest.raises(ImageNotFound, match="deleted already"):
        world.service.delete_image(LENA, image.id)
    assert world.counts == (1, 0, 0, 0)


def test_an_image_of_another_character_is_refused() -> None:
    world = ready()
    (image,) = world.images()
    world.link(MAX, library_db_id=world.simulator.add_character(name="Max"))
    with pytest.raises(ImageMismatch, match="another character"):
        world.service.delete_image(MAX, image.id)
    assert world.images() == [image]
    assert world.counts == (1, 0, 0, 0)


def test_deleting_while_something_runs_is_refused() -> None:
    world = ready()
    (image,) = world.images()
    world.ledger.acquire(LENA, owner="another", ttl=100)
    with pytest.raises(GenerationInProgress):
        world.service.delete_image(LENA, image.id)
    assert world.images() == [image]


def test_deleting_everything() -> None:
    world = ready()
    world.service.generate_portfolio(LENA)
    world.service.generate_scene(LENA, "She waits.")
    result = world.service.delete_all_images(LENA)
    assert (result.removed, result.remote_deleted) == (world.shots + 2, True)
    assert world.images() == []
    assert world.counts == (1, 1, 1, 1)
    again = world.service.delete_all_images(LENA)
    assert (again.removed, again.remote_deleted) == (0, None)
    world.check()


def test_deleting_everything_takes_more_than_one_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    monkeypatch.setattr("charimg._sync.removal._PAGE", world.many(500))
    world.link()
    for number in range(world.many(1_100)):
        world.record(
            key=f"k{number:05}",
            kind="reference",
            status="failed",
            provider="upload" if number % 2 else "character-library",
        )
    result = world.service.delete_all_images(LENA)
    assert result.removed == world.many(1_100)
    assert world.counts == (0, 1, 0, 0)


def test_images_of_a_character_that_is_gone_or_unlinked_can_be_deleted() -> None:
    world = ready()
    world.stores.forget(LENA)
    (image,) = world.images()
    result = world.service.delete_image(LENA, image.id)
    assert result.removed == 1
    assert result.remote_deleted is False
    assert [warning.code for warning in result.warnings] == ["NOT_LINKED"]
    assert world.counts == (1, 0, 0, 0)


# Restoring


def test_an_earlier_reference_becomes_the_master_again() -> None:
    world = ready()
    (first,) = world.images()
    second = world.service.generate_reference(
        LENA, prompt="two", policy=ReferencePolicy.KEEP_HISTORY
    )
    restored = world.service.restore_reference(LENA, first.id)
    assert restored.id == first.id
    assert restored.metrics.master_since is not None
    assert second.image.metrics.master_since is not None
    assert restored.metrics.master_since >= second.image.metrics.master_since
    assert world.simulator.reference_of(world.db_id) == first.external_id
    result = world.service.delete_image(LENA, second.image.id)
    assert result.remote_deleted is None, "it is no longer the master"
    result = world.service.delete_image(LENA, first.id)
    assert result.remote_deleted is True


def test_a_refused_restore_is_raised_and_over() -> None:
    world = ready()
    (first,) = world.images()
    world.service.library.delete_character(world.db_id)
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.restore_reference(LENA, first.id)
    assert caught.value.code == ErrorCode.NOT_FOUND
    assert (world.operations())[0].state == OperationState.FAILED
    assert (world.service.recover()).operations == ()


def test_only_a_reference_of_the_library_can_be_restored() -> None:
    world = ready()
    scene = (world.service.generate_scene(LENA, "She waits.")).image
    foreign = world.record(key="f", kind="reference", status="succeeded", provider="upload")
    nameless = world.record(key="n", kind="reference", status="succeeded")
    with pytest.raises(ImageMismatch, match="not a reference"):
        world.service.restore_reference(LENA, scene.id)
    with pytest.raises(ImageMismatch, match="provider"):
        world.service.restore_reference(LENA, foreign.id)
    with pytest.raises(ImageMismatch, match="no media id"):
        world.service.restore_reference(LENA, nameless.id)
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_reference(LENA, prompt="two", policy="keep-history")
    failed = caught.value.image_id or ""
    sent = len(world.simulator.requests)
    with pytest.raises(ImageMismatch, match="retry_ingestion first"):
        world.service.restore_reference(LENA, failed)
    assert len(world.simulator.requests) == sent
    retried = (world.service.retry_ingestion(LENA, failed)).image
    assert (world.service.restore_reference(LENA, failed)).id == retried.id
    with pytest.raises(ImageNotFound):
        world.service.restore_reference(LENA, "nothing")
    world.link(library_db_id=None)
    with pytest.raises(CharacterNotLinked):
        world.service.restore_reference(LENA, scene.id)
    assert len([each for each in world.simulator.requests if each.method == "PUT"]) == 1


# Retrying


def test_a_retry_that_fails_again_keeps_the_record_with_the_new_error() -> None:
    world = ready()
    world.simulator.switches.file_errors = 2
    with pytest.raises(IngestionError) as caught:
        world.service.generate_scene(LENA, "She waits.")
    image_id = caught.value.image_id or ""
    with pytest.raises(IngestionError) as again:
        world.service.retry_ingestion(LENA, image_id)
    assert again.value.image_id == image_id
    failed = world.service.get_image(LENA, image_id)
    assert failed.status == "failed"
    assert str(again.value).startswith(f"{failed.error} It is paid for, ")
    world.service.retry_ingestion(LENA, image_id)
    assert world.counts == (1, 0, 0, 1)
    world.check()


def test_only_a_failed_image_can_be_retried() -> None:
    world = ready()
    (image,) = world.images()
    with pytest.raises(ImageMismatch, match="nothing to retry"):
        world.service.retry_ingestion(LENA, image.id)
    with pytest.raises(ImageNotFound):
        world.service.retry_ingestion(LENA, "nothing")


def test_a_retry_works_without_the_character_and_by_media_id_alone() -> None:
    world = ready()
    (image,) = world.images()
    orphan = world.record(
        key="again",
        kind="reference",
        status="failed",
        error="-",
        external_id=image.external_id,
    )
    world.stores.forget(LENA)
    result = world.service.retry_ingestion(LENA, orphan.id)
    assert result.image.metrics.sha256 == image.metrics.sha256
    assert result.image.source_url


def test_a_media_id_that_the_library_does_not_know_fails_again() -> None:
    world = ready()
    lost = world.record(
        key="lost",
        kind="scene",
        status="failed",
        error="-",
        external_id="0123456789abcdef01234567",
    )
    with pytest.raises(IngestionError) as caught:
        world.service.retry_ingestion(LENA, lost.id)
    assert caught.value.code == ErrorCode.NO_SOURCE
    assert isinstance(caught.value.__cause__, CharacterLibraryError)

    def without_url(media_id: str) -> LibraryMedia:
        return LibraryMedia(id=media_id)

    world.service.library.get_media = without_url  # type: ignore[method-assign]
    with pytest.raises(IngestionError, match="gives no URL") as caught:
        world.service.retry_ingestion(LENA, lost.id)
    assert caught.value.code == ErrorCode.NO_SOURCE
    error = (world.service.get_image(LENA, lost.id)).error
    assert str(caught.value).startswith(f"{error} It is paid for, ")


def test_the_journal_tells_who_restored_and_deleted() -> None:
    world = ready()
    keep = ReferencePolicy.KEEP_HISTORY
    world.service.generate_reference(LENA, prompt="two", policy=keep)
    (second, first) = world.images()
    world.service.restore_reference(LENA, first.id, created_by="ada")
    world.service.delete_image(LENA, second.id, created_by="otto")
    world.service.delete_all_images(LENA, created_by="eve")
    assert [(op.kind, op.created_by) for op in world.operations()][:3] == [
        ("delete", "eve"),
        ("delete", "otto"),
        ("restore", "ada"),
    ]
