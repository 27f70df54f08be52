"""What a worker does with one character: look at what was left, then draw what is not there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TypeAlias, TypeVar

from attrs import evolve, frozen

from .._sync.migration import Migration
from .._sync.service import CharacterImageService
from ..errors import CharacterLibraryError, CharimgError, GenerationInProgress, ImageNotFound
from ..events import OperationStarted, ServiceEvent
from ..journal import Operation, OperationKind, OperationState, Recovered, RecoveryReport
from ..migration import MigratedImage, MigrationOutcome
from ..models import CharacterImage, GenerationResult, ImageStatus, PortfolioResult, utcnow
from ..protocols import ProgressCallback
from .values import BulkOutcome, BulkResult, BulkTask, BulkWork

__all__ = ["Job", "OpenMigration", "OpenService", "code_of", "move", "perform"]

OpenService: TypeAlias = Callable[[], AbstractContextManager[CharacterImageService]]
"""Opens a service of the worker's own; it must pickle when the workers are processes."""

OpenMigration: TypeAlias = Callable[[], AbstractContextManager[Migration]]
"""Opens source and target in the worker; it must pickle, too."""

_Opened = TypeVar("_Opened")

_OPEN = {
    "in-progress": BulkOutcome.IN_PROGRESS,
    "waiting": BulkOutcome.WAITING,
    "stranded": BulkOutcome.WAITING,
    "unknown": BulkOutcome.UNKNOWN,
    "error": BulkOutcome.FAILED,
}
"""What recovery may say of an operation that is not finished."""
_CODES = {
    BulkOutcome.IN_PROGRESS: "GENERATION_IN_PROGRESS",
    BulkOutcome.WAITING: "WAITING",
    BulkOutcome.UNKNOWN: "OUTCOME_UNKNOWN",
    BulkOutcome.FAILED: "UNRECOVERED",
}


@frozen(kw_only=True)
class Job:
    """What is sent to a worker.

    Attributes:
        work: What is done.
        task: The character, and the options.
        since: When the bulk work began, in its first run. What was drawn for the task after that
            was drawn by it.
    """

    work: BulkWork
    task: BulkTask
    since: datetime


def perform(open_service: OpenService, job: Job) -> BulkResult:
    """Do the work on one character with a service of its own; whatever fails is in the result."""
    return _ended(open_service, job, _WORKS[job.work])


def move(open_migration: OpenMigration, job: Job) -> BulkResult:
    """Copy one character to other stores; whatever fails is in the result."""
    return _ended(open_migration, job, _moved)


def _ended(
    opening: Callable[[], AbstractContextManager[_Opened]],
    job: Job,
    work: Callable[[_Opened, Job, BulkResult], BulkResult],
) -> BulkResult:
    begun = time.perf_counter()
    result = BulkResult(
        key=job.task.key, character_id=job.task.character_id, outcome=BulkOutcome.DONE
    )
    try:
        with opening() as opened:
            result = work(opened, job, result)
    except Exception as error:  # noqa: BLE001 - one character must not end the others' work
        result = _failed(result, error)
    took = (time.perf_counter() - begun) * 1000
    return evolve(result, duration_ms=took, ended_at=utcnow())


def code_of(error: BaseException) -> str:
    """Return the error's ``code``; one without gets its class name as ``CLASS_NAME``."""
    code = getattr(error, "code", None)
    if isinstance(error, CharimgError) and isinstance(code, str):
        return str(code)
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(error).__name__).upper()


def _failed(result: BulkResult, error: Exception) -> BulkResult:
    outcome = BulkOutcome.FAILED
    if isinstance(error, GenerationInProgress):
        outcome = BulkOutcome.IN_PROGRESS
    elif isinstance(error, CharacterLibraryError) and error.may_arrive:
        outcome = BulkOutcome.UNKNOWN
    # Foreign exceptions may quote anything, a prompt or a key included.
    message = str(error) if isinstance(error, CharimgError) else type(error).__name__
    return evolve(result, outcome=outcome, code=code_of(error), message=message)


def _open(result: BulkResult, left: Recovered) -> BulkResult:
    outcome = _OPEN.get(left.outcome, BulkOutcome.FAILED)
    return evolve(
        result,
        outcome=outcome,
        operation_id=left.operation_id,
        code=_CODES[outcome],
        message=left.message,
    )


def _draw(service: CharacterImageService, job: Job, result: BulkResult) -> BulkResult:
    report = service.recover(job.task.character_id)
    earlier = _earlier(service, job, report)
    if earlier is not None:
        result = evolve(result, operation_id=earlier.id, recovered=True)
        if earlier.state == OperationState.DONE:
            return _retried(service, result, _images(service, earlier))
        left = [each for each in report.operations if each.operation_id == earlier.id]
        return _open(result, [*left, _just_begun(earlier)][0])
    begun: list[str] = []

    def note(event: ServiceEvent) -> None:
        if isinstance(event, OperationStarted):
            begun.append(event.operation_id)

    try:
        return _drawn(result, _generate(service, job, note))
    except Exception as error:  # noqa: BLE001 - it is told with the operation
        return _failed(evolve(result, operation_id=begun[0] if begun else None), error)


def _generate(
    service: CharacterImageService, job: Job, note: ProgressCallback
) -> PortfolioResult | GenerationResult:
    character_id, options = job.task.character_id, job.task.options
    if job.work == BulkWork.PORTFOLIO:
        return service.generate_portfolio(character_id, **options, on_progress=note)
    if job.work == BulkWork.SCENE:
        return service.generate_scene(character_id, **options, on_progress=note)
    return service.generate_reference(character_id, **options, on_progress=note)


def _just_begun(op: Operation) -> Recovered:
    """Tell of an operation that somebody began after the recovery."""
    return Recovered(
        operation_id=op.id, kind=op.kind, character_id=op.character_id, outcome="in-progress"
    )


def _drawn(result: BulkResult, made: PortfolioResult | GenerationResult) -> BulkResult:
    result = evolve(result, operation_id=made.operation_id)
    if isinstance(made, GenerationResult):
        return evolve(result, images=(made.image.id,))
    return _some_failed(
        evolve(result, images=tuple(image.id for image in made.images)), made.failures
    )


def _some_failed(result: BulkResult, failures: tuple[CharacterImage, ...]) -> BulkResult:
    return _partly(result, [image.error or "" for image in failures])


def _partly(result: BulkResult, errors: Sequence[str]) -> BulkResult:
    if not errors:
        return result
    return evolve(
        result,
        outcome=BulkOutcome.PARTIAL if result.images else BulkOutcome.FAILED,
        failed=len(errors),
        code="IMAGES_FAILED",
        message=errors[0],
    )


def _earlier(service: CharacterImageService, job: Job, report: RecoveryReport) -> Operation | None:
    """Return the operation that has drawn, or may have drawn, what the task asks for.

    One of this bulk work, or an older one that this very recovery has finished or that is still
    being drawn.
    """
    found = None
    counted = {each.operation_id for each in report.operations if each.outcome != "unknown"}
    for op in _operations(service, job.task.character_id):
        if op.created_at < job.since and op.id not in counted:
            continue
        if op.kind != OperationKind(job.work) or op.state == OperationState.FAILED:
            continue
        if job.work == BulkWork.SCENE and op.prompt != job.task.options["scene_context"]:
            continue
        if op.state == OperationState.DONE:
            return op
        found = found or op
    return found


def _operations(service: CharacterImageService, character_id: str) -> Iterator[Operation]:
    cursor = None
    while True:
        page = service.list_operations(character_id, cursor=cursor)
        yield from page.operations
        cursor = page.next_cursor
        if cursor is None:
            return


def _images(service: CharacterImageService, op: Operation) -> Iterator[CharacterImage]:
    """Go through the images of an operation that are still there."""
    for item in op.items:
        try:
            yield service.get_image(op.character_id, item.image_id or item.key)
        except ImageNotFound:
            continue


def _retried(
    service: CharacterImageService, result: BulkResult, images: Iterator[CharacterImage]
) -> BulkResult:
    """Download those images again that have failed and were drawn."""
    stored: list[str] = []
    failures: list[CharacterImage] = []
    for image in list(images):
        if image.status == ImageStatus.SUCCEEDED:
            stored.append(image.id)
        elif image.source_url is None:
            failures.append(image)
        else:
            try:
                stored.append(service.retry_ingestion(image.character_id, image.id).image.id)
            except CharimgError as error:
                failures.append(evolve(image, error=str(error)))
    return _some_failed(evolve(result, images=tuple(stored)), tuple(failures))


def _retry(service: CharacterImageService, job: Job, result: BulkResult) -> BulkResult:
    failed = service.iter_images(job.task.character_id, status=ImageStatus.FAILED)
    return _retried(service, result, failed)


def _recover(service: CharacterImageService, job: Job, result: BulkResult) -> BulkResult:
    report = service.recover(job.task.character_id)
    images = [image for each in report.operations for image in each.images]
    result = evolve(result, images=tuple(images), recovered=bool(images))
    return _open(result, report.unresolved[0]) if report.unresolved else result


def _moved(migration: Migration, job: Job, result: BulkResult) -> BulkResult:
    there: list[str] = []

    def note(image: MigratedImage) -> None:
        if image.outcome in (MigrationOutcome.COPIED, MigrationOutcome.PRESENT):
            there.append(image.key)

    report = migration.run([job.task.character_id], on_image=note)
    return _partly(
        evolve(result, images=tuple(there)), [image.message for image in report.failures]
    )


_WORKS = {
    BulkWork.REFERENCE: _draw,
    BulkWork.PORTFOLIO: _draw,
    BulkWork.SCENE: _draw,
    BulkWork.RETRY: _retry,
    BulkWork.RECOVER: _recover,
}
