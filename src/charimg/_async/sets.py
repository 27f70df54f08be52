"""What is written down of a 360° set: finished, forgotten, failed, or standing still."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve

from .._ingest.naming import item_key
from .._library.errors import redacted
from .._library.values import GalleryImage, Job, PortfolioAnswer
from ..errors import CharacterLibraryError, ErrorCode, InvalidArgument
from ..journal import ItemState, Operation, OperationItem, OperationState
from ..models import Shot, utcnow
from .adoption import drawn_set
from .documents import Rescue, not_to_be_read
from .lost_sets import LostSet, looks, lost_set
from .operation import SETTLED, UNFINISHED, AsyncRun

__all__ = [
    "NOT_CHOSEN",
    "is_unfinished",
    "nothing_more",
    "place_late",
    "received_forgotten",
    "received_gallery",
    "received_job",
    "received_late",
    "received_lost",
    "received_set",
    "received_shots",
    "resolve_set",
    "why_missing",
]

NOT_CHOSEN = "not_chosen"
"""What was on offer, too, when a person settled which images are the operation's."""


async def received_job(run: AsyncRun, db_id: str, job: Job) -> None:
    """Write down the images of a completed job."""
    if not job.images and not job.failures:
        # It does not say what it drew; the gallery does.
        await received_gallery(run, await drawn_set(run.parts, run.op))
        return
    answer = PortfolioAnswer(job_id=job.job_id, images=job.images, failures=job.failures)
    await received_set(run, db_id, answer)


async def received_forgotten(run: AsyncRun) -> bool:
    """Write down what a job has drawn that the Library no longer knows; tell whether it has."""
    images = await drawn_set(run.parts, run.op)
    if images:
        await received_gallery(run, images)
    return bool(images)


async def received_gallery(run: AsyncRun, images: Sequence[GalleryImage]) -> None:
    """Write down a set as the gallery shows it."""
    items = tuple(
        _item(
            run,
            index,
            own_prompt=image.prompt,
            source_url=image.url,
            external_id=image.image_id,
            shot=image.shot or (Shot(name=image.angle) if image.angle else None),
        )
        for index, image in enumerate(images)
    )
    await run.receive(received_at=utcnow(), items=items)


async def received_set(run: AsyncRun, db_id: str, answer: PortfolioAnswer) -> None:
    """Write down a finished set: at once as the server told it, then with its true URLs."""
    items = [
        _item(
            run,
            index,
            source_url=image.url,
            external_id=image.media_id,
            shot=Shot(name=image.angle) if image.angle else None,
        )
        for index, image in enumerate(answer.images)
    ]
    items += [
        _item(
            run,
            index,
            state=ItemState.FAILED,
            shot=Shot(name=failure.angle) if failure.angle else None,
            error=redacted(
                failure.error or "The Character Library could not draw this shot.", run.op.prompt
            ),
        )
        for index, failure in enumerate(answer.failures, start=len(items))
    ]
    await run.receive(received_at=utcnow(), items=tuple(items))
    await resolve_set(run, db_id)


async def resolve_set(run: AsyncRun, db_id: str) -> None:
    """Replace the URLs of a set by those of the gallery; a job result's own URL is often dead."""
    pending = [item for item in run.op.items if item.state == ItemState.PENDING]
    if not any(item.external_id for item in pending):
        return
    gallery = await run.parts.library.list_images(db_id, category="core")
    known = {image.image_id: image for image in gallery.core}
    resolved = []
    for item in run.op.items:
        media_id = item.external_id
        if item.state != ItemState.PENDING or media_id is None:
            resolved.append(item)
        elif (image := known.get(media_id)) is None or not image.url:
            resolved.append(await _resolve_by_id(run, item, media_id))
        else:
            resolved.append(_with_gallery(item, image))
    await run.write(items=tuple(resolved))


async def _resolve_by_id(run: AsyncRun, item: OperationItem, media_id: str) -> OperationItem:
    try:
        media = await run.parts.library.get_media(media_id)
    except (CharacterLibraryError, InvalidArgument) as error:
        code = getattr(error, "code", ErrorCode.INVALID_RESPONSE)
        run.warn(code, f"Media {media_id!a} is not in the gallery: {error}")
        return item
    return evolve(item, source_url=media.url or item.source_url)


def _with_gallery(item: OperationItem, image: GalleryImage) -> OperationItem:
    return evolve(
        item,
        source_url=image.url,
        shot=image.shot or item.shot,
        prompt=image.prompt or item.prompt,
        prompt_origin=None if image.prompt else item.prompt_origin,
    )


def _item(
    run: AsyncRun, index: int, *, own_prompt: str | None = None, **known: Any
) -> OperationItem:
    """Return an image of the set, with its reference's prompt where its own is not known."""
    return OperationItem(
        key=item_key(run.op.id, index),
        index=index,
        prompt=own_prompt or run.op.prompt,
        prompt_origin=None if own_prompt or not run.op.prompt else "reference",
        **known,
    )


def why_missing(job: Job, prompt: str) -> str:
    """Return why a job that failed, or stands still, has not drawn all of its shots."""
    if not job.job_id:
        return job.error or ""
    if job.status == "failed":
        reason = redacted(job.error or "no reason given", prompt)
        return f"Job {job.job_id} failed at {job.current} of {job.total}: {reason.rstrip('.')}."
    return f"Job {job.job_id} is {job.status} ({job.current}/{job.total}) and stands still."


def is_unfinished(op: Operation) -> bool:
    """Tell whether the images of a job were taken over that may still draw more."""
    return bool(op.options.get(UNFINISHED))


async def nothing_more(run: AsyncRun) -> None:
    """Write down that no more images of the operation's job are to come."""
    await run.write(options={**run.op.options, UNFINISHED: False})


async def received_lost(run: AsyncRun, job: Job) -> Rescue:
    """Write down what a job has drawn that failed, or stands still.

    The operation becomes ``unknown`` where the images may be somebody else's.

    Args:
        run: The operation; it has no images yet.
        job: The job, as it was polled last.

    Raises:
        CharacterLibraryError: The Library could not be asked.
    """
    lost = await lost_set(run.parts, run.op, job)
    why = why_missing(job, run.op.prompt)
    if lost is None:
        rescue = not_to_be_read(run.parts)
    elif not lost.sought:
        rescue = Rescue.UNSOUGHT
    elif not lost.images:
        rescue = Rescue.NOTHING
    elif lost.doubts:
        rescue = Rescue.UNSURE
    else:
        await received_shots(run, lost, why, unfinished=job.status != "failed")
        return Rescue.FOUND
    if rescue.keeps_open(run.op) and run.op.state != OperationState.UNKNOWN:
        told = rescue if lost is None else " ".join(lost.doubts) or rescue
        await run.write(state=OperationState.UNKNOWN, error=f"{why} {told}")
    return rescue


async def received_shots(
    run: AsyncRun, lost: LostSet, why: str, *, unfinished: bool = False, **options: object
) -> None:
    """Write down the images of a lost set, and which of its shots are missing.

    Args:
        run: The operation.
        lost: What was found.
        why: Why the rest is missing.
        unfinished: Whether more may come.
        options: More that the operation shall remember.
    """
    items = [
        _item(
            run,
            index,
            source_url=media.url,
            external_id=media.id,
            shot=shot,
        )
        for index, (media, shot) in enumerate(lost.images)
    ]
    items += [
        _item(
            run,
            index,
            state=ItemState.FAILED,
            shot=shot,
            error=why,
        )
        for index, shot in enumerate(lost.missing, start=len(items))
    ]
    await run.receive(
        received_at=utcnow(),
        items=tuple(items),
        options={**run.op.options, **options, UNFINISHED: unfinished},
    )


async def received_late(run: AsyncRun, job: Job) -> tuple[str, ...]:
    """Write down what a job has drawn since it was taken over; nothing is there twice.

    Returns:
        Why some of it may be somebody else's: then a person settles it.

    Raises:
        CharacterLibraryError: The Library could not be asked.
    """
    doubts: tuple[str, ...] = ()
    if job.status == "completed":
        drawn = [
            (image.media_id, Shot(name=image.angle or ""))
            for image in job.images
            if image.media_id is not None
        ]
    else:
        lost = await lost_set(run.parts, run.op, job) or LostSet()
        drawn = [(media.id, shot) for media, shot in lost.images]
        doubts = lost.doubts
    known = {item.external_id for item in run.op.items}
    late = [each for each in drawn if each[0] not in known]
    if doubts:
        settled = run.op.options.get(SETTLED) or {}
        if not {media_id for media_id, _ in late}.issubset(settled.get(NOT_CHOSEN, ())):
            return doubts
        # A person has seen all of these already.
        late = []
    await place_late(run, late, more=not job.finished)
    return ()


async def place_late(
    run: AsyncRun, late: Sequence[tuple[str, Shot]], *, more: bool, **options: object
) -> None:
    """Put images in the places of their shots that were missing, else behind the others.

    Args:
        run: The operation.
        late: Media ids, and the shots.
        more: Whether more may come.
        options: More that the operation shall remember.
    """
    if not late and more:
        return
    await run.check_number(len(run.op.items) + len(late))
    items = {item.key: item for item in run.op.items}
    exact = all(_missing(items, shot.name) for _, shot in late)
    alike = {} if exact else await looks(run.parts)
    for media_id, shot in sorted(late, key=lambda each: not _missing(items, each[1].name)):
        places = _missing(items, shot.name) or _places(items, shot.name, alike)
        new = _item(run, len(items))
        key = places[0] if places else new.key
        items[key] = evolve(
            items.get(key, new),
            state=ItemState.PENDING,
            external_id=media_id,
            shot=shot,
            error=None,
        )
    await run.write(
        items=tuple(items.values()),
        options={**run.op.options, **options, UNFINISHED: more},
    )
    await resolve_set(run, run.op.library_db_id or "")


def _places(items: Mapping[str, OperationItem], name: str, alike: Mapping[str, str]) -> list[str]:
    """Return the keys of missing shots that one of this name, which is not among them, may be.

    Args:
        items: The images of the set, by their keys.
        name: The shot's name.
        alike: What each shot is called where only its look is sure.
    """
    look = alike.get(name, name)
    missing = {key: items[key].shot for key in _missing(items)}
    names = {key: shot.name for key, shot in missing.items() if shot is not None}
    # Of two shots that are both known by name neither may be the other.
    maybe = [
        key
        for key, each in names.items()
        if each == look or (name == look and alike.get(each) == look)
    ]
    if maybe:
        return maybe
    # The place of another shot is left to it, where the shots are known.
    known = look in alike.values()
    return [key for key in missing if key not in names or not known]


def _missing(items: Mapping[str, OperationItem], name: str | None = None) -> list[str]:
    """Return the keys of the shots that were not drawn: all, or those of a name."""
    return [
        key
        for key, item in items.items()
        if item.state == ItemState.FAILED
        and item.external_id is None
        and (name is None or (item.shot is not None and item.shot.name == name))
    ]
