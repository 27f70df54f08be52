"""What stays unknown is settled by a person: this image, or none."""

from __future__ import annotations

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
from ..models import utcnow
from .adoption import OPEN, Lying, look
from .generate import make_master, received
from .operation import AsyncRun, leased
from .parts import AsyncParts
from .recovery import bring_in, outcome_of
from .sources import source_of

__all__ = ["candidates", "fetch_candidate", "settle_by_hand"]

_IMAGES = (OperationKind.REFERENCE, OperationKind.SCENE)


async def candidates(parts: AsyncParts, operation_id: str) -> tuple[Candidate, ...]:
    """Return what the operation may have drawn, the newest first."""
    op = await _known(parts, operation_id)
    if op.state not in OPEN or op.kind not in _IMAGES:
        return ()
    lying = await look(parts, op)
    own = next((claim for claim in lying.claims if claim.operation_id == op.id), None)
    if own is None:
        return ()
    possible = [image for image in lying.images if could_be(own, lying.drawings[image.id])]
    return tuple(_candidate(image, own, lying) for image in possible)


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
    if drawing.mood:
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
    image = await _chosen(parts, op, media_id)
    item = OperationItem(key=media_id, index=0, source_url=image.url, external_id=media_id)
    url = await source_of(parts, item)
    return await parts.downloader.fetch(url, library_url=parts.library.base_url)


async def settle_by_hand(
    parts: AsyncParts, operation_id: str, media_id: str | None, settled_by: str | None
) -> Recovered:
    """Take a person's word for what an operation has drawn: one image, or nothing."""
    character_id = (await _known(parts, operation_id)).character_id
    async with leased(parts, character_id) as lease:
        op = await _known(parts, operation_id)
        run = AsyncRun(parts, op, lease)
        if op.finished:
            return _settled_already(op, media_id)
        settled = {"at": utcnow().isoformat(), "by": settled_by, "media_id": media_id}
        options = {**op.options, "settled": settled}
        if media_id is None:
            return await _nothing(run, options)
        image = await _chosen(parts, op, media_id)
        run.op = evolve(run.op, options=options)
        await received(run, url=image.url, media_id=image.id)
        if op.kind == OperationKind.REFERENCE:
            await make_master(run)
        return await bring_in(run)


async def _known(parts: AsyncParts, operation_id: str) -> Operation:
    op = await parts.ledger.get(operation_id)
    if op is None:
        raise InvalidArgument(
            f"There is no operation {operation_id!a:.80}. List the character's operations to see "
            "which there are."
        )
    return op


def _settled_already(op: Operation, media_id: str | None) -> Recovered:
    has = [item.external_id for item in op.items]
    nothing = media_id is None and op.state == OperationState.FAILED
    if media_id not in has and not nothing:
        raise InvalidArgument(
            f"Operation {op.id} is {op.state} already; only one that is open can be settled."
        )
    images = tuple(item.image_id for item in op.items if item.image_id is not None)
    outcome = "failed" if nothing else "completed"
    return outcome_of(op, outcome, images=images, message="It was settled before.")


async def _nothing(run: AsyncRun, options: dict[str, object]) -> Recovered:
    if run.op.items:
        raise InvalidArgument(
            f"What operation {run.op.id} has drawn is known: recover() brings it in."
        )
    message = "A person has settled that there is nothing to bring in."
    await run.write(state=OperationState.FAILED, error=message, options=options)
    return outcome_of(run.op, "failed", message=message)


async def _chosen(parts: AsyncParts, op: Operation, media_id: str) -> LibraryMedia:
    if op.state in OPEN and op.kind in _IMAGES:
        for image in (await look(parts, op)).images:
            if image.id == media_id:
                return image
    raise InvalidArgument(
        f"Media {media_id!a:.80} is nothing that operation {op.id} could be given: it must be an "
        f"image of the character and of the kind {op.kind} that no other operation has."
    )
