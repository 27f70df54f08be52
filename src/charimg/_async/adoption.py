"""Finding on the Character Library what an operation of unknown outcome has drawn.

A request whose answer was lost may be drawn at once, much later, or never; an older one may end
after a newer one, and other clients of the server draw, too. What is new is therefore taken over
only when it can be nobody else's: see `charimg._library.claims`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import frozen

from .._library.claims import Claim, Drawing, could_be, given
from .._library.filenames import file_name, last_part
from .._library.values import GalleryImage, Job, LibraryMedia
from ..journal import Operation, OperationKind, OperationState
from .documents import documents
from .operation import DRAWN_BY
from .parts import AsyncParts

__all__ = [
    "OPEN",
    "Found",
    "Lying",
    "drawn_set",
    "find",
    "known_media",
    "look",
    "operations_of",
    "orderable",
]

_PAGE = 200
OPEN = (OperationState.POSTING, OperationState.UNKNOWN)
"""What the server has drawn for such an operation, if anything, is not written down."""


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
class _Ledger:
    """What the character's operations have, and what they may have.

    Attributes:
        media: Media ids of their images.
        names: Names of their images' files.
        jobs: Their jobs.
        claims: Of those of the operation's kind that have nothing: how they can be told.
        open: Ids of the operations with a claim that may still draw.
        open_set: Whether one waits for its job: images of the gallery may be that one's.
    """

    media: frozenset[str]
    names: frozenset[str]
    jobs: frozenset[str]
    claims: tuple[Claim, ...]
    open: frozenset[str]
    open_set: bool


@frozen(kw_only=True)
class Lying:
    """What lies on the Library of an operation's kind, and no operation has.

    Attributes:
        images: The media documents.
        drawings: What is known of them, by their ids.
        claims: Which operations may have drawn one.
        master: The character's master reference, when that is the kind.
    """

    images: tuple[LibraryMedia, ...]
    drawings: Mapping[str, Drawing]
    claims: tuple[Claim, ...]
    master: str | None


async def find(parts: AsyncParts, op: Operation) -> Found | None:
    """Return what the operation has drawn, or ``None`` if nothing can be told to be its own."""
    if op.kind == OperationKind.PORTFOLIO:
        return await _find_set(parts, op, await _read(parts, op))
    lying = await look(parts, op)
    own = _drawn_by(op, lying) or given(lying.claims, lying.drawings.values()).get(op.id)
    image = next((image for image in lying.images if image.id == own), None)
    if image is None:
        return None
    unread = image.processing == "error"
    if op.kind == OperationKind.REFERENCE and not unread and own != lying.master:
        # A reference is the master from then on; another one is not made that unasked.
        return None
    return Found(media_id=own, url=image.url, unread=unread)


def _drawn_by(op: Operation, lying: Lying) -> str | None:
    """Return the image of which the server said that it is there: the only one of that time."""
    if op.posted_on_server is None or DRAWN_BY not in op.options:
        return None
    until = datetime.fromisoformat(str(op.options[DRAWN_BY]))
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
    ledger = await _read(parts, op)
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
    if images is None:
        # Of two that were drawn at once the gallery has one.
        images = shown if len(ledger.open) == 1 else []
    new = tuple(
        image
        for image in images
        if image.id not in ledger.media and last_part(image.url) not in ledger.names
    )
    return Lying(
        images=new,
        drawings={image.id: _drawing(image, tags.get(image.id)) for image in new},
        claims=ledger.claims,
        master=master,
    )


def _drawing(image: LibraryMedia, tags: str | None) -> Drawing:
    name = file_name(image.url)
    return Drawing(
        id=image.id,
        moment=None if name is None else name.moment,
        scene_type=None if name is None else name.scene_type,
        mood=None if tags is None else ",".join(tags.split(",")[2:]),
    )


async def _find_set(parts: AsyncParts, op: Operation, ledger: _Ledger) -> Found | None:
    page = await parts.library.list_jobs(character_id=op.library_db_id)
    jobs = [
        Drawing(id=f"job:{job.job_id}", moment=job.created_at)
        for job in page.jobs
        if job.job_id not in ledger.jobs
    ]
    own = given(ledger.claims, jobs).get(op.id)
    if own is not None:
        return Found(job_id=own.removeprefix("job:"))
    if any(each.id not in op.baseline for each in jobs) or ledger.open_set or len(ledger.open) > 1:
        return None
    images = await _new_core(parts, op, ledger)
    return Found(images=images) if images else None


async def orderable(parts: AsyncParts, op: Operation) -> tuple[list[Job], list[str]]:
    """Return the jobs that may be the operation's, newest first, and who else may have them."""
    ledger = await _read(parts, op)
    page = await parts.library.list_jobs(character_id=op.library_db_id)
    own = [claim for claim in ledger.claims if claim.operation_id == op.id]
    jobs = [
        job
        for job in page.jobs
        if job.job_id not in ledger.jobs
        and any(
            could_be(claim, Drawing(id=f"job:{job.job_id}", moment=job.created_at)) for claim in own
        )
    ]
    return jobs, sorted(ledger.open - {op.id})


async def drawn_set(parts: AsyncParts, op: Operation) -> tuple[GalleryImage, ...]:
    """Return the images of the gallery that came with the operation's own job."""
    return await _new_core(parts, op, await _read(parts, op))


async def _new_core(parts: AsyncParts, op: Operation, ledger: _Ledger) -> tuple[GalleryImage, ...]:
    gallery = await parts.library.list_images(op.library_db_id or "", category="core")
    return tuple(
        image
        for image in gallery.core
        if f"image:{image.image_id}" not in op.baseline and image.image_id not in ledger.media
    )


async def known_media(parts: AsyncParts, op: Operation) -> frozenset[str]:
    """Return the media ids that other operations of the character have, and what was there."""
    there = (each.removeprefix("image:") for each in op.baseline)
    return (await _read(parts, op)).media.union(there)


async def _read(parts: AsyncParts, op: Operation) -> _Ledger:
    operations = await operations_of(parts, op.character_id)
    others = [each for each in operations if each.id != op.id]
    items = [item for each in others for item in each.items]
    rivals = [each for each in operations if each.kind == op.kind and _may_have_drawn(each)]
    return _Ledger(
        media=frozenset(item.external_id for item in items if item.external_id),
        names=frozenset(filter(None, (last_part(item.source_url) for item in items))),
        jobs=frozenset(each.job_id for each in others if each.job_id is not None),
        claims=tuple(map(_claim, rivals)),
        open=frozenset(each.id for each in rivals if each.state in OPEN),
        open_set=any(each.job_id and not (each.items or each.finished) for each in others),
    )


async def operations_of(parts: AsyncParts, character_id: str) -> list[Operation]:
    """Return every operation of a character, newest first."""
    found: list[Operation] = []
    cursor: str | None = None
    while True:
        page = await parts.ledger.list(character_id, limit=_PAGE, cursor=cursor)
        found += page.operations
        cursor = page.next_cursor
        if cursor is None:
            return found


def _may_have_drawn(op: Operation) -> bool:
    """Tell whether something may be the operation's, although it has nothing."""
    if "settled" in op.options:
        return False
    failed = op.state == OperationState.FAILED and op.posted_at is not None
    return op.job_id is None and (op.state in OPEN or (failed and not op.items))


def _claim(op: Operation) -> Claim:
    begun, ended = op.posted_on_server, None
    if begun is not None and op.posted_at is not None and op.state == OperationState.FAILED:
        ended = begun + (op.updated_at - op.posted_at)
    asked = {name: op.options.get(name) for name in ("scene_type", "mood")}
    return Claim(
        operation_id=op.id,
        begun=begun,
        ended=ended,
        **{name: None if value is None else str(value) for name, value in asked.items()},
        known=frozenset(op.baseline),
    )
