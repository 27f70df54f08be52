"""The Character Library's JSON: its documents as wire classes, and the one converter for them.

Field names are the server's, so that the path of an offending field is the one in the JSON.
Unknown fields are ignored. ``null``, ``[]`` and an absent optional field mean the same. A wrong
type is refused: cattrs alone would turn ``7`` into ``"7"``.
"""

# ruff: noqa: N815

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin

import attrs
from attrs import frozen
from cattrs import Converter
from cattrs.errors import ClassValidationError
from cattrs.gen import make_dict_structure_fn

__all__ = ["WireError", "structure"]

T = TypeVar("T")


class WireError(Exception):
    """A document does not have the shape that it should have.

    Attributes:
        path: The offending field, e.g. ``$.data.imageId``.
        problem: What is wrong with it, e.g. ``is missing``.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path} {problem}")
        self.path = path
        self.problem = problem


class _Related:
    """Marks a document that the server may leave as its bare id (an unpopulated relationship)."""


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
class MediaWire(_Related):
    """``GET /api/media/{id}``."""

    id: str
    url: str | None = None
    filename: str | None = None
    mimeType: str | None = None
    filesize: int | None = None
    width: int | None = None
    height: int | None = None


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
class ReferenceShotWire(_Related):
    """The camera of a core image."""

    shotName: str | None = None
    slug: str | None = None
    lensMm: float | None = None
    crop: str | None = None
    expression: str | None = None
    cameraAzimuthDeg: float | None = None
    cameraElevationDeg: float | None = None
    cameraDistanceM: float | None = None
    sortOrder: int | None = None


@frozen(kw_only=True)
class GalleryImageWire:
    """One image of the gallery."""

    imageId: str
    url: str | None = None
    angle: str | None = None
    lens: str | None = None
    generationPrompt: str | None = None
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


def structure(document: object, cls: type[T]) -> T:
    """Turn decoded JSON into a wire class.

    Raises:
        WireError: A field is missing or has the wrong type; names its path.
    """
    try:
        return _converter.structure(document, cls)
    except (_Unfit, ClassValidationError) as error:
        path, problem = _locate(error)
        raise WireError("$" + path, problem) from error


class _Unfit(Exception):
    """A value that does not fit, with its path below the point where it was found."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem


def _locate(error: BaseException) -> tuple[str, str]:
    """Return the path and problem of the first offending field."""
    if isinstance(error, _Unfit):
        return error.path, error.problem
    if isinstance(error, ClassValidationError):
        inner, note = error.group_exceptions()[0][0]
        path, problem = _locate(inner)
        return f".{note.name}{path}", problem
    return "", "is missing"  # the generated code leaves a KeyError for an absent required field


def _string(value: object, _: object) -> str:
    if not isinstance(value, str):
        raise _Unfit("is not a string")
    # JavaScript cuts strings between surrogates; a half one could be neither stored nor logged.
    return value.encode("utf-8", "replace").decode() if not value.isascii() else value


def _boolean(value: object, _: object) -> bool:
    if not isinstance(value, bool):
        raise _Unfit("is not a boolean")
    return value


def _integer(value: object, _: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Unfit("is not an integer")
    return value


def _number(value: object, _: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _Unfit("is not a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Unfit("is not a finite number")
    return number


def _moment(value: object, _: object) -> datetime:
    try:
        moment = datetime.fromisoformat(cast(str, value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise _Unfit("is not a date and time") from error


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) is UnionType and NoneType in get_args(kind)


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _optional(kind: Any) -> Callable[[object, object], object]:
    (inner,) = (each for each in get_args(kind) if each is not NoneType)
    related = isinstance(inner, type) and issubclass(inner, _Related)

    def hook(value: object, _: object) -> object:
        if related and isinstance(value, str):
            return None
        return _converter.structure(value, inner)

    return hook


def _sequence(kind: Any) -> Callable[[object, object], object]:
    inner = get_args(kind)[0]

    def hook(value: object, _: object) -> object:
        if not isinstance(value, list):
            raise _Unfit("is not a list")
        items = []
        for index, each in enumerate(value):
            try:
                items.append(_converter.structure(each, inner))
            except (_Unfit, ClassValidationError) as error:
                path, problem = _locate(error)
                raise _Unfit(problem, f"[{index}]{path}") from error
        return tuple(items)

    return hook


def _document(cls: Any) -> Callable[[object, object], object]:
    fill = make_dict_structure_fn(cls, _converter)
    optional = {each.name for each in attrs.fields(cls) if each.default is not attrs.NOTHING}

    def hook(value: object, kind: object) -> object:
        if not isinstance(value, dict):
            raise _Unfit("is not an object")
        given = {
            name: each
            for name, each in value.items()
            if name not in optional or (each is not None and each != [])
        }
        return fill(given, cast(Any, kind))

    return hook


_converter = Converter(detailed_validation=True)
_converter.register_structure_hook(str, _string)
_converter.register_structure_hook(bool, _boolean)
_converter.register_structure_hook(int, _integer)
_converter.register_structure_hook(float, _number)
_converter.register_structure_hook(datetime, _moment)
_converter.register_structure_hook_factory(attrs.has, _document)
_converter.register_structure_hook_factory(_is_tuple, _sequence)
_converter.register_structure_hook_factory(_is_optional, _optional)
