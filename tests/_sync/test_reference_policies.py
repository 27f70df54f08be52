# Generated from tests/_async/test_reference_policies.py by tools/unasync.py. Do not edit.
"""What a new reference does to the images that were there before."""

from __future__ import annotations

import pytest

from charimg import CharacterLibraryError, IngestionError, InvalidArgument, ReferencePolicy

from .world import LENA, World


def test_delete_after_success_keeps_the_old_images_until_the_new_one_is_stored() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.generation_errors = 1
    after_success = ReferencePolicy.DELETE_AFTER_SUCCESS
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt="two", policy=after_success)
    assert [image.prompt for image in world.images()] == ["one"]
    result = world.service.generate_reference(LENA, prompt="three", policy=after_success)
    assert result.removed == 1
    assert [image.prompt for image in world.images()] == ["three"]
    world.check()


def test_delete_after_success_keeps_the_old_images_when_the_download_fails() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError):
        world.service.generate_reference(
            LENA, prompt="two", policy=ReferencePolicy.DELETE_AFTER_SUCCESS
        )
    assert [(image.prompt, image.status) for image in world.images()] == [
        ("two", "failed"),
        ("one", "succeeded"),
    ]
    world.check()


def test_delete_after_success_is_carried_out_by_the_retry_of_the_download() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        world.service.generate_reference(
            LENA, prompt="two", policy=ReferencePolicy.DELETE_AFTER_SUCCESS
        )
    world.service.generate_scene(LENA, "She waits.")
    result = world.service.retry_ingestion(LENA, str(caught.value.image_id))
    assert result.removed == 1
    assert [image.prompt for image in world.images()] == ["She waits.", "two"]
    world.check()


def test_what_an_earlier_operation_left_goes_with_the_others_after_success() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt="one")
    world.simulator.switches.lost_answers = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_scene(LENA, "She waits.")
    result = world.service.generate_reference(
        LENA, prompt="two", policy=ReferencePolicy.DELETE_AFTER_SUCCESS
    )
    assert result.removed == 2
    assert [image.prompt for image in world.images()] == ["two"]
    world.check()


def test_keep_history_keeps_everything() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt="one")
    result = world.service.generate_reference(
        LENA, prompt="two", policy=ReferencePolicy.KEEP_HISTORY
    )
    assert result.removed == 0
    assert [image.prompt for image in world.images()] == ["two", "one"]
    assert world.counts == (2, 1, 0, 0)
    world.check()


def test_a_policy_may_be_given_as_its_value_and_another_is_refused() -> None:
    world = World()
    world.link()
    world.service.generate_reference(LENA, prompt="one")
    world.service.generate_reference(LENA, prompt="two", policy="keep-history")
    assert len(world.images()) == 2
    with pytest.raises(InvalidArgument, match="keep-history"):
        world.service.generate_reference(LENA, prompt="three", policy="keep")
    assert len(world.images()) == 2
