"""Finding on the Character Library what an operation of unknown outcome has drawn.

A request whose answer was lost may be drawn at once, much later, or never; an older one may end
after a newer one, and other clients of the server draw, too. What is new is therefore taken over
only when it can be nobody else's: see `charimg._library.claims`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import evolve, frozen

from .._library.claims import OFF, Claim, Drawing, could_be, given, is_late
from .._library.filenames import file_name, last_part
from .._library.values import GalleryImage, Job, LibraryMedia, PortfolioImage
from ..errors import CharacterLibraryError, ErrorCode
from ..journal import Operation, OperationKind, OperationState
from .documents import Rescue, documents, not_to_be_read
from .operation import BY_DATE, DRAWN_BY, PERHAPS
from .parts import AsyncParts
from .rivals import drawn_until, given_up, has_all_of, may_draw_since, off, on_server, rivals_of

__all__ = [
    "Doubt",
    "Found",
    "Lying",
    "drawn_set",
    "find",
    "images_of",
    "look",
    "orderable",
]

_JOBS = 50


@frozen(kw_only=True)
class Found:
    """What an operation has drawn: one image, a job, or the images of a set.

    Attributes:
        media_id: The image.
        url: Where it is served.
        unread: Whether it is a reference that the server lost: it could not read its features.
        job_id: The job.
        images: The images of a set.
    """

    media_id: str | None = None
    url: str | None = None
    unread: bool = False
    job_id: str | None = None
    images: tuple[GalleryImage, ...] = ()


@frozen(kw_only=True)
class Doubt:
    """Nothing can be told to be the operation's own.

    Attributes:
        number: How many images, or jobs, may be.
        why: Why none of them is taken.
        rescue: What came of looking, where the request is over and nothing of it was seen.
    """

    number: int = 0
    why: str = ""
    rescue: Rescue | None = None


@frozen(kw_only=True)
class Lying:
    """What lies on the Library of an operation's kind, and no operation has.

    Attributes:
        images: The media documents.
        drawings: What is known of them, by their ids.
        claims: Which operations may have drawn one.
        master: The character's master reference, when that is the kind.
        whole: Whether nothing can lie there unseen: the media documents were read.
        tellable: Whether any of it can be told to be somebody's own.
    """

    images: tuple[LibraryMedia, ...]
    drawings: Mapping[str, Drawing]
    claims: tuple[Claim, ...]
    master: str | None
    whole: bool
    tellable: bool


async def find(parts: AsyncParts, op: Operation) -> Found | Doubt:
    """Return what the operation has drawn, or why nothing can be told to be its own."""
    if op.kind == OperationKind.PORTFOLIO:
        return await _find_set(parts, op)
    lying = await look(parts, op)
    sure = given(lying.claims, lying.drawings.values()) if lying.tellable else {}
    own = _drawn_by(op, lying) or sure.get(op.id)
    image = next((image for image in lying.images if image.id == own), None)
    if image is not None and is_late(lying.drawings[image.id], drawn_until(op), off=off(op)):
        return Doubt(number=1, why="It came after the Character Library had said that it failed.")
    if image is None:
        doubt = _doubt(op, lying.claims, lying.drawings.values())
        if DRAWN_BY not in op.options or doubt.number:
            return doubt
        return evolve(doubt, rescue=Rescue.NOTHING if lying.whole else not_to_be_read(parts))
    unread = image.processing == "error"
    if op.kind == OperationKind.REFERENCE and not unread and own != lying.master:
        # A reference is the master from then on; another one is not made that unasked.
        return Doubt(number=1, why="It is not the Character Library's master reference.")
    return Found(media_id=own, url=image.url, unread=unread)


def _doubt(op: Operation, claims: Iterable[Claim], drawings: Iterable[Drawing]) -> Doubt:
    own = [claim for claim in claims if claim.operation_id == op.id]
    maybe = [each for each in drawings if any(could_be(claim, each, off=OFF) for claim in own)]
    others = [
        claim.operation_id
        for claim in claims
        if claim not in own and any(could_be(claim, each) for each in maybe)
    ]
    why = [f"Operation {each} may have drawn it, too." for each in others]
    if not why and not any(could_be(claim, each) for claim in own for each in maybe):
        why = ["By its time it should not be, but clocks may differ."]
    return Doubt(
        number=len(maybe),
        why=" ".join(why) or "Somebody else has drawn for the character, too.",
    )


def _drawn_by(op: Operation, lying: Lying) -> str | None:
    """Return the image of which the server said that it is there: the only one of that time."""
    until = drawn_until(op)
    if op.posted_on_server is None or until is None or {PERHAPS, BY_DATE} & {*op.options}:
        return None
    claim = Claim(
        operation_id=op.id,
        begun=op.posted_on_server,
        ended=until,
        known=frozenset(op.baseline),
    )
    of_that_time = [each.id for each in lying.drawings.values() if could_be(claim, each)]
    return of_that_time[0] if len(of_that_time) == 1 else None


async def look(parts: AsyncParts, op: Operation) -> Lying:
    """Look for images of the operation's kind, a reference or a scene."""
    db_id, master = op.library_db_id or "", None
    tags: Mapping[str, str | None] = {}
    if op.kind == OperationKind.REFERENCE:
        state = await parts.library.get_reference_image(db_id)
        master = state.media_id
        shown = [] if master is None else [LibraryMedia(id=master, url=state.url)]
        kind = "initial"
    else:
        gallery = await parts.library.list_images(db_id, category="scene")
        shown = [LibraryMedia(id=image.image_id, url=image.url) for image in gallery.scenes]
        tags = {image.image_id: image.tags for image in gallery.scenes}
        kind = "scene"
    images = await documents(parts, f"{db_id}_{kind}_")
    # Only now: whoever has drawn what was seen is in it.
    ledger = await rivals_of(parts, op)
    new = tuple(
        image
        for image in (shown if images is None else images)
        if image.id not in ledger.media and last_part(image.url) not in ledger.names
    )
    return Lying(
        images=new,
        drawings={image.id: _drawing(image, tags.get(image.id)) for image in new},
        claims=ledger.claims,
        master=master,
        whole=images is not None,
        # Of two that were drawn at once the gallery has one, and nobody knows whose.
        tellable=images is not None or len(ledger.open) == 1,
    )


def _drawing(image: LibraryMedia, tags: str | None) -> Drawing:
    name = file_name(image.url)
    return Drawing(
        id=image.id,
        moment=None if name is None else name.moment,
        scene_type=None if name is None else name.scene_type,
        mood=None if tags is None else ",".join(tags.split(",")[2:]),
    )


async def _find_set(parts: AsyncParts, op: Operation) -> Found | Doubt:
    page = await parts.library.list_jobs(character_id=op.library_db_id, limit=_JOBS)
    ledger = await rivals_of(parts, op)
    told = {each.job_id for each in ledger.others}
    jobs = [
        Drawing(id=f"job:{job.job_id}", moment=job.created_at)
        for job in page.jobs
        if job.job_id not in told
    ]
    own = given(ledger.claims, jobs).get(op.id)
    if own is not None:
        return Found(job_id=own.removeprefix("job:"))
    doubt = _doubt(op, ledger.claims, jobs)
    if doubt.number or len(ledger.open) > 1:
        return doubt
    images = await drawn_set(parts, op)
    return Found(images=images) if images else doubt


async def orderable(parts: AsyncParts, op: Operation) -> tuple[list[Job], list[str]]:
    """Return the jobs that may be the operation's, newest first, and who else may have them."""
    ledger = await rivals_of(parts, op)
    page = await parts.library.list_jobs(character_id=op.library_db_id, limit=_JOBS)
    told = {each.job_id for each in ledger.others}
    jobs = [
        job
        for job in page.jobs
        if job.job_id not in told
        and could_be(ledger.own, Drawing(id=f"job:{job.job_id}", moment=job.created_at), off=OFF)
    ]
    return jobs, sorted(ledger.open - {op.id})


async def drawn_set(parts: AsyncParts, op: Operation) -> tuple[GalleryImage, ...]:
    """Return the images of the gallery that came with the operation's own set.

    None, if somebody else may have drawn some of them.
    """
    gallery = await parts.library.list_images(op.library_db_id or "", category="core")
    page = await parts.library.list_jobs(character_id=op.library_db_id, limit=_JOBS)
    ledger = await rivals_of(parts, op)
    listed = {job.job_id for job in page.jobs}
    if any(each.job_id not in listed and _waits(each, op) for each in ledger.others):
        return ()
    taken = set(ledger.media)
    for job in page.jobs:
        # A job that fails puts nothing into the gallery.
        if job.job_id == op.job_id or job.status == "failed" or _over_before(job, op):
            continue
        if any(has_all_of(each, job) for each in ledger.others):
            continue
        drawn = await images_of(parts, job)
        if not drawn:
            # It has not ended, or does not say what it has drawn.
            return ()
        taken.update(image.media_id for image in drawn if image.media_id)
    return tuple(
        image
        for image in gallery.core
        if f"image:{image.image_id}" not in op.baseline and image.image_id not in taken
    )


def _waits(other: Operation, op: Operation) -> bool:
    """Tell whether another operation's job, of which nobody has the images, may draw since."""
    told = other.items or (other.state == OperationState.FAILED and not given_up(other))
    return other.job_id is not None and not told and may_draw_since(other, op)


def _over_before(job: Job, op: Operation) -> bool:
    """Tell whether a job had ended when the operation looked at what was there."""
    began = on_server(op, op.created_at)
    return began is not None and job.completed_at is not None and job.completed_at < began


async def images_of(parts: AsyncParts, job: Job) -> tuple[PortfolioImage, ...]:
    """Return the images that a job names: none before it is completed."""
    if not job.finished:
        return ()
    try:
        return (await parts.library.get_job(job.job_id)).images
    except CharacterLibraryError as error:
        if error.code != ErrorCode.NOT_FOUND:
            raise
        return ()
