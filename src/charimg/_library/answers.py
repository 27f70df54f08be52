"""From an answer to a value: one function per endpoint (contract page)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar

from attrs import frozen

from ..errors import CharacterLibraryError
from ..models import Shot
from . import errors, wire
from .ids import is_job_id
from .requests import LibraryAnswer, LibraryRequest, is_request_id
from .structure import WireError, structure
from .urls import resolve
from .values import (
    CharacterPage,
    Gallery,
    GalleryImage,
    Health,
    InitialImage,
    Job,
    JobCancellation,
    JobPage,
    LibraryCharacter,
    LibraryMedia,
    LibraryMediaPage,
    PortfolioAnswer,
    PortfolioFailure,
    PortfolioImage,
    ReferenceDeletion,
    ReferenceShot,
    ReferenceState,
    SceneImage,
)

__all__ = ["Exchange"]

T = TypeVar("T")


@frozen(kw_only=True)
class Exchange:
    """A request with its answer.

    Attributes:
        request: What was asked.
        answer: What came.
        request_id: The id under which the server may know the request.
        base_url: What relative URLs are resolved against.
    """

    request: LibraryRequest
    answer: LibraryAnswer
    request_id: str
    base_url: str

    @classmethod
    def of(
        cls, request: LibraryRequest, answer: LibraryAnswer, request_id: str, base_url: str
    ) -> Exchange:
        """Return the exchange; a request id that the server names wins over the one sent."""
        named = answer.headers.get("x-request-id")
        return cls(
            request=request,
            answer=answer,
            request_id=named if named is not None and is_request_id(named) else request_id,
            base_url=base_url,
        )

    def document(self, *, success_matters: bool = True) -> dict[str, Any]:
        """Return the answer's JSON object, or raise the error that it stands for."""
        status = self.answer.status
        decoded = _decode(self.answer.body)
        if not 200 <= status < 300:
            raise self._refused(decoded)
        if decoded is None:
            what = errors.describe_body(self.answer)
            # A cut-off body may come whole next time; a gateway's page will not.
            raise self._unreadable(f"the answer is {what}.", retryable="HTML" not in what)
        if not isinstance(decoded, dict):
            raise self._unreadable("the answer is not a JSON object.")
        success = decoded.get("success")
        if success is False and success_matters:
            raise self._refused(decoded)
        if success is not None and not isinstance(success, bool):
            raise self._unreadable("$.success is not a boolean.", field="$.success")
        return decoded

    def read(self, cls: type[T], *, success_matters: bool = True) -> T:
        """Return the answer's JSON object as a wire class, or raise."""
        return self.structured(self.document(success_matters=success_matters), cls)

    def structured(self, document: object, cls: type[T], path: str = "$") -> T:
        """Return decoded JSON that stands at ``path`` as a wire class, or raise."""
        try:
            return structure(document, cls)
        except WireError as error:
            place = path + error.path.removeprefix("$")
            raise self._unreadable(f"{place} {error.problem}.", field=place) from error

    def url(self, *candidates: str | None) -> str | None:
        """Return the first candidate that is there, as an absolute URL."""
        for each in candidates:
            if each is not None and each.strip():
                return resolve(self.base_url, each)
        return None

    def missing(self, field: str) -> NoReturn:
        """Raise for a field without which the answer means nothing."""
        raise self._unreadable(f"{field} is missing.", field=field)

    def _refused(self, decoded: object) -> CharacterLibraryError:
        return errors.refusal(self.request, self.answer, decoded, request_id=self.request_id)

    def _unreadable(
        self, problem: str, *, field: str = "$", retryable: bool = False
    ) -> CharacterLibraryError:
        return errors.undecodable(
            self.request,
            problem,
            request_id=self.request_id,
            status=self.answer.status,
            field=field,
            retryable=retryable,
        )


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _decode(body: bytes) -> object:
    """Return the decoded JSON, or ``None`` for what is no JSON (NaN and Infinity included)."""
    try:
        decoded: object = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return decoded


def _text(value: str | None) -> str | None:
    """Return the text, or ``None`` for an empty one."""
    return value or None


def health(exchange: Exchange) -> Health:
    """``GET /api/health``."""
    found = exchange.read(wire.HealthWire)
    return Health(
        status=found.status,
        service=found.service,
        version=found.version,
        environment=found.environment,
        uptime=found.uptime,
        timestamp=found.timestamp,
    )


def character(exchange: Exchange) -> LibraryCharacter:
    """A bare character document."""
    return _character(exchange, exchange.document(), "$")


def character_page(exchange: Exchange) -> CharacterPage:
    """A Payload page of characters."""
    found = exchange.read(wire.CharacterPageWire)
    return CharacterPage(
        characters=tuple(
            _character(exchange, each, f"$.docs[{index}]") for index, each in enumerate(found.docs)
        ),
        total=found.totalDocs,
        page=found.page,
        pages=found.totalPages,
        has_next=found.hasNextPage,
    )


def nothing(exchange: Exchange) -> None:
    """An answer that only has to say that it worked."""
    exchange.document()


def initial_image(exchange: Exchange) -> InitialImage:
    """The answer to an initial image: nested in ``data``, or flat."""
    flat = exchange.read(wire.InitialImageWire)
    data = flat.data or flat
    url = exchange.url(data.publicUrl, data.imageUrl, data.url)
    media_id = _text(data.imageId) or _text(data.mediaId)
    if url is None and media_id is None:
        exchange.missing("$.data.imageId")
    return InitialImage(
        url=url,
        media_id=media_id,
        character_name=data.characterName,
        quality_score=data.qualityScore,
        validation_notes=data.validationNotes,
    )


def reference_state(exchange: Exchange) -> ReferenceState:
    """The reference image, read or set."""
    found = exchange.read(wire.ReferenceWire)
    return ReferenceState(media_id=_text(found.mediaId), url=exchange.url(found.imageUrl))


def reference_deletion(exchange: Exchange) -> ReferenceDeletion:
    """The deleted reference image."""
    found = exchange.read(wire.ReferenceDeletionWire)
    return ReferenceDeletion(message=found.message, reset_fields=found.resetFields)


def portfolio(exchange: Exchange) -> PortfolioAnswer:
    """The answer to a 360° set of either generation."""
    found = exchange.read(wire.PortfolioWire)
    results = found.results or wire.ResultsWire()
    job_id = _text(found.jobId)
    images = _images(exchange, (*found.images, *results.generatedImages))
    failures = _failures((*found.failedImages, *results.failedImages))
    if job_id is None and not images and not failures:
        exchange.missing("$.jobId")
    if job_id is not None and not is_job_id(job_id):
        exchange.missing("$.jobId")
    return PortfolioAnswer(job_id=job_id, images=images, failures=failures, message=found.message)


def job(exchange: Exchange) -> Job:
    """A polled job."""
    return _job(exchange, exchange.read(wire.JobWire))


def job_page(exchange: Exchange) -> JobPage:
    """The jobs list."""
    found = exchange.read(wire.JobPageWire)
    return JobPage(
        jobs=tuple(_job(exchange, each) for each in found.jobs),
        total=found.pagination.totalDocs,
        page=found.pagination.page,
        pages=found.pagination.totalPages,
        has_next=found.pagination.hasNextPage,
    )


def cancellation(exchange: Exchange) -> JobCancellation:
    """A cancellation; ``success: false`` with 200 says that the job was not running."""
    found = exchange.read(wire.CancellationWire, success_matters=False)
    return JobCancellation(accepted=found.success, message=found.message)


def scene_image(exchange: Exchange) -> SceneImage:
    """The answer to a scene image."""
    found = exchange.read(wire.SceneWire)
    url = exchange.url(found.publicUrl, found.imageUrl, found.url)
    media_id = _text(found.mediaId) or _text(found.imageId)
    if url is None and media_id is None:
        exchange.missing("$.mediaId")
    scene = found.sceneContext or wire.SceneContextWire()
    return SceneImage(
        url=url,
        media_id=media_id,
        scene_id=scene.sceneId,
        scene_type=scene.sceneType,
        quality_score=scene.qualityScore,
    )


def reference_shots(exchange: Exchange) -> tuple[ReferenceShot, ...]:
    """The shots of the server's own library; those without a name are nothing to go by."""
    named = [(each, _shot(each)) for each in exchange.read(wire.ReferenceShotsWire).shots]
    return tuple(
        ReferenceShot(
            shot=shot, angle=each.angle, pack=each.pack, prompt_template=each.promptTemplate
        )
        for each, shot in named
        if shot is not None
    )


def gallery(exchange: Exchange) -> Gallery:
    """The gallery."""
    found = exchange.read(wire.GalleryWire)
    images = found.images

    def group(category: str, members: Iterable[wire.GalleryImageWire]) -> tuple[GalleryImage, ...]:
        return tuple(_gallery_image(exchange, category, each) for each in members)

    master = images.masterReference
    return Gallery(
        character_id=found.characterId,
        character_name=found.characterName,
        total=found.totalImages,
        master=_gallery_image(exchange, "master", master) if master is not None else None,
        core=group("core", images.coreReferenceSet),
        scenes=group("scene", images.sceneImages),
        on_demand=group("ondemand", images.onDemandImages),
        relationships=group("relationship", images.relationshipImages),
    )


def media(exchange: Exchange) -> LibraryMedia:
    """A media document."""
    return _media(exchange, exchange.read(wire.MediaWire))


def media_page(exchange: Exchange) -> LibraryMediaPage:
    """A page of media documents."""
    found = exchange.read(wire.MediaPageWire)
    return LibraryMediaPage(
        media=tuple(_media(exchange, each) for each in found.docs),
        total=found.totalDocs,
        page=found.page,
        pages=found.totalPages,
        has_next=found.hasNextPage,
    )


def _media(exchange: Exchange, found: wire.MediaWire) -> LibraryMedia:
    return LibraryMedia(
        id=found.id,
        url=exchange.url(found.url),
        filename=found.filename,
        mime_type=found.mimeType,
        size=found.filesize,
        width=found.width,
        height=found.height,
        created_at=found.createdAt,
        processing=_text(found.dinoProcessingStatus),
    )


def _character(exchange: Exchange, document: Any, path: str) -> LibraryCharacter:
    found = exchange.structured(document, wire.CharacterWire, path)
    reference = found.masterReferenceImage
    if isinstance(reference, dict):  # populated or a bare id, as the depth of the query has it
        reference = reference.get("id")
    return LibraryCharacter(
        id=found.id,
        name=found.name,
        character_id=_text(found.characterId),
        status=found.status,
        master_reference_id=reference if isinstance(reference, str) else None,
        created_at=found.createdAt,
        updated_at=found.updatedAt,
        fields=document,
    )


def _images(exchange: Exchange, found: Iterable[wire.GeneratedWire]) -> tuple[PortfolioImage, ...]:
    return tuple(
        PortfolioImage(
            angle=each.angle,
            url=exchange.url(each.url),
            media_id=_text(each.mediaId) or _text(each.imageId),
            quality=each.quality,
        )
        for each in found
    )


def _failures(found: Iterable[wire.FailedWire]) -> tuple[PortfolioFailure, ...]:
    return tuple(
        PortfolioFailure(angle=each.angle, error=each.error, attempts=each.attempts)
        for each in found
    )


def _job(exchange: Exchange, found: wire.JobWire) -> Job:
    progress = found.progress or wire.ProgressWire()
    results = found.results or wire.ResultsWire()
    return Job(
        job_id=found.jobId,
        status=found.status,
        current=progress.current,
        total=progress.total,
        percentage=progress.percentage,
        task=progress.currentTask,
        started_at=found.startedAt,
        completed_at=found.completedAt,
        created_at=found.createdAt,
        character_id=found.characterId,
        job_type=found.jobType,
        error=found.error,
        message=found.message,
        images=_images(exchange, results.generatedImages),
        failures=_failures(results.failedImages),
    )


def _gallery_image(exchange: Exchange, category: str, found: wire.GalleryImageWire) -> GalleryImage:
    return GalleryImage(
        image_id=found.imageId,
        category=category,
        url=exchange.url(found.url),
        angle=found.angle,
        lens=found.lens,
        prompt=found.generationPrompt,
        quality_score=found.qualityScore,
        consistency_score=found.consistencyScore,
        shot=_shot(found.referenceShot),
        tags=found.tags if isinstance(found.tags, str) else None,
    )


def _shot(found: wire.ReferenceShotWire | None) -> Shot | None:
    name = (found.shotName or found.slug) if found is not None else None
    if found is None or name is None:
        return None
    return Shot(
        name=name,
        slug=found.slug,
        lens_mm=found.lensMm,
        crop=found.crop,
        expression=found.expression,
        camera_azimuth_deg=found.cameraAzimuthDeg,
        camera_elevation_deg=found.cameraElevationDeg,
        camera_distance_m=found.cameraDistanceM,
        sort_order=found.sortOrder,
    )
