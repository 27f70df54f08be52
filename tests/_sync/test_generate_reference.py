# Generated from tests/_async/test_generate_reference.py by tools/unasync.py. Do not edit.
"""A new reference: what is checked, deleted, posted, retried and stored, in which order."""

from __future__ import annotations

import logging

import pytest

from charimg import (
    CharacterLibraryError,
    CharacterNotFound,
    CharacterNotLinked,
    CharacterReference,
    ErrorCode,
    ImageStored,
    IngestionError,
    InvalidArgument,
    InvalidPrompt,
    OperationFailed,
    OperationFinished,
    OperationStarted,
    OperationState,
    PromptSuggestion,
    ReferenceRetried,
    RemoteDelete,
    StorageError,
    WarningRaised,
)

from .world import LENA, World

PROMPT = "  Lena, exactly so — „straight“, \n 35mm. "


def test_the_prompt_is_posted_and_stored_byte_for_byte() -> None:
    world = World()
    world.link()
    result = world.service.generate_reference(LENA, prompt=PROMPT, created_by="ann")
    (posted,) = world.simulator.posts("generate-initial-image")
    assert posted == {"prompt": PROMPT}
    assert result.prompt == result.image.prompt == PROMPT
    (image,) = world.images()
    assert image.prompt == PROMPT
    assert (image.kind, image.status, image.provider) == (
        "reference",
        "succeeded",
        "character-library",
    )
    assert image.created_by == "ann"
    assert image.character_id == LENA
    assert image.external_id == world.simulator.reference_of(world.db_id)
    assert image.source_url
    assert image.error is None
    world.check()


def test_the_metrics_tell_how_the_image_came_in() -> None:
    world = World()
    world.link()
    image = (world.service.generate_reference(LENA, prompt=PROMPT)).image
    metrics = image.metrics
    for duration in (
        metrics.generation_ms,
        metrics.download_ms,
        metrics.inspection_ms,
        metrics.storing_ms,
    ):
        assert duration is not None
        assert duration >= 0
    assert metrics.bytes == len(world.bytes_of(image))
    assert (metrics.width, metrics.height) == (image.media.width, image.media.height)  # type: ignore[union-attr]
    assert metrics.master_since is not None


def test_without_a_prompt_the_suggestion_is_posted() -> None:
    world = World()
    world.link()
    suggestion = world.service.suggest_prompt(LENA)
    result = world.service.generate_reference(LENA)
    assert world.simulator.posts("generate-initial-image") == [{"prompt": suggestion.prompt}]
    assert result.image.prompt == suggestion.prompt
    assert "auburn" in suggestion.prompt


def test_a_host_can_bring_its_own_suggester() -> None:
    class Short:
        def suggest(self, character: CharacterReference, /) -> PromptSuggestion:
            return PromptSuggestion(prompt=f"Just {character.name}.", template="short/1", facts={})

    world = World(suggester=Short())
    world.link()
    assert (world.service.generate_reference(LENA)).prompt == "Just Lena Marlow."


def test_a_suggester_may_be_waited_for() -> None:
    class Asking:
        def suggest(self, character: CharacterReference, /) -> PromptSuggestion:
            return PromptSuggestion(prompt=f"Only {character.name}.", template="asked/1", facts={})

    world = World(suggester=Asking())
    world.link()
    assert (world.service.suggest_prompt(LENA)).template == "asked/1"
    assert (world.service.generate_reference(LENA)).prompt == "Only Lena Marlow."


@pytest.mark.parametrize("prompt", ["", "  \n\t "])
def test_a_blank_prompt_is_refused_before_anything_is_deleted(prompt: str) -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt=PROMPT)
    before, sent = world.images(), len(world.simulator.requests)
    with pytest.raises(InvalidPrompt):
        world.service.generate_reference(LENA, prompt=prompt)
    assert world.images() == before
    assert len(world.simulator.requests) == sent


def test_a_prompt_that_is_too_long_is_refused_before_anything_is_deleted() -> None:
    world = World()
    world.link()
    # In bytes of UTF-8: 64 KiB exactly still goes.
    world.service.generate_reference(LENA, prompt="é" * (32 * 1024))
    before, sent = world.images(), len(world.simulator.requests)
    with pytest.raises(InvalidArgument, match="has 65,537 bytes, and at most 65,536"):
        world.service.generate_reference(LENA, prompt="é" * (32 * 1024) + "!")
    shorter = world.assemble(max_prompt_bytes=20)
    with pytest.raises(InvalidArgument, match="has 21 bytes, and at most 20"):
        shorter.generate_scene(LENA, "A scene.", mood="tense", additional_characters=["Maximus!"])
    assert world.images() == before
    assert len(world.simulator.requests) == sent
    with pytest.raises(InvalidArgument, match="max_prompt_bytes must be at least 1"):
        world.assemble(max_prompt_bytes=0)


@pytest.mark.parametrize("db_id", [None, "lena-marlow", "0" * 23])
def test_a_character_without_a_link_is_refused_before_anything_is_sent(
    db_id: str | None,
) -> None:
    world = World()
    world.link(library_db_id=db_id)
    with pytest.raises(CharacterNotLinked, match="24-hex"):
        world.service.generate_reference(LENA, prompt=PROMPT)
    assert world.simulator.requests == []


def test_an_unknown_character_is_refused() -> None:
    world = World()
    with pytest.raises(CharacterNotFound, match="'nobody'"):
        world.service.generate_reference("nobody", prompt=PROMPT)
    with pytest.raises(CharacterNotFound, match="'nobody'"):
        world.service.suggest_prompt("nobody")


def test_an_outage_deletes_nothing() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt=PROMPT)
    before = world.images()
    world.simulator.switches.down = True
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt="another")
    assert world.images() == before
    assert world.counts == (1, 0, 0, 0)
    (failed, _) = world.operations()
    assert failed.state == OperationState.FAILED
    world.check()


def test_a_link_to_a_character_that_the_library_does_not_know_deletes_nothing() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt=PROMPT)
    before = world.images()
    world.link(library_db_id="0123456789abcdef01234567")
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.generate_reference(LENA, prompt="another")
    assert caught.value.code == ErrorCode.NOT_FOUND
    assert world.images() == before
    assert world.counts == (1, 0, 0, 0)


def test_a_second_reference_replaces_everything() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt=PROMPT)
    world.service.generate_scene(LENA, "She waits.")
    result = world.service.generate_reference(LENA, prompt="another")
    assert result.removed == 2
    assert not result.retried
    assert result.warnings == ()
    (image,) = world.images()
    assert image == result.image
    assert image.prompt == "another"
    assert world.counts == (2, 1, 0, 1)
    deletes = [each for each in world.simulator.requests if each.method == "DELETE"]
    posts = [each for each in world.simulator.requests if each.method == "POST"]
    order = [each for each in world.simulator.requests if each in (*deletes, posts[-1])]
    assert order == [*deletes, posts[-1]], "the DELETE precedes the POST"
    world.check()


def test_the_first_reference_sends_no_delete() -> None:
    world = World()
    world.link()
    result = world.service.generate_reference(LENA, prompt=PROMPT)
    assert result.removed == 0
    assert world.counts == (1, 0, 0, 0)


def test_local_images_go_before_the_post_and_the_delete() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt=PROMPT)
    world.simulator.switches.generation_errors = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt="another")
    assert world.images() == []
    assert world.stores.keys() == set()


def test_a_failed_remote_delete_is_reported_and_stops_nothing() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt=PROMPT)
    world.simulator.switches.reference_delete_errors = 1
    result = world.service.generate_reference(
        LENA, prompt="another", on_progress=world.progress.append
    )
    # The remote reference was still there, so the server refused the first POST.
    assert result.retried
    assert world.counts == (3, 2, 0, 0)
    (warning,) = result.warnings
    assert "remote reference was not deleted" in warning.message
    assert [event.code for event in world.progress if isinstance(event, WarningRaised)] == [
        warning.code
    ]
    assert [image.prompt for image in world.images()] == ["another"]
    (operation, _) = world.operations()
    assert operation.remote_delete == RemoteDelete.DONE
    world.check()


def test_already_has_a_reference_means_one_delete_and_one_retry(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.link()
    world.simulator.set_reference(world.db_id)
    with caplog.at_level(logging.DEBUG, logger="charimg"):
        result = world.service.generate_reference(
            LENA, prompt=PROMPT, on_progress=world.progress.append
        )
    assert result.retried
    assert world.counts == (2, 1, 0, 0)
    assert world.simulator.posts("generate-initial-image") == [{"prompt": PROMPT}] * 2
    assert len([each for each in world.progress if isinstance(each, ReferenceRetried)]) == 1
    (record,) = [each for each in caplog.records if each.getMessage() == "reference.retried"]
    assert record.levelno == logging.INFO
    assert record.exc_info is None
    assert not [each for each in caplog.records if each.exc_info]
    assert PROMPT.strip() not in caplog.text


def test_a_second_such_answer_is_raised() -> None:
    world = World()
    world.link()
    world.simulator.set_reference(world.db_id)
    world.simulator.switches.reference_delete_errors = 5
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.generate_reference(LENA, prompt=PROMPT)
    assert caught.value.code == ErrorCode.ALREADY_HAS_REFERENCE
    assert world.counts == (2, 1, 0, 0)
    assert world.images() == []
    (operation,) = world.operations()
    assert operation.state == OperationState.FAILED
    assert world.ledger.unfinished() == ()


def test_a_server_error_is_raised_without_record_and_without_retry() -> None:
    world = World()
    world.link()
    world.simulator.switches.generation_errors = 1
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.generate_reference(LENA, prompt=PROMPT)
    assert caught.value.status_code == 500
    assert world.counts == (1, 0, 0, 0)
    assert world.images() == []
    (operation,) = world.operations()
    assert operation.state == OperationState.FAILED
    assert operation.error
    assert PROMPT.strip() not in operation.error


def test_a_lost_answer_is_not_posted_again_and_stays_for_recovery() -> None:
    world = World()
    world.link()
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError) as caught:
        world.service.generate_reference(LENA, prompt=PROMPT)
    assert caught.value.outcome_unknown
    assert world.counts == (1, 0, 0, 0)
    (operation,) = world.operations()
    assert operation.state == OperationState.POSTING
    assert operation.prompt == PROMPT


def test_a_lost_answer_of_the_retry_stays_for_recovery_too() -> None:
    world = World()
    world.link()
    world.simulator.set_reference(world.db_id)
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt=PROMPT)
    assert world.counts == (2, 1, 0, 0)
    (operation,) = world.operations()
    assert operation.state == OperationState.POSTING


def test_a_failed_download_leaves_a_failed_record_that_can_be_retried() -> None:
    world = World()
    world.link()
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_reference(LENA, prompt=PROMPT)
    (failed,) = world.images()
    assert caught.value.image_id == failed.id
    assert failed.status == "failed"
    assert str(caught.value) == (
        f"{failed.error} It is paid for, and kept as the failed image {failed.id}: "
        "retry_ingestion() repeats its download and draws nothing."
    )
    assert failed.source_url
    assert failed.prompt == PROMPT
    result = world.service.retry_ingestion(LENA, failed.id)
    (image,) = world.images()
    assert image == result.image
    assert world.identity(image) == world.identity(failed)
    assert (image.status, image.error) == ("succeeded", None)
    assert image.metrics.master_since == failed.metrics.master_since
    assert image.created_at == failed.created_at
    assert world.counts == (1, 0, 0, 0)
    world.check()


def test_progress_and_hooks_tell_of_start_and_end() -> None:
    world = World()
    world.link()
    result = world.service.generate_reference(
        LENA, prompt=PROMPT, on_progress=world.progress.append
    )
    assert [type(event) for event in world.progress] == [
        OperationStarted,
        ImageStored,
        OperationFinished,
    ]
    started, finished = world.told
    assert isinstance(started, OperationStarted)
    assert isinstance(finished, OperationFinished)
    assert finished.operation_id == started.operation_id == result.operation_id
    assert (finished.stored, finished.failed, finished.removed) == (1, 0, 0)
    assert finished.duration_ms > 0
    assert result.duration_ms > 0
    stored = world.progress[1]
    assert (stored.done, stored.total, stored.image) == (1, 1, result.image)


def test_hooks_tell_of_a_failure_without_the_prompt() -> None:
    world = World()
    world.link()
    world.simulator.switches.generation_errors = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt=PROMPT)
    _, failed = world.told
    assert isinstance(failed, OperationFailed)
    assert failed.code == ErrorCode.UPSTREAM_MODEL
    assert PROMPT.strip() not in failed.error


def test_a_listener_that_raises_disturbs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: object, /) -> None:
        raise ZeroDivisionError

    world = World(hooks=(broken,))
    world.link()
    world.service.generate_reference(LENA, prompt=PROMPT, on_progress=broken)
    assert len(world.images()) == 1
    assert "listener.failed" in caplog.text


def test_a_store_that_fails_in_the_middle_of_the_removal_leaves_it_open() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt=PROMPT)

    def broken(image_id: str, /) -> bool:
        raise OSError("secret detail")

    world.metadata.delete = broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="secret detail"):
        world.service.generate_reference(LENA, prompt="two")
    (operation, _) = world.operations()
    assert operation.state == OperationState.STARTED
    assert operation.error == "OSError"
    assert operation.doomed, "what was half removed is still written down"
    assert world.told[-1].error == "OSError"
    assert world.counts == (1, 0, 0, 0)


def test_a_ledger_that_cannot_write_the_failure_does_not_hide_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world = World()
    world.link()
    world.simulator.switches.down = True
    write = world.ledger.write
    calls = []

    def once(*args: object, **options: object) -> None:
        calls.append(args)
        if len(calls) > 1:
            raise StorageError("full")
        write(*args, **options)  # type: ignore[arg-type]

    world.ledger.write = once  # type: ignore[method-assign]
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt=PROMPT)
    assert "operation.unwritten" in caplog.text
