"""Scene images."""

from __future__ import annotations

import pytest

from charimg import (
    CharacterLibraryError,
    ErrorCode,
    IngestionError,
    InvalidArgument,
    InvalidPrompt,
    OperationState,
    SceneDetails,
)

from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio


async def ready() -> AsyncWorld:
    world = AsyncWorld()
    await world.link()
    await world.service.generate_reference(LENA, prompt="the master prompt")
    return world


async def test_the_scene_context_is_the_prompt() -> None:
    world = await ready()
    result = await world.service.generate_scene(LENA, " She waits in the rain. ")
    assert result.image.kind == "scene"
    assert result.image.prompt == " She waits in the rain. "
    (posted,) = world.simulator.posts("generate-scene-image")
    assert posted["sceneContext"] == " She waits in the rain. "
    assert posted["sceneType"] == "dialogue"
    assert (await world.images())[0] == result.image
    assert world.counts == (1, 0, 0, 1)
    await world.check()


async def test_all_options_reach_the_server_and_the_record() -> None:
    world = await ready()
    result = await world.service.generate_scene(
        LENA,
        "She waits.",
        scene_type="action",
        mood="tense",
        lighting="low key",
        environment="harbour",
        additional_characters=["Max"],
    )
    (posted,) = world.simulator.posts("generate-scene-image")
    assert posted == {
        "sceneContext": "She waits.",
        "sceneType": "action",
        "mood": "tense",
        "lightingStyle": "low key",
        "environmentContext": "harbour",
        "additionalCharacters": ["Max"],
    }
    scene = SceneDetails(type="action", mood="tense", lighting="low key")
    assert result.image.metrics.scene == scene
    assert (await world.images())[0].metrics.scene == scene


async def test_what_the_server_would_be_paid_for_in_vain_is_refused_first() -> None:
    world = await ready()
    with pytest.raises(InvalidArgument, match="dialogue"):
        await world.service.generate_scene(LENA, "She waits.", scene_type="musical")
    with pytest.raises(InvalidPrompt):
        await world.service.generate_scene(LENA, "  ")
    assert world.counts == (1, 0, 0, 0)


async def test_without_a_reference_the_server_says_so() -> None:
    world = AsyncWorld()
    await world.link()
    with pytest.raises(CharacterLibraryError) as caught:
        await world.service.generate_scene(LENA, "She waits.")
    assert caught.value.code == ErrorCode.NO_REFERENCE
    (operation,) = await world.operations()
    assert operation.state == OperationState.FAILED


async def test_a_failed_download_can_be_retried() -> None:
    world = await ready()
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError) as caught:
        await world.service.generate_scene(LENA, "She waits.")
    result = await world.service.retry_ingestion(LENA, caught.value.image_id or "")
    assert result.image.kind == "scene"
    assert world.counts == (1, 0, 0, 1)
    await world.check()
