"""Initial image, reference image and scene image of one character."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve

from .characters import parse_object
from .drawing import draw
from .exchange import SimulatedRequest, SimulatedResponse, json_response
from .state import Character, MediaFile, State, milliseconds, now_text
from .switches import Switches

__all__ = [
    "draw_reference",
    "draw_scene",
    "drawn",
    "initial_image",
    "reference_image",
    "scene_image",
    "when_drawn",
]

SCENE_TYPES = ("dialogue", "action", "emotional", "establishing")
_RESET_FIELDS = [
    "masterReferenceImage",
    "masterReferenceProcessed",
    "masterReferenceQuality",
    "coreSetGenerated",
    "coreSetGeneratedAt",
    "coreSetQuality",
    "imageGallery",
    "enhancedQualityMetrics",
    "lastConsistencyValidation",
    "consistencyValidationSummary",
    "sceneContexts.generatedImages",
]


def _error(status: int, error: str, **more: Any) -> SimulatedResponse:
    return json_response(status, {"success": False, "error": error, **more})


def _form(media_id: str, switches: Switches) -> str:
    """Return the encoding of a file; with lying names, one in three is WebP called JPEG."""
    return "WEBP" if switches.misnamed_files and int(media_id[-1], 16) % 3 == 0 else "JPEG"


def drawn(
    state: State,
    switches: Switches,
    stem: str,
    alt: str,
    *,
    prompt: str,
    subject: str,
    caption: str,
    setting: str = "",
    number: int = 1,
    **fields: Any,
) -> MediaFile:
    """Draw an image, which lies nowhere yet.

    Args:
        state: What the server holds.
        switches: Its failures.
        stem: The beginning of its file's name.
        alt: The beginning of its alternative text.
        prompt: What was asked for.
        subject: The prompt that decides the looks of the figure.
        caption: Written below.
        setting: Decides the backdrop.
        number: Which one of those that one request draws, from 1.
        **fields: Further fields of the file.
    """
    media_id = state.new_id()
    drawing = draw(subject, caption, None, _form(media_id, switches), setting, switches.width)
    created = now_text(switches.clock_offset + number * switches.generation_seconds)
    name = state.name(stem, created, ".jpg")
    return MediaFile(
        id=media_id,
        name=name,
        data=drawing.data,
        mime_type="image/jpeg",
        width=drawing.width,
        height=drawing.height,
        alt=f"{alt}: {name}",
        created=created,
        prompt=prompt,
        subject=subject,
        **fields,
    )


def draw_reference(
    state: State, switches: Switches, character: Character, prompt: str
) -> MediaFile:
    """Draw a master reference, which is none yet and lies nowhere yet."""
    return drawn(
        state,
        switches,
        f"{character.id}_initial",
        "Initial character reference image",
        prompt=prompt,
        subject=prompt,
        caption="Reference",
        consistency=100,
    )


def draw_scene(
    state: State,
    switches: Switches,
    character: Character,
    context: str,
    scene_type: str,
    mood: str | None = None,
) -> MediaFile:
    """Draw a scene, which lies nowhere yet."""
    return drawn(
        state,
        switches,
        f"{character.id}_scene_{scene_type}",
        "Generated scene image",
        prompt=context,
        subject=state.media[character.reference or ""].subject,
        caption=f"Scene: {scene_type}",
        setting=context,
        shot_type=f"scene_{scene_type}",
        tags=f"scene,{scene_type},{mood or 'neutral'}",
        quality=85,
        consistency=90,
    )


def when_drawn(
    state: State,
    switches: Switches,
    now: float,
    effects: Sequence[Callable[[], object]],
    answer: SimulatedResponse,
) -> SimulatedResponse:
    """Show images once they are drawn, one by one, which a client that gave up does not see."""
    for number, effect in enumerate(effects, 1):
        if switches.generation_seconds == 0:
            effect()
        else:
            state.later(now + number * switches.generation_seconds, effect)
    return evolve(answer, seconds=len(effects) * switches.generation_seconds)


def initial_image(
    state: State,
    switches: Switches,
    base: str,
    request: SimulatedRequest,
    db_id: str,
    now: float,
) -> SimulatedResponse:
    """``POST …/generate-initial-image``."""
    if request.method != "POST":
        return SimulatedResponse(status=405)
    internal = "Internal server error during image generation"
    try:
        prompt = parse_object(request.body).get("prompt")
    except ValueError as error:
        return _error(500, internal, details=str(error))
    if not prompt:
        return _error(400, "Prompt is required")
    character = state.characters.get(db_id)
    if character is None:
        return _error(500, internal, details="Not Found")
    if character.reference is not None:
        return _error(
            400,
            "Character already has a master reference image. Use the generate-image endpoint for "
            "additional images.",
        )
    if not isinstance(prompt, str):
        return _error(500, "Image generation failed", details="a.substring is not a function")
    if switches.take("generation_errors"):
        return _error(500, "Image generation failed", details=switches.generation_error)
    if switches.take("upload_errors"):
        return _error(
            500,
            "Failed to upload generated image",
            details="There was a problem while uploading the file.",
        )
    media = draw_reference(state, switches, character, prompt)
    if switches.take("processing_errors"):
        # Its media document stays, and no gallery shows it.
        state.keep(evolve(media, reading="error"))
        return _error(
            500,
            "Failed to process image with DINOv3",
            details="Image was uploaded but DINOv3 processing failed",
        )
    url = f"{base}/media/{media.name}"
    if switches.odd_public_urls:
        url = f"{base}/api/media/file/{media.name.rpartition('.')[0]}"
    answer: dict[str, Any] = {"success": True, "imageId": media.id, "imageUrl": url}
    if not switches.flat_initial_image:
        answer = {
            "success": True,
            "message": "Initial character image generated successfully",
            "data": {
                "characterId": character.id,
                "characterName": character.fields["name"],
                "imageId": media.id,
                "dinoAssetId": f"dino-{media.id}",
                "publicUrl": url,
            },
        }

    def effect() -> None:
        state.keep(media)
        character.reference = media.id

    return when_drawn(state, switches, now, [effect], json_response(200, answer))


def reference_image(
    state: State, switches: Switches, base: str, request: SimulatedRequest, db_id: str
) -> SimulatedResponse:
    """``GET``, ``PUT`` and ``DELETE …/reference-image``."""
    if request.method not in ("GET", "PUT", "DELETE"):
        return SimulatedResponse(status=405)
    character = state.characters.get(db_id)
    if character is None:
        return _error(500, "Not Found", updated=False)
    if request.method == "DELETE":
        if switches.take("reference_delete_errors"):
            return _error(500, "Failed to delete the reference image", updated=False)
        character.reference = None
        character.gallery.clear()
        return json_response(
            200,
            {
                "success": True,
                "updated": True,
                "message": "Master reference image and all derived content deleted successfully. "
                "Character reset to base state.",
                "resetFields": _RESET_FIELDS,
            },
        )
    answer: dict[str, Any] = {"success": True, "updated": True}
    if request.method == "PUT":
        try:
            given = parse_object(request.body)
        except ValueError as error:
            return _error(500, str(error), updated=False)
        media_id, url = given.get("mediaId"), given.get("imageUrl")
        if not media_id and not url:
            return _error(400, "Either imageUrl or mediaId is required", updated=False)
        if not media_id:
            # Accepted, and not stored.
            return json_response(200, {**answer, "imageUrl": url})
        if not isinstance(media_id, str) or media_id not in state.media:
            return _error(500, "Not Found", updated=False)
        character.reference = media_id
    media = state.media.get(character.reference or "")
    if media is not None:
        answer |= {"imageUrl": f"{base}/media/{media.name}", "mediaId": media.id}
    return json_response(200, answer)


def scene_image(
    state: State,
    switches: Switches,
    base: str,
    request: SimulatedRequest,
    db_id: str,
    now: float,
) -> SimulatedResponse:
    """``POST …/generate-scene-image``."""
    if request.method != "POST":
        return SimulatedResponse(status=405)
    try:
        given = parse_object(request.body)
    except ValueError as error:
        return _error(500, str(error))
    context, scene_type = given.get("sceneContext"), given.get("sceneType")
    if not isinstance(context, str):
        # The server logs the beginning of the context before it checks anything.
        return _error(500, "Cannot read properties of undefined (reading 'substring')")
    if not context.strip():
        return _error(400, "sceneContext is required")
    if not scene_type:
        return _error(400, "sceneType is required")
    character = state.characters.get(db_id)
    if character is None:
        return _error(500, "Not Found")
    if character.reference is None:
        return _error(400, "No reference image available for character consistency")
    if switches.take("generation_errors"):
        return _error(500, switches.generation_error)
    if switches.take("upload_errors"):
        return _error(500, "Failed to upload generated image")
    mood = given.get("mood")
    media = draw_scene(
        state,
        switches,
        character,
        context,
        str(scene_type),
        mood if isinstance(mood, str) else None,
    )
    if scene_type not in SCENE_TYPES:
        # Drawn and paid for, and then refused.
        state.keep(media)
        shown_before = [state.media[each] for each in character.gallery]
        scenes = sum(each.shot_type.startswith("scene_") for each in shown_before)
        return _error(
            500,
            "The following field is invalid: Novel Movie Integration > Scene Contexts "
            f"{scenes + 1} > Scene Type",
        )
    answer = {
        "success": True,
        "imageUrl": f"{base}/media/{media.name}",
        "mediaId": media.id,
        "sceneContext": {
            "sceneId": f"scene_{milliseconds(media.created)}",
            "sceneType": scene_type,
            "generatedAt": media.created,
            "qualityScore": 85,
        },
    }

    shown = list(character.gallery)

    def effect() -> None:
        state.keep(media)
        # The server writes back what it had read before it drew: the last to finish wins.
        character.gallery = [*shown, media.id]

    return when_drawn(state, switches, now, [effect], json_response(200, answer))
