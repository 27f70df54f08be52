"""What stays unknown is settled by a person: this image, or none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from attrs import evolve

from .._ingest.values import Download
from .._library.claims import Claim, Drawing, could_be
from .._library.values import LibraryMedia
from ..errors import InvalidArgument
from ..journal import (
    Candidate,
    Operation,
    OperationItem,
    OperationKind,
    OperationState,
    Recovered,
)
from ..models import Shot, utcnow
from .adoption import OPEN, Lying, look
from .generate import received, try_make_master
from .lost_sets import LostSet, lost_set
from .operation import FOUND_LATER, AsyncRun, leased
from .parts import AsyncParts
from .recovery import bring_in, outcome_of
from .sets import is_unfinished, place_late, received_shots
from .sources import source_of

__all__ = ["candidates", "fetch_candidate", "settle_by_hand"]

_IMAGES = (OperationKind.REFERENCE, OperationKind.SCENE)


async def candidates(parts: AsyncParts, operation_id: str) -> tuple[Candidate, ...]:
    """Return what the operation may have drawn, the newest first."""
    op = await _known(parts, operation_id)
    if _has_lost_set(op):
        lost = await _lost_set(parts, op)
        return tuple(_shot_of(each, lost) for each in lost.images[::-1])
    if op.state not in OPEN or op.kind not in _IMAGES:
        return ()
    lying = await look(parts, op)
    # None, if somebody has settled it just now.
    own = [claim for claim in lying.claims if claim.operation_id == op.id]
    return tuple(
        _candidate(image, claim, lying)
        for claim in own
        for image in lying.images
        if could_be(claim, lying.drawings[image.id])
    )


def _has_lost_set(op: Operation) -> bool:
    return op.job_id is not None and (op.state in OPEN or is_unfinished(op))


async def _lost_set(parts: AsyncParts, op: Operation) -> LostSet:
    """Return what may be the operation's, and what it does not have yet."""
    job = await parts.library.get_job(op.job_id or "")
    lost = await lost_set(parts, op, job) or LostSet()
    known = {item.external_id for item in op.items}
    return evolve(lost, images=tuple(each for each in lost.images if each[0].id not in known))


def _shot_of(image: tuple[LibraryMedia, Shot], lost: LostSet) -> Candidate:
    media, shot = image
    return Candidate(
        media_id=media.id,
        url=media.url,
        drawn_at=media.created_at,
        evidence=(f"It shows {shot.name}.", *lost.doubts),
    )


def _candidate(image: LibraryMedia, claim: Claim, lying: Lying) -> Candidate:
    drawing = lying.drawings[image.id]
    return Candidate(
        media_id=image.id,
        url=image.url,
        drawn_at=drawing.moment,
        evidence=tuple(_evidence(drawing, claim, lying)),
    )


def _evidence(drawing: Drawing, claim: Claim, lying: Lying) -> list[str]:
    told = []
    if drawing.scene_type is not None and claim.scene_type is not None:
        told.append(f"It is of the type that was asked for, {drawing.scene_type}.")
    if drawing.mood and claim.mood:
        told.append("It has the mood that was asked for.")
    if drawing.moment is not None and claim.begun is not None:
        seconds = (drawing.moment - claim.begun).total_seconds()
        told.append(f"It was there {max(0, seconds):.0f} s after the request.")
    if drawing.id == lying.master:
        told.append("It is the Character Library's master reference.")
    others = [
        each.operation_id
        for each in lying.claims
        if each.operation_id != claim.operation_id and could_be(each, drawing)
    ]
    told += [f"Operation {each} may have drawn it, too." for each in others]
    return told


async def fetch_candidate(parts: AsyncParts, operation_id: str, media_id: str) -> Download:
    """Download one of the candidates, as guarded and checked as what is brought in."""
    op = await _known(parts, operation_id)
    for each in await candidates(parts, operation_id):
        if each.media_id == media_id:
            item = OperationItem(key=media_id, index=0, source_url=each.url, external_id=media_id)
            url = await source_of(parts, item)
            return await parts.downloader.fetch(url, library_url=parts.library.base_url)
    raise _not_its_own(op, [media_id])


async def settle_by_hand(
    parts: AsyncParts, operation_id: str, media_ids: Sequence[str], settled_by: str | None
) -> Recovered:
    """Take a person's word for what an operation has drawn: these images, or nothing."""
    character_id = (await _known(parts, operation_id)).character_id
    async with leased(parts, character_id) as lease:
        op = await _known(parts, operation_id)
        run = AsyncRun(parts, op, lease)
        if not op.items:
            run.intend(**{FOUND_LATER: True})
        if op.finished:
            return _settled_already(op, media_ids)
        settled = {"at": utcnow().isoformat(), "by": settled_by, "media_ids": list(media_ids)}
        if not media_ids:
            return await _nothing(run, settled)
        if op.kind == OperationKind.PORTFOLIO:
            await _take_set(run, media_ids, settled)
        else:
            image = await _chosen(parts, op, media_ids)
            run.intend(settled=settled)
            await received(run, url=image.url, media_id=image.id)
        if op.kind == OperationKind.REFERENCE:
            await try_make_master(run)
        return await bring_in(run)


async def _take_set(run: AsyncRun, media_ids: Sequence[str], settled: object) -> None:
    op = run.op
    lost = await _lost_set(run.parts, op) if _has_lost_set(op) else LostSet()
    chosen = tuple(each for each in lost.images if each[0].id in media_ids)
    if {media.id for media, _ in chosen} != set(media_ids):
        raise _not_its_own(op, media_ids)
    if op.items:
        late = [(media.id, shot.name) for media, shot in chosen]
        await place_late(run, late, more=False, settled=settled)
        return
    why = "The Character Library did not draw this shot, or a person has settled that it did not."
    await received_shots(run, evolve(lost, images=chosen), why, settled=settled)


async def _known(parts: AsyncParts, operation_id: str) -> Operation:
    op = await parts.ledger.get(operation_id)
    if op is None:
        raise InvalidArgument(
            f"There is no operation {operation_id!a:.80}. List the character's operations to see "
            "which there are."
        )
    return op


def _settled_already(op: Operation, media_ids: Sequence[str]) -> Recovered:
    has = {item.external_id for item in op.items}
    nothing = not media_ids and (op.state == OperationState.FAILED or "settled" in op.options)
    if not nothing and (not media_ids or not set(media_ids) <= has):
        raise InvalidArgument(
            f"Operation {op.id} is {op.state} already; only one that is open can be settled."
        )
    images = tuple(item.image_id for item in op.items if item.image_id is not None)
    outcome = "failed" if op.state == OperationState.FAILED else "completed"
    return outcome_of(op, outcome, images=images, message="It was closed before.")


async def _nothing(run: AsyncRun, settled: object) -> Recovered:
    options = {**run.op.options, "settled": settled}
    if is_unfinished(run.op):
        message = "A person has settled that nothing more is to come."
        await run.write(state=OperationState.DONE, options=options)
        images = tuple(item.image_id for item in run.op.items if item.image_id is not None)
        return outcome_of(run.op, "completed", images=images, message=message)
    if run.op.items:
        raise InvalidArgument(
            f"What operation {run.op.id} has drawn is known: recover() brings it in."
        )
    message = "A person has settled that there is nothing to bring in."
    if (until := _may_draw_until(run)) > utcnow():
        message = (
            f"{message} The Character Library may draw it until {until:%H:%M} UTC all the same: "
            "that image is then nobody's."
        )
    await run.write(state=OperationState.FAILED, error=message, options=options)
    return outcome_of(run.op, "failed", message=message)


def _may_draw_until(run: AsyncRun) -> datetime:
    # Twice as long as an answer is waited for: whose answer was not there in time is drawn, too.
    seconds = 2 * run.parts.library.timeouts.generation
    return (run.op.posted_at or run.op.created_at) + timedelta(seconds=seconds)


async def _chosen(parts: AsyncParts, op: Operation, media_ids: Sequence[str]) -> LibraryMedia:
    if op.state in OPEN and op.kind in _IMAGES and len(media_ids) == 1:
        for image in (await look(parts, op)).images:
            if image.id in media_ids:
                return image
    raise _not_its_own(op, media_ids)


def _not_its_own(op: Operation, media_ids: Sequence[str]) -> InvalidArgument:
    return InvalidArgument(
        f"Media {', '.join(media_ids)!a:.80} is nothing that operation {op.id} could be given: it "
        f"must be an image of the character and of the kind {op.kind} that no other operation has."
    )
