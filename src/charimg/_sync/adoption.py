# Generated from src/charimg/_async/adoption.py by tools/unasync.py. Do not edit.
"""Finding on the Character Library what an operation of unknown outcome has drawn.

An image or job may be taken over if it was not there before the operation's request (its baseline)
and no other operation has it. Operations are looked at newest first: what an older one has drawn
stands in the baseline of a newer one.
"""

from __future__ import annotations

from attrs import frozen

from .._library.values import GalleryImage
from ..journal import Operation, OperationKind, OperationState
from .parts import Parts

__all__ = ["Found", "drawn_set", "find"]

_PAGE = 200


@frozen(kw_only=True)
class Found:
    """What an operation has drawn: one image, a job, or the images of a set."""

    media_id: str | None = None
    url: str | None = None
    job_id: str | None = None
    images: tuple[GalleryImage, ...] = ()


@frozen(kw_only=True)
class _Taken:
    """What the character's other operations have.

    Attributes:
        media: Media ids of their images.
        jobs: Their jobs.
        open_set: Whether one waits for its job: images of the gallery may be that one's.
        unseen: Whether a newer one of the kind was not looked at yet: the new may be that one's.
        rivals: The baselines of newer ones of the kind that have found nothing yet. What is new to
            one of them is that one's, even if it came after it was looked at.
    """

    media: frozenset[str]
    jobs: frozenset[str]
    open_set: bool
    unseen: bool
    rivals: tuple[tuple[str, ...], ...]

    def leaves(self, name: str) -> bool:
        """Tell whether something new is none of the newer operations'."""
        return all(name in baseline for baseline in self.rivals)


def find(parts: Parts, op: Operation) -> Found | None:
    """Return what the operation has drawn, or ``None`` if nothing can be told to be its own."""
    taken = _taken(parts, op)
    if taken.unseen:
        return None
    db_id = op.library_db_id or ""
    if op.kind == OperationKind.REFERENCE:
        state = parts.library.get_reference_image(db_id)
        images = [] if state.media_id is None else [(state.media_id, state.url)]
    elif op.kind == OperationKind.SCENE:
        gallery = parts.library.list_images(db_id, category="scene")
        images = [(image.image_id, image.url) for image in gallery.scenes]
    else:
        return _find_set(parts, op, taken)
    new = [
        each
        for each in images
        if each[0] not in op.baseline and each[0] not in taken.media and taken.leaves(each[0])
    ]
    if len(new) != 1:
        return None
    return Found(media_id=new[0][0], url=new[0][1])


def _find_set(parts: Parts, op: Operation, taken: _Taken) -> Found | None:
    page = parts.library.list_jobs(character_id=op.library_db_id)
    jobs = [
        job.job_id
        for job in page.jobs
        if f"job:{job.job_id}" not in op.baseline
        and job.job_id not in taken.jobs
        and taken.leaves(f"job:{job.job_id}")
    ]
    if len(jobs) == 1:
        return Found(job_id=jobs[0])
    if jobs or taken.open_set:
        return None
    core = _new_core(parts, op, taken)
    images = tuple(image for image in core if taken.leaves(f"image:{image.image_id}"))
    return Found(images=images) if images else None


def drawn_set(parts: Parts, op: Operation) -> tuple[GalleryImage, ...]:
    """Return the images of the gallery that came with the operation's own job."""
    return _new_core(parts, op, _taken(parts, op))


def _new_core(parts: Parts, op: Operation, taken: _Taken) -> tuple[GalleryImage, ...]:
    gallery = parts.library.list_images(op.library_db_id or "", category="core")
    return tuple(
        image
        for image in gallery.core
        if f"image:{image.image_id}" not in op.baseline and image.image_id not in taken.media
    )


def _taken(parts: Parts, op: Operation) -> _Taken:
    media: set[str] = set()
    jobs: set[str] = set()
    rivals: list[tuple[str, ...]] = []
    open_set = unseen = False
    cursor: str | None = None
    while True:
        page = parts.ledger.list(op.character_id, limit=_PAGE, cursor=cursor)
        for other in page.operations:
            if other.id == op.id:
                continue
            newer = other.kind == op.kind and other.id > op.id
            unseen = unseen or (newer and other.state == OperationState.POSTING)
            if newer and other.state == OperationState.UNKNOWN:
                rivals.append(other.baseline)
            media.update(item.external_id for item in other.items if item.external_id)
            if other.job_id is not None:
                jobs.add(other.job_id)
                open_set = open_set or not (other.items or other.finished)
        cursor = page.next_cursor
        if cursor is None:
            return _Taken(
                media=frozenset(media),
                jobs=frozenset(jobs),
                open_set=open_set,
                unseen=unseen,
                rivals=tuple(rivals),
            )
