"""The JSON of ``/v1`` as pydantic models, for a host's OpenAPI. Answers are not made by them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

__all__ = [
    "IMAGE",
    "PROMPT",
    "CandidatesAnswer",
    "DeleteAnswer",
    "DeleteManyAnswer",
    "Failure",
    "GenerationAnswer",
    "ImageAnswer",
    "ImagesAnswer",
    "Json",
    "OperationAnswer",
    "OperationsAnswer",
    "PortfolioAnswer",
    "SettledAnswer",
    "SuggestionAnswer",
]

_OPERATION = "01a212394ef375cd53c037737ec25db3"
IMAGE = f"{_OPERATION}-000"
_TIME = "2026-11-25T10:21:15.513Z"
PROMPT = "Photorealistic master reference photograph of Mara Voss. Age: 34. Hair: auburn."


class Json(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class CharacterMedia(Json):
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


class CameraShot(Json):
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


class SceneDetails(Json):
    """What a scene was asked for with, beside its text."""

    type: str | None
    mood: str | None
    lighting: str | None


class Provenance(Json):
    """What a stored file says of where it comes from, as found: nobody has proved it."""

    digital_source_type: str | None = Field(
        description="The IPTC term: of its XMP, else of its content credentials."
    )
    tool: str | None = Field(description="The program that its XMP names.")
    credentials: bool = Field(description="Whether there are content credentials (C2PA).")
    generator: str | None = Field(description="Whose parameters there are: a1111 or comfyui.")
    marked: str | None = Field(description="What charimg has added: label or sign.")


class ImageMetrics(Json):
    """How long an image took, and what came of it."""

    generation_ms: float | None
    download_ms: float | None
    inspection_ms: float | None
    storing_ms: float | None
    bytes: int | None
    sha256: str | None
    source_sha256: str | None = Field(description="Of what the server sent.")
    cleaned: list[str] = Field(
        description="What was left out of that, because it was no part of the image."
    )
    provenance: Provenance | None
    width: int | None
    height: int | None
    shot: CameraShot | None
    scene: SceneDetails | None
    prompt_origin: str | None = Field(
        description="reference: the prompt is that of the reference from which the set was drawn."
    )
    master_since: datetime | None = Field(
        description="Since when it is a reference; the latest is the current one."
    )


class CharacterImage(Json):
    """One image."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": IMAGE,
                "key": IMAGE,
                "characterReference": "mara",
                "kind": "reference",
                "status": "succeeded",
                "media": {
                    "id": IMAGE,
                    "key": IMAGE,
                    "filename": f"reference-{IMAGE}.jpg",
                    "mimeType": "image/jpeg",
                    "filesize": 10671,
                    "width": 384,
                    "height": 512,
                    "sha256": "cdd174a2c227b5be32f0abda52dfb65d027dcd331130eb8b0bfe68b11888f8f6",
                    "alt": "Reference image of Mara Voss",
                    "url": f"/media/db/{IMAGE}/reference-{IMAGE}.jpg",
                    "thumbnailURL": f"/media/db/{IMAGE}/thumbnail.webp",
                },
                "provider": "character-library",
                "prompt": PROMPT,
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
                    "sourceSha256": "5d1f0a0e1a7c3f4b9d8e6c2a4b6f8091" * 2,
                    "cleaned": ["trailer (2,340 bytes)"],
                    "provenance": {
                        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/"
                        "trainedAlgorithmicMedia",
                        "tool": "charimg 0.1.0",
                        "credentials": False,
                        "generator": None,
                        "marked": "label",
                    },
                    "width": 384,
                    "height": 512,
                    "shot": None,
                    "scene": None,
                    "promptOrigin": None,
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


class OperationWarning(Json):
    """Something that did not stop the operation."""

    code: str
    message: str


class ImageCharacter(Json):
    """Whose images they are."""

    id: str
    name: str
    library_db_id: str | None
    library_character_id: str | None


class GenerationData(Json):
    """What was done for one image."""

    operation_id: str
    prompt: str
    removed: int = Field(description="Earlier images that were deleted.")
    retried: bool = Field(description="Whether an earlier reference had to be deleted remotely.")
    duration_ms: float


class PortfolioData(Json):
    """What was done for a 360° set."""

    operation_id: str
    job_id: str | None
    reference_id: str | None
    duration_ms: float


class DeleteData(Json):
    """What was deleted."""

    operation_id: str
    removed: int
    remote_deleted: bool | None = Field(description="Null when that was not due.")
    duration_ms: float


class _Answer(Json):
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


class DeleteFailure(Json):
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
                "prompt": PROMPT,
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


class OperationProgress(Json):
    """How far an operation has come."""

    current: int
    total: int
    task: str | None
    shot: str | None


class OperationItem(Json):
    """One image of an operation."""

    key: str
    index: int
    state: str = Field(description="pending, stored or failed.")
    prompt: str
    shot: CameraShot | None
    error: str | None
    image_id: str | None


class ImageOperation(Json):
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
    open: list[ImageOperation] = Field(description="All that are not finished, the oldest first.")
    next_cursor: str | None


class OperationAnswer(_Answer):
    """One operation."""

    operation: ImageOperation


class Candidate(Json):
    """An image that an operation of unknown outcome may have drawn."""

    media_id: str
    drawn_at: datetime | None = Field(description="By the Character Library's clock.")
    evidence: list[str] = Field(description="What speaks for it and against it.")


class CandidatesAnswer(_Answer):
    """What an operation may have drawn, the newest first."""

    candidates: list[Candidate]


class SettledAnswer(_Answer):
    """How an operation stands now, and what has just become of it."""

    outcome: str = Field(
        description="completed, adopted, unknown, waiting, stranded, cleaned, failed, in-progress "
        "or error; "
        "the operation's state when nothing was open."
    )
    message: str
    images: list[CharacterImage]
    operation: ImageOperation


class Failure(Json):
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
