# Generated from src/charimg/_async/possible_sets.py by tools/unasync.py. Do not edit.
"""What a set may be whose request was never answered: the jobs that it may have ordered.

Where the Library has no job of that time, it is one that draws within the request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from attrs import field, frozen

from .._library.values import GalleryImage, Job, LibraryMedia
from ..journal import Operation, OperationKind
from ..models import Shot
from .adoption import orderable
from .lost_sets import LostSet, at_once, lost_set
from .operation import SETTLED
from .parts import Parts
from .rivals import OPEN, begun_on_server, taken_by_others

__all__ = [
    "PossibleSet",
    "begun",
    "core_images",
    "drawn_by",
    "has_possible_set",
    "is_settled_set",
    "possible_set",
]


@frozen(kw_only=True)
class PossibleSet:
    """What may be an operation's.

    Attributes:
        known: Media that other operations have, or that was there before.
        images: The images with their shots, by media id, the oldest first.
        evidence: What speaks for and against each, by media id.
        jobs: Which jobs may have drawn it, by media id.
    """

    known: frozenset[str]
    images: dict[str, tuple[LibraryMedia, Shot]] = field(factory=dict)
    evidence: dict[str, list[str]] = field(factory=dict)
    jobs: dict[str, list[Job]] = field(factory=dict)

    def add(
        self, images: Iterable[tuple[LibraryMedia, Shot]], told: Iterable[str], *jobs: Job
    ) -> None:
        """Add what is nobody else's."""
        for media, shot in images:
            if media.id not in self.known:
                self.images.setdefault(media.id, (media, shot))
                self.evidence.setdefault(media.id, [f"It shows {shot.name}."]).extend(told)
                self.jobs.setdefault(media.id, []).extend(jobs)

    def jobs_of(self, media_ids: Collection[str]) -> list[Job]:
        """Return the jobs that may have drawn all of these."""
        each_has = [{job.job_id for job in self.jobs.get(each, ())} for each in media_ids]
        some = {job.job_id: job for each in media_ids for job in self.jobs.get(each, ())}
        return [job for job_id, job in some.items() if all(job_id in ids for ids in each_has)]

    def rest(self, own: Collection[str]) -> dict[str, tuple[LibraryMedia, Shot]]:
        """Return the images that may belong with those that the operation has."""
        seen = [each for each in own if each in self.images]
        jobs = [job.job_id for job in self.jobs_of(seen)]
        return {
            media_id: image
            for media_id, image in self.images.items()
            if media_id not in own
            and (not seen or any(job.job_id in jobs for job in self.jobs[media_id]) == bool(jobs))
        }


def is_settled_set(op: Operation) -> bool:
    """Tell whether a person has said which images are a set's: it may be given more of them."""
    return op.kind == OperationKind.PORTFOLIO and bool(op.items) and SETTLED in op.options


def has_possible_set(op: Operation) -> bool:
    """Tell whether nobody knows which set is the operation's."""
    unknown = op.job_id is None and at_once(op) is None
    is_open = op.state in OPEN or is_settled_set(op)
    return op.kind == OperationKind.PORTFOLIO and unknown and is_open


def possible_set(parts: Parts, op: Operation) -> PossibleSet:
    """Look for what the operation may have drawn.

    Raises:
        CharacterLibraryError: The Library could not be asked.
    """
    taken, _ = taken_by_others(parts, op, ())
    found = PossibleSet(known=taken)
    shown = core_images(parts, op)
    jobs, rivals = orderable(parts, op)
    if op.items:
        # A person has said that they are its own.
        rivals = []
    for job in reversed(jobs):
        images, doubts = drawn_by(parts, op, job, shown)
        found.add(images, [_told(op, job), *doubts], job)
    if not jobs:
        lost = lost_set(parts, op, begun(op))
        gallery = tuple(
            (LibraryMedia(id=media_id, url=image.url), image.shot or _shot(image.angle))
            for media_id, image in shown.items()
        )
        found.add(gallery if lost is None else lost.images, ["It came after the request."])
    for evidence in found.evidence.values():
        evidence += [f"Operation {each} may have asked for it, too." for each in rivals]
        if len(jobs) > 1:
            evidence.append(f"{len(jobs)} jobs may be this operation's, which asked for one.")
    return found


def begun(op: Operation) -> Job:
    """Return what stands for the job on a server without any."""
    return Job(job_id="", status="processing", created_at=begun_on_server(op))


def core_images(parts: Parts, op: Operation) -> dict[str, GalleryImage]:
    """Return the images of sets that the gallery shows, by their ids."""
    listed = parts.library.list_images(op.library_db_id or "", category="core")
    return {image.image_id: image for image in listed.core}


def drawn_by(
    parts: Parts, op: Operation, job: Job, shown: Mapping[str, GalleryImage]
) -> tuple[tuple[tuple[LibraryMedia, Shot], ...], tuple[str, ...]]:
    """Return what a job has drawn, and the doubts about it.

    Args:
        parts: The service's.
        op: The operation whose job it may be.
        job: The job.
        shown: What the gallery shows.
    """
    if job.status != "completed":
        lost = lost_set(parts, op, job) or LostSet()
        return lost.images, lost.doubts
    drawn = (parts.library.get_job(job.job_id)).images
    urls = {media_id: image.url for media_id, image in shown.items()}
    images = (
        (LibraryMedia(id=each.media_id, url=urls.get(each.media_id)), _shot(each.angle))
        for each in drawn
        if each.media_id
    )
    return tuple(images), ()


def _told(op: Operation, job: Job) -> str:
    asked, after = job.created_at, ""
    if asked is not None and op.posted_on_server is not None:
        seconds = max(0, (asked - op.posted_on_server).total_seconds())
        after = f" It was asked for {seconds:.0f} s after this operation's request was sent."
    if job.status == "completed":
        return f"Job {job.job_id} drew it.{after}"
    progress = f"{job.status}, {job.current} of {job.total}"
    return f"Job {job.job_id} ({progress}) may have drawn it.{after}"


def _shot(angle: str | None) -> Shot:
    return Shot(name=angle or "a shot that the Character Library does not name")
