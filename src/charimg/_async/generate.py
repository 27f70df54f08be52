"""The three generations, step by step: reference, portfolio, scene."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from attrs import evolve

from .._ingest.naming import item_key
from .._library.errors import redacted
from .._masks import masked
from .._plain import logger
from .._stages import code_of
from ..errors import (
    CharacterLibraryError,
    CharimgError,
    ErrorCode,
    GenerationInProgress,
    JobError,
)
from ..events import JobProgressed, ReferenceRetried, Stage
from ..journal import OperationItem, OperationKind, OperationState
from ..models import (
    CharacterImage,
    CharacterReference,
    GenerationResult,
    ImageKind,
    ImageStatus,
    PortfolioResult,
    ReferencePolicy,
    utcnow,
)
from .adoption import Doubt, Found, find
from .checks import check_stores
from .documents import Rescue
from .ingest import Ingested, ingest
from .leases import alone_with
from .lost_sets import NAMED, at_once
from .master import choose_master, current_reference
from .operation import BY_DATE, DRAWN_BY, PERHAPS, AsyncRun, without_end
from .removal import (
    delete_remote_reference,
    remove_everything,
    remove_replaced,
)
from .sets import (
    is_unfinished,
    received_forgotten,
    received_gallery,
    received_job,
    received_lost,
    received_set,
    why_missing,
)

if TYPE_CHECKING:
    from .library import AsyncCharacterLibrary

__all__ = [
    "check_health",
    "generate_portfolio",
    "generate_reference",
    "generate_scene",
    "received",
    "received_found",
    "single",
    "try_make_master",
]

_log = logger("charimg.service")


async def generate_reference(
    run: AsyncRun, character: CharacterReference, db_id: str, policy: ReferencePolicy
) -> GenerationResult:
    """Draw a new master reference; what it replaces goes as the policy says."""
    library = run.parts.library
    # Neither an outage nor a link to a character that is not there may cost the images here.
    await check_health(library)
    await _tell_the_time(run)
    await check_stores(run, ImageKind.REFERENCE)
    before = await library.get_reference_image(db_id)
    baseline = () if before.media_id is None else (before.media_id,)
    previous = await current_reference(run.parts, character.id)
    if previous is not None:
        # Written down with the first step of the removal, which may be broken off.
        run.intend(remote=True, replaces=previous.id, media_id=previous.external_id)
    if policy == ReferencePolicy.DELETE_ALL:
        await remove_everything(run)
    if previous is not None:
        await delete_remote_reference(run)
    await run.renew()
    await _posting(run, baseline=baseline)
    retried = not await _draw_reference(run, db_id)
    if retried:
        # The server refused before it called its model, so nothing was paid for yet.
        _log.info("reference.retried", extra={"operation_id": run.op.id})
        run.emit(ReferenceRetried(operation_id=run.op.id, character_id=character.id))
        await delete_remote_reference(run)
        await run.renew()
        await _posting(run)
        await _draw_reference(run, db_id, again=True)
    result = await single(run, character, kind=ImageKind.REFERENCE, retried=retried)
    await remove_replaced(run)
    await run.write(state=OperationState.DONE)
    return evolve(result, removed=run.op.removed, warnings=tuple(run.warnings))


async def _draw_reference(run: AsyncRun, db_id: str, *, again: bool = False) -> bool:
    """Ask for a reference and write it down; tell whether no other one was in the way.

    Args:
        run: The operation.
        db_id: The character's ObjectId.
        again: Whether one that is in the way is an error.
    """
    try:
        with run.stage(Stage.GENERATION):
            answer = await run.parts.library.generate_initial_image(db_id, run.op.prompt)
    except CharimgError as error:
        code = getattr(error, "code", None)
        if code == ErrorCode.ALREADY_HAS_REFERENCE and not again:
            return False
        await run.call_failed(error)
        if await _taken_over(run, error):
            return True
        raise
    await received(run, url=answer.url, media_id=answer.media_id)
    return True


async def received_found(run: AsyncRun, found: Found) -> None:
    """Write down what was found; a reference that the server lost is made the master."""
    if found.job_id is not None:
        await run.receive(job_id=found.job_id)
        return
    if found.images:
        await received_gallery(run, found.images)
        return
    await received(run, url=found.url, media_id=found.media_id)
    if not found.unread:
        return
    run.warn(
        ErrorCode.UPSTREAM_FEATURES,
        "The Character Library could not read the features of this reference. Until it has, it "
        "refuses a 360° set from it.",
    )
    await try_make_master(run)


async def try_make_master(run: AsyncRun) -> None:
    """Make the operation's reference the Library's master; a failure is a warning."""
    media_id = run.op.items[0].external_id or ""
    try:
        await run.parts.library.set_reference_image(run.op.library_db_id or "", media_id)
    except CharacterLibraryError as error:
        # The image is known, and made the master before the next portfolio.
        run.warn(error.code, f"The reference is not the Character Library's master yet: {error}")


async def check_health(library: AsyncCharacterLibrary) -> None:
    """Raise if the Library is out of reach, or says of itself that it is not well."""
    health = await library.health()
    if not health.well:
        raise CharacterLibraryError(
            f"The Character Library says that it is {ascii(masked(health.status))[:40]}. Nothing "
            "was sent and nothing was deleted; try again later.",
            code=ErrorCode.UNAVAILABLE,
            status_code=200,
            retryable=True,
        )


async def generate_scene(
    run: AsyncRun, character: CharacterReference, db_id: str, options: Mapping[str, Any]
) -> GenerationResult:
    """Draw one scene with the current remote master."""
    library = run.parts.library
    await check_stores(run, ImageKind.SCENE)
    gallery = await library.list_images(db_id, category="scene", include_urls=False)
    baseline = tuple(image.image_id for image in gallery.scenes)
    await _tell_the_time(run)
    await run.renew()
    await _posting(run, baseline=baseline)
    try:
        with run.stage(Stage.GENERATION):
            answer = await library.generate_scene_image(db_id, run.op.prompt, **options)
    except CharimgError as error:
        await run.call_failed(error)
        if not await _taken_over(run, error):
            raise
    else:
        await received(run, url=answer.url, media_id=answer.media_id)
    result = await single(run, character, kind=ImageKind.SCENE)
    await run.write(state=OperationState.DONE)
    return result


async def _tell_the_time(run: AsyncRun) -> None:
    """See to it that it is known by the server's own clock when the request is sent."""
    if not await run.parts.library.learn_time():
        run.intend(**{BY_DATE: True})


async def _posting(run: AsyncRun, **changes: Any) -> None:
    """Write down that the request which costs money is about to be sent."""
    await run.write(
        state=OperationState.POSTING,
        posted_at=utcnow(),
        posted_on_server=run.parts.library.server_time,
        **changes,
    )


async def received(run: AsyncRun, *, url: str | None, media_id: str | None) -> None:
    """Write down the one image that the server drew, before anything else happens."""
    item = OperationItem(
        key=item_key(run.op.id, 0),
        index=0,
        prompt=run.op.prompt,
        source_url=url,
        external_id=media_id,
    )
    await run.receive(received_at=utcnow(), items=(item,))


async def single(
    run: AsyncRun,
    character: CharacterReference | None,
    *,
    kind: str,
    replaced: CharacterImage | None = None,
    retried: bool = False,
) -> GenerationResult:
    """Bring in the operation's only image.

    Raises:
        IngestionError: It could not be brought in; a ``failed`` record of it was written.
    """
    ingested = await ingest(run, kind=kind, character=character, replaced=replaced)
    for error in ingested.errors.values():
        await run.write(state=OperationState.DONE, error=str(error))
        raise error
    return GenerationResult(
        operation_id=run.op.id,
        image=ingested.images[0],
        prompt=run.op.prompt,
        removed=run.op.removed,
        retried=retried,
        warnings=tuple(run.warnings),
        duration_ms=run.duration_ms,
    )


async def generate_portfolio(
    run: AsyncRun,
    character: CharacterReference,
    db_id: str,
    reference_id: str | None,
    options: Mapping[str, Any],
) -> PortfolioResult:
    """Draw the 360° set from the chosen (else the current) reference; appends, never deletes."""
    library = run.parts.library
    await check_stores(run, ImageKind.PORTFOLIO_ITEM)
    reference = await choose_master(run, character, db_id, reference_id)
    jobs = await library.list_jobs(character_id=db_id)
    gallery = await library.list_images(db_id, category="core", include_urls=False)
    baseline = (
        *(f"job:{job.job_id}" for job in jobs.jobs),
        *(f"image:{image.image_id}" for image in gallery.core),
    )
    prompt = "" if reference is None else reference.prompt
    if gallery.character_name:
        run.intend(**{NAMED: gallery.character_name})
    await _tell_the_time(run)
    await run.renew()
    await _posting(run, baseline=baseline, prompt=prompt)
    with run.stage(Stage.GENERATION):
        await _draw_set(run, db_id, options)
    ingested = await ingest(run, kind=ImageKind.PORTFOLIO_ITEM, character=character)
    if not is_unfinished(run.op):
        await run.write(state=OperationState.DONE)
    return _portfolio_result(run, ingested, reference)


async def _draw_set(run: AsyncRun, db_id: str, options: Mapping[str, Any]) -> None:
    """Ask for the set, wait until it is drawn, and write down what came of it."""
    try:
        answer = await run.parts.library.generate_360_set(db_id, **options)
    except CharimgError as error:
        await run.call_failed(error)
        if not await _taken_over(run, error):
            raise
    else:
        if answer.job_id is None:
            await received_set(run, db_id, answer)
        else:
            await run.receive(job_id=answer.job_id)
    if run.op.job_id is not None and not run.op.items:
        await _watch(run, db_id, run.op.job_id)


async def _taken_over(run: AsyncRun, error: CharimgError) -> bool:
    """Take over what the server drew before it said that it failed; tell whether there is any."""
    if DRAWN_BY not in run.op.options:
        return False
    try:
        came = await look_for_lost(run)
    except (CharacterLibraryError, GenerationInProgress):
        # Recovery looks again.
        return False
    rescue = came.rescue if isinstance(came, Doubt) else came
    if rescue == Rescue.FOUND:
        if PERHAPS in run.op.options:
            run.warn(code_of(error), f"{error} What came in that time is taken for its own.")
        return True
    if rescue is not None:
        error.args = (f"{error} {rescue}",)
        # One image of which the server says that it drew it is looked for again.
        may_be_over = PERHAPS in run.op.options or run.op.kind == OperationKind.PORTFOLIO
        if may_be_over and not rescue.keeps_open(run.op):
            await run.write(state=OperationState.FAILED, error=str(error))
    return False


async def look_for_lost(run: AsyncRun, **found_with: object) -> Rescue | Doubt:
    """Look for what was drawn for a request without a good answer, and write it down.

    Args:
        run: The operation.
        **found_with: Options that the operation shall remember if something is found.

    Returns:
        What came of it, or why nobody can tell.

    Raises:
        CharacterLibraryError: The Library could not be asked.
        GenerationInProgress: Somebody else looks for what is the same character's there.
    """
    async with alone_with(run.parts, run.op):
        found = await find(run.parts, run.op)
        if isinstance(found, Found):
            run.intend(**found_with)
            await received_found(run, found)
            return Rescue.FOUND
        job = at_once(run.op)
        if job is None:
            return found
        if found.number:
            # A server with jobs does not draw within the request.
            await run.write(options=without_end(run.op))
            return found
        run.intend(**found_with)
        return await received_lost(run, job)


def _portfolio_result(
    run: AsyncRun, ingested: Ingested, reference: CharacterImage | None
) -> PortfolioResult:
    stored = ImageStatus.SUCCEEDED
    return PortfolioResult(
        operation_id=run.op.id,
        images=tuple(image for image in ingested.images if image.status == stored),
        failures=tuple(image for image in ingested.images if image.status != stored),
        job_id=run.op.job_id,
        reference_id=None if reference is None else reference.id,
        warnings=tuple(run.warnings),
        duration_ms=run.duration_ms,
    )


async def _watch(run: AsyncRun, db_id: str, job_id: str) -> None:
    """Watch a job to its end and write down the images that it made.

    Raises:
        JobError: It failed, or the Library no longer knows it, and there is nothing of it (the
            operation is over); or it is stranded or cancelled (recovery looks again).
    """
    policy = run.parts.job_policy
    try:
        async with aclosing(run.parts.library.watch_job(job_id, policy=policy)) as polls:
            async for job in polls:
                await run.keep()
                await run.see(job)
                run.emit(
                    JobProgressed(
                        operation_id=run.op.id,
                        character_id=run.op.character_id,
                        job_id=job_id,
                        status=job.status,
                        current=job.current,
                        total=job.total,
                        task=None if job.task is None else masked(job.task),
                    )
                )
                if job.status == "completed":
                    await received_job(run, db_id, job)
    except JobError as error:
        error, is_over = await _rescued(run, error)
        if run.op.items:
            run.warn(error.code, str(error))
            return
        if is_over:
            await run.write(state=OperationState.FAILED, error=str(error))
        raise error from None


async def _rescued(run: AsyncRun, error: JobError) -> tuple[JobError, bool]:
    """Take over what a job has drawn that ended badly, or stands still.

    Returns:
        The error, with what is known now; and whether there is nothing more to wait for.
    """
    if error.code == ErrorCode.NOT_FOUND:
        found = await received_forgotten(run)
        return (_told(error, f"{error} {Rescue.FOUND}") if found else error), True
    if error.code == ErrorCode.JOB_CANCELLED:
        return _told(error, f"{error} recover() looks again."), False
    if error.code not in (ErrorCode.JOB_FAILED, ErrorCode.JOB_STRANDED):
        return error, False
    try:
        job = await run.parts.library.get_job(error.job_id)
        if job.status == "completed":
            await received_job(run, run.op.library_db_id or "", job)
            return error, True
        rescue = await received_lost(run, job)
    except CharacterLibraryError:
        reason = redacted(error.server_message or "no reason given", run.op.prompt)
        return _told(error, f"{error} The server said: {reason} recover() looks for it."), False
    over = error.code == ErrorCode.JOB_FAILED and not rescue.keeps_open(run.op)
    return _told(error, f"{why_missing(job, run.op.prompt)} {rescue}"), over


def _told(error: JobError, message: str) -> JobError:
    return JobError(
        message,
        job_id=error.job_id,
        code=error.code,
        server_message=error.server_message,
        outcome_unknown=error.outcome_unknown,
    )
