"""The Character Library's JSON documents, as wire classes.

Field names are the server's, so that the path of an offending field is the one in the JSON.
Unknown fields are ignored. ``null``, ``[]`` and an absent optional field mean the same.
"""

# ruff: noqa: N815

from __future__ import annotations

from datetime import datetime
from typing import Any

from attrs import frozen

from .structure import Related


@frozen(kw_only=True)
class HealthWire:
    """``GET /api/health``."""

    status: str
    service: str | None = None
    version: str | None = None
    environment: str | None = None
    uptime: float | None = None
    timestamp: datetime | None = None


@frozen(kw_only=True)
class MediaWire(Related):
    """``GET /api/media/{id}``."""

    id: str
    url: str | None = None
    filename: str | None = None
    mimeType: str | None = None
    filesize: int | None = None
    width: int | None = None
    height: int | None = None
    createdAt: datetime | None = None
    dinoProcessingStatus: str | None = None


@frozen(kw_only=True)
class MediaPageWire:
    """``GET /api/media``: a Payload page."""

    docs: tuple[MediaWire, ...]
    totalDocs: int
    page: int = 1
    totalPages: int = 1
    hasNextPage: bool = False


@frozen(kw_only=True)
class CharacterWire:
    """A bare character document. The reference is ``null``, an id, or a document with an id."""

    id: str
    name: str
    characterId: str | None = None
    status: str | None = None
    masterReferenceImage: Any = None
    createdAt: datetime | None = None
    updatedAt: datetime | None = None


@frozen(kw_only=True)
class CharacterPageWire:
    """A Payload page of characters; the documents are structured one by one."""

    docs: tuple[Any, ...]
    totalDocs: int
    page: int = 1
    totalPages: int = 1
    hasNextPage: bool = False


@frozen(kw_only=True)
class InitialImageDataWire:
    """The payload of an initial image, nested in ``data`` or flat."""

    publicUrl: str | None = None
    imageUrl: str | None = None
    url: str | None = None
    imageId: str | None = None
    mediaId: str | None = None
    characterName: str | None = None
    qualityScore: float | None = None
    validationNotes: str | None = None


@frozen(kw_only=True)
class InitialImageWire(InitialImageDataWire):
    """``POST …/generate-initial-image``."""

    data: InitialImageDataWire | None = None


@frozen(kw_only=True)
class ReferenceWire:
    """``GET`` and ``PUT …/reference-image``.

    ``success`` is required: without it any empty object would mean "no reference".
    """

    success: bool
    imageUrl: str | None = None
    mediaId: str | None = None


@frozen(kw_only=True)
class ReferenceDeletionWire:
    """``DELETE …/reference-image``."""

    success: bool
    message: str | None = None
    resetFields: tuple[str, ...] = ()


@frozen(kw_only=True)
class GeneratedWire:
    """One image of a 360° set."""

    url: str | None = None
    angle: str | None = None
    quality: float | None = None
    mediaId: str | None = None
    imageId: str | None = None


@frozen(kw_only=True)
class FailedWire:
    """One failed shot of a 360° set."""

    angle: str | None = None
    error: str | None = None
    attempts: int | None = None


@frozen(kw_only=True)
class ResultsWire:
    """What a 360° set produced."""

    generatedImages: tuple[GeneratedWire, ...] = ()
    failedImages: tuple[FailedWire, ...] = ()


@frozen(kw_only=True)
class PortfolioWire:
    """``POST …/generate-360-set``: a job, or (older server) the images at once."""

    jobId: str | None = None
    message: str | None = None
    images: tuple[GeneratedWire, ...] = ()
    failedImages: tuple[FailedWire, ...] = ()
    results: ResultsWire | None = None


@frozen(kw_only=True)
class ProgressWire:
    """How far a job is."""

    current: int = 0
    total: int = 0
    percentage: float = 0.0
    currentTask: str | None = None


@frozen(kw_only=True)
class JobWire:
    """A job, polled or listed."""

    jobId: str
    status: str
    progress: ProgressWire | None = None
    startedAt: datetime | None = None
    completedAt: datetime | None = None
    createdAt: datetime | None = None
    characterId: str | None = None
    jobType: str | None = None
    error: str | None = None
    message: str | None = None
    results: ResultsWire | None = None


@frozen(kw_only=True)
class PaginationWire:
    """The page of a jobs list."""

    totalDocs: int
    page: int = 1
    totalPages: int = 1
    hasNextPage: bool = False


@frozen(kw_only=True)
class JobPageWire:
    """``GET /api/v1/jobs``."""

    success: bool
    pagination: PaginationWire
    jobs: tuple[JobWire, ...] = ()


@frozen(kw_only=True)
class CancellationWire:
    """``DELETE /api/v1/jobs/{id}/status``, where ``success: false`` is no error."""

    success: bool
    message: str | None = None


@frozen(kw_only=True)
class SceneContextWire:
    """The scene that the server recorded."""

    sceneId: str | None = None
    sceneType: str | None = None
    qualityScore: float | None = None


@frozen(kw_only=True)
class SceneWire:
    """``POST …/generate-scene-image``."""

    publicUrl: str | None = None
    imageUrl: str | None = None
    url: str | None = None
    mediaId: str | None = None
    imageId: str | None = None
    sceneContext: SceneContextWire | None = None


@frozen(kw_only=True)
class ReferenceShotWire(Related):
    """A shot of the server's own library; in a gallery, the camera of a core image."""

    shotName: str | None = None
    slug: str | None = None
    lensMm: float | None = None
    crop: str | None = None
    expression: str | None = None
    cameraAzimuthDeg: float | None = None
    cameraElevationDeg: float | None = None
    cameraDistanceM: float | None = None
    sortOrder: int | None = None
    angle: str | None = None
    pack: str | None = None
    promptTemplate: str | None = None


@frozen(kw_only=True)
class ReferenceShotsWire:
    """``GET /api/v1/reference-shots``."""

    shots: tuple[ReferenceShotWire, ...]


@frozen(kw_only=True)
class GalleryImageWire:
    """One image of the gallery."""

    imageId: str
    url: str | None = None
    angle: str | None = None
    lens: str | None = None
    generationPrompt: str | None = None
    tags: Any = None
    qualityScore: float | None = None
    consistencyScore: float | None = None
    referenceShot: ReferenceShotWire | None = None


@frozen(kw_only=True)
class GalleryImagesWire:
    """The gallery by category."""

    masterReference: GalleryImageWire | None = None
    coreReferenceSet: tuple[GalleryImageWire, ...] = ()
    sceneImages: tuple[GalleryImageWire, ...] = ()
    onDemandImages: tuple[GalleryImageWire, ...] = ()
    relationshipImages: tuple[GalleryImageWire, ...] = ()


@frozen(kw_only=True)
class GalleryWire:
    """``GET …/images``."""

    success: bool
    characterId: str
    images: GalleryImagesWire
    characterName: str | None = None
    totalImages: int = 0
