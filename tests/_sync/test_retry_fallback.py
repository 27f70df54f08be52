# Generated from tests/_async/test_retry_fallback.py by tools/unasync.py. Do not edit.
"""Images that could not be brought in at first: other sources, retries, and what they replace."""

from __future__ import annotations

from typing import Any

import pytest

from charimg import (
    DownloadError,
    ErrorCode,
    IngestionError,
    ReferencePolicy,
)

from .mishaps import INITIAL, STATUS, Crash, Rigged, break_once, outcomes, prompts, rigged, settled
from .world import LENA, World

AFTER_SUCCESS = ReferencePolicy.DELETE_AFTER_SUCCESS


def test_a_dead_url_is_replaced_by_what_the_library_says_of_the_media_id() -> None:
    world, simulator = rigged()
    world.service.generate_reference(LENA, prompt="one")
    simulator.switches.gallery_lacks = 1
    simulator.switches.media_errors = 1
    result = world.service.generate_portfolio(LENA)
    assert (len(result.images), result.failures) == (2, ())
    assert [warning.code for warning in result.warnings] == [ErrorCode.NOT_FOUND]
    assert all(".invalid" not in (image.source_url or "") for image in result.images)
    settled(world)


def test_a_retry_asks_by_the_media_id_when_the_url_is_dead() -> None:
    world, simulator = rigged()
    world.service.generate_reference(LENA, prompt="one")
    simulator.switches.gallery_lacks = 1
    simulator.switches.media_errors = 2
    (failed,) = (world.service.generate_portfolio(LENA)).failures
    assert ".invalid" in (failed.source_url or "")
    image = (world.service.retry_ingestion(LENA, failed.id)).image
    assert world.identity(image) == world.identity(failed)
    assert (image.status, image.error) == ("succeeded", None)
    assert image.external_id is not None
    media = world.service.library.get_media(image.external_id)
    assert image.source_url == media.url
    settled(world)


def test_a_source_that_both_ways_lead_to_is_tried_once() -> None:
    world, simulator = rigged()
    simulator.switches.file_errors = 9
    with pytest.raises(DownloadError) as caught:
        world.service.generate_reference(LENA, prompt="one")
    assert caught.value.code == ErrorCode.BAD_STATUS
    assert simulator.switches.file_errors == 8
    (image,) = world.images()
    assert (image.id, image.status) == (caught.value.image_id, "failed")


def failed_replacement() -> tuple[World, Rigged, str, str]:
    """Return a world where "two" is to replace "one" after success, and its download failed."""
    world, simulator = rigged()
    one = (world.service.generate_reference(LENA, prompt="one")).image
    simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_reference(LENA, prompt="two", policy=AFTER_SUCCESS)
    assert prompts(world) == ["two", "one"]
    assert caught.value.image_id is not None
    return world, simulator, one.id, caught.value.image_id


def test_a_retry_removes_what_its_reference_replaces() -> None:
    world, _, _, two = failed_replacement()
    result = world.service.retry_ingestion(LENA, two)
    assert result.removed == 1
    assert prompts(world) == ["two"]
    settled(world)


def test_a_retry_does_not_remove_the_master_that_was_restored_meanwhile() -> None:
    world, simulator, one, two = failed_replacement()
    world.service.restore_reference(LENA, one)
    result = world.service.retry_ingestion(LENA, two)
    assert result.removed == 0
    images = world.images()
    assert [(image.prompt, image.status) for image in images] == [
        ("two", "succeeded"),
        ("one", "succeeded"),
    ]
    assert simulator.reference_of(world.db_id) == images[1].external_id
    settled(world)


def test_a_retry_does_not_remove_what_came_after_its_generation() -> None:
    world, _, _, two = failed_replacement()
    world.service.generate_scene(LENA, "three")
    assert (world.service.retry_ingestion(LENA, two)).removed == 1
    assert prompts(world) == ["three", "two"]
    settled(world)


@pytest.mark.parametrize(
    ("port", "method", "nth", "after"),
    [
        ("media", "save", 1, True),
        ("metadata", "makes good", 1, False),
        ("metadata", "makes good", 1, True),
        ("ledger", "write", 3, False),
        ("ledger", "write", 3, True),
        ("metadata", "delete", 1, False),
        ("metadata", "delete", 1, True),
        ("media", "delete", 1, True),
    ],
)
def test_a_retry_that_was_cut_off_still_removes_what_it_replaces(
    port: str, method: str, nth: int, after: bool
) -> None:
    world, simulator, _, two = failed_replacement()
    failed = world.service.get_image(LENA, two)
    if method == "makes good":
        method = world.makes_good
    break_once(getattr(world, port), method, nth, after=after)
    with pytest.raises(Crash):
        world.service.retry_ingestion(LENA, two)
    assert outcomes(world.service.recover()) == ["completed"]
    (image,) = world.images()
    assert (world.identity(image), image.status) == (world.identity(failed), "succeeded")
    assert simulator.reference_of(world.db_id) == image.external_id
    assert (world.service.recover()).operations == ()
    settled(world)


def test_a_failed_record_that_a_crash_left_is_made_good() -> None:
    world, simulator = rigged()
    simulator.switches.file_errors = 1
    break_once(world.metadata, "add", after=True)
    with pytest.raises(Crash):
        world.service.generate_reference(LENA, prompt="one")
    (failed,) = world.images()
    assert failed.status == "failed"
    report = world.service.recover()
    assert outcomes(report) == ["completed"]
    assert report.operations[0].images == (failed.id,)
    (image,) = world.images()
    assert (image.id, image.status, image.error) == (failed.id, "succeeded", None)
    assert image.created_at == failed.created_at
    settled(world)
    world.service.delete_image(LENA, image.id)
    assert world.stores.keys() == set()


def test_a_failed_record_that_a_crash_left_may_fail_again() -> None:
    world, simulator = rigged()
    simulator.switches.file_errors = 2
    break_once(world.metadata, "add", after=True)
    with pytest.raises(Crash):
        world.service.generate_reference(LENA, prompt="one")
    (failed,) = world.images()
    report = world.service.recover()
    assert outcomes(report) == ["completed"]
    assert "1 failed" in report.operations[0].message
    assert world.images() == [failed]
    settled(world)


def test_an_odd_media_id_does_not_block_the_character() -> None:
    world, simulator = rigged()

    def odd(answer: Any) -> Any:
        data = {**answer["data"], "imageId": "asset-77", "imageUrl": None, "publicUrl": None}
        return {**answer, "data": data, "imageUrl": None, "publicUrl": None}

    simulator.answer(INITIAL, odd)
    with pytest.raises(DownloadError) as caught:
        world.service.generate_reference(LENA, prompt="one")
    assert (caught.value.code, caught.value.retryable) == (ErrorCode.NO_SOURCE, False)
    assert "asset-77" in str(caught.value)
    (failed,) = world.images()
    assert (failed.status, failed.external_id) == ("failed", "asset-77")
    assert (world.service.recover()).operations == ()
    del simulator.odd[INITIAL]
    world.service.generate_reference(LENA, prompt="two")
    assert prompts(world) == ["two"]
    settled(world)


def test_an_odd_media_id_in_a_set_costs_that_shot_alone() -> None:
    world, simulator = rigged()
    world.service.generate_reference(LENA, prompt="one")

    def odd(job: Any) -> Any:
        if job.get("results"):
            job["results"]["generatedImages"][0]["mediaId"] = "m-1"
        return job

    simulator.answer(STATUS, odd)
    result = world.service.generate_portfolio(LENA)
    assert len(result.images) == 1
    (failed,) = result.failures
    assert (failed.external_id, failed.status) == ("m-1", "failed")
    assert [warning.code for warning in result.warnings] == [ErrorCode.INVALID_RESPONSE]
    assert (world.service.recover()).operations == ()
    settled(world)
