"""The JSON of ``/v1`` as pydantic models, for a host's OpenAPI. Answers are not made by them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = [
    "DeleteAnswer",
    "DeleteManyAnswer",
    "Failure",
    "GenerationAnswer",
    "IdsBody",
    "ImageAnswer",
    "ImagesAnswer",
    "OperationAnswer",
    "OperationsAnswer",
    "PortfolioAnswer",
    "PortfolioBody",
    "ReferenceBody",
    "SceneBody",
    "SuggestionAnswer",
]

_OPERATION = "01a212394ef375cd53c037737ec25db3"
_IMAGE = f"{_OPERATION}-000"
_TIME = "2026-11-25T10:21:15.513Z"
_PROMPT = "Photorealistic master reference photograph of Mara Voss. Age: 34. Hair: auburn."


_Filled = Annotated[str, Field(min_length=1)]
"""And not blank, which no pattern says that every engine reads alike: answered with 400."""


class _Json(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class CharacterMedia(_Json):
    """A stored file."""

    id: str
    key: str
    filename: str
    mime_type: str
    filesize: int = Field(description="In bytes.")
    width: int | None
    height: int | None
    sha256: str | None
    alt: str
    url: str | None
    thumbnail_url: str | None = Field(alias="thumbnailURL")


class CameraShot(_Json):
    """The view that an image of a 360° set shows; what is not known is null."""

    name: str
    slug: str | None
    lens_mm: float | None
    crop: str | None
    expression: str | None
    camera_azimuth_deg: float | None
    camera_elevation_deg: float | None
    camera_distance_m: float | None
    sort_order: int | None


class SceneDetails(_Json):
    """What a scene was asked for with, beside its text."""

    type: str | None
    mood: str | None
    lighting: str | None


class ImageMetrics(_Json):
    """How long an image took, and what came of it."""

    generation_ms: float | None
    download_ms: float | None
    inspection_ms: float | None
    storing_ms: float | None
    bytes: int | None
    sha256: str | None
    width: int | None
    height: int | None
    shot: CameraShot | None
    scene: SceneDetails | None
    master_since: datetime | None = Field(
        description="Since when it is a reference; the latest is the current one."
    )


class CharacterImage(_Json):
    """One image."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": _IMAGE,
                "key": _IMAGE,
                "characterReference": "mara",
                "kind": "reference",
                "status": "succeeded",
                "media": {
                    "id": _IMAGE,
                    "key": _IMAGE,
                    "filename": f"reference-{_IMAGE}.jpg",
                    "mimeType": "image/jpeg",
                    "filesize": 10671,
                    "width": 384,
                    "height": 512,
                    "sha256": "cdd174a2c227b5be32f0abda52dfb65d027dcd331130eb8b0bfe68b11888f8f6",
                    "alt": "Reference image of Mara Voss",
                    "url": f"/media/db/{_IMAGE}/reference-{_IMAGE}.jpg",
                    "thumbnailURL": f"/media/db/{_IMAGE}/thumbnail.webp",
                },
                "provider": "character-library",
                "prompt": _PROMPT,
                "sourceUrl": "https://library.example/media/mara_initial_0.jpg",
                "externalId": "9328a9dc66caf8eb870451eb",
                "error": None,
                "metrics": {
                    "generationMs": 8120.0,
                    "downloadMs": 310.4,
                    "inspectionMs": 41.2,
                    "storingMs": 3.1,
                    "bytes": 10671,
                    "sha256": "cdd174a2c227b5be32f0abda52dfb65d027dcd331130eb8b0bfe68b11888f8f6",
                    "width": 384,
                    "height": 512,
                    "shot": None,
                    "scene": None,
                    "masterSince": _TIME,
                },
                "createdBy": "ada",
                "createdAt": _TIME,
                "updatedAt": _TIME,
            }
        }
    )

    id: str
    key: str
    character_reference: str
    kind: str = Field(description="reference, portfolioItem, scene, or another one later.")
    status: str = Field(description="succeeded or failed.")
    media: CharacterMedia | None
    provider: str
    prompt: str
    source_url: str | None
    external_id: str | None
    error: str | None
    metrics: ImageMetrics
    created_by: str | None
    created_at: datetime
    updated_at: datetime


class OperationWarning(_Json):
    """Something that did not stop the operation."""

    code: str
    message: str


class ImageCharacter(_Json):
    """Whose images they are."""

    id: str
    name: str
    library_db_id: str | None
    library_character_id: str | None


class GenerationData(_Json):
    """What was done for one image."""

    operation_id: str
    prompt: str
    removed: int = Field(description="Earlier images that were deleted.")
    retried: bool = Field(description="Whether an earlier reference had to be deleted remotely.")
    duration_ms: float


class PortfolioData(_Json):
    """What was done for a 360° set."""

    operation_id: str
    job_id: str | None
    reference_id: str | None
    duration_ms: float


class DeleteData(_Json):
    """What was deleted."""

    operation_id: str
    removed: int
    remote_deleted: bool | None = Field(description="Null when that was not due.")
    duration_ms: float


class _Answer(_Json):
    success: Literal[True]


class GenerationAnswer(_Answer):
    """One image was made."""

    data: GenerationData
    image: CharacterImage
    warnings: list[OperationWarning]


class PortfolioAnswer(_Answer):
    """A 360° set was made; shots that failed are told beside the others."""

    data: PortfolioData
    images: list[CharacterImage]
    failures: list[CharacterImage]
    warnings: list[OperationWarning]


class ImageAnswer(_Answer):
    """One image."""

    image: CharacterImage


class ImagesAnswer(_Answer):
    """One page of images, newest first."""

    count: int = Field(description="How many match in all.")
    images: list[CharacterImage]
    next_cursor: str | None
    character: ImageCharacter


class DeleteAnswer(_Answer):
    """An image is gone."""

    data: DeleteData
    warnings: list[OperationWarning]


class DeleteFailure(_Json):
    """An image that is still there."""

    id: str
    code: str
    error: str


class DeleteManyAnswer(_Answer):
    """What became of each image."""

    removed: list[str]
    failures: list[DeleteFailure]
    warnings: list[OperationWarning]


class SuggestionAnswer(_Answer):
    """A prompt made of what is known of the character."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "success": True,
                "prompt": _PROMPT,
                "template": "photoreal-master/1",
                "facts": {"name": "Mara Voss", "age": "34", "hair": "auburn"},
                "reason": None,
            }
        }
    )

    prompt: str
    template: str
    facts: dict[str, str]
    reason: str | None = Field(description="Why the template was taken instead of a model's text.")


class OperationProgress(_Json):
    """How far an operation has come."""

    current: int
    total: int
    task: str | None
    shot: str | None


class OperationItem(_Json):
    """One image of an operation."""

    key: str
    index: int
    state: str = Field(description="pending, stored or failed.")
    prompt: str
    shot: CameraShot | None
    error: str | None
    image_id: str | None


class ImageOperation(_Json):
    """A running or a past operation."""

    id: str
    kind: str
    character_reference: str
    state: str = Field(description="started, posting, received, done, failed or unknown.")
    running: bool
    prompt: str
    options: dict[str, Any]
    created_by: str | None
    job_id: str | None
    error: str | None
    stored: int
    failed: int
    removed: int
    progress: OperationProgress | None
    items: list[OperationItem]
    created_at: datetime
    updated_at: datetime


class OperationsAnswer(_Answer):
    """One page of operations, newest first."""

    operations: list[ImageOperation]
    next_cursor: str | None


class OperationAnswer(_Answer):
    """One operation."""

    operation: ImageOperation


class Failure(_Json):
    """What went wrong."""

    success: Literal[False]
    error: str = Field(description="For people.")
    code: str = Field(description="For machines; further ones may come.")
    status: int
    image_id: str | None = None
    operation_id: str | None = None
    request_id: str | None = None
    retry_after: int | None = Field(default=None, description="In seconds.")
    outcome_unknown: bool | None = Field(
        default=None, description="Whether the Character Library may have made an image."
    )
    recoverable: bool | None = Field(
        default=None, description="Whether recovery brings in what was paid for."
    )


class ReferenceBody(_Json):
    """What to draw."""

    model_config = ConfigDict(json_schema_extra={"example": {"prompt": _PROMPT}})

    prompt: _Filled | None = Field(
        default=None, description="Without one, the suggestion is taken."
    )
    policy: Literal["delete-all", "delete-after-success", "keep-history"] | None = Field(
        default=None, description="What becomes of earlier images; delete-all by default."
    )


class PortfolioBody(_Json):
    """From which reference."""

    model_config = ConfigDict(json_schema_extra={"example": {}})

    reference_id: str | None = Field(
        default=None, description="An image's id; by default the current reference."
    )


class SceneBody(_Json):
    """What happens in the scene."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "sceneContext": "At the window of a night train, watching the rain.",
                "sceneType": "emotional",
                "mood": "wistful",
                "lighting": "passing street lamps",
            }
        }
    )

    scene_context: _Filled = Field(
        description="What happens. The older name of this field, prompt, is taken as well."
    )
    scene_type: Literal["dialogue", "action", "emotional", "establishing"] | None = None
    mood: str | None = None
    lighting: str | None = None
    environment: str | None = None
    additional_characters: list[str] | None = None


class IdsBody(_Json):
    """Which images."""

    model_config = ConfigDict(json_schema_extra={"example": {"ids": [_IMAGE]}})

    ids: list[Annotated[str, Field(min_length=1)]] = Field(min_length=1, max_length=500)
