# Generated from src/charimg/_async/lost_sets.py by tools/unasync.py. Do not edit.
"""What a 360° job has drawn that failed, or stands still: no gallery shows it.

The files of its shots have the character's name and the moment in theirs (contract page, second
part). They are the job's own if nobody else drew for a character of that name at the time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from attrs import frozen

from .._library.filenames import ShotFile, shot_file, words
from .._library.lost_sets import full_looks, is_retried, look_name, look_names, tell_shots
from .._library.values import Job, LibraryMedia, ReferenceShot
from ..errors import CharacterLibraryError, ErrorCode
from ..journal import Operation, OperationKind
from ..models import Shot
from .adoption import images_of
from .documents import documents
from .operation import BY_DATE, DRAWN_BY, SETTLED
from .parts import Parts
from .rivals import has_all_of, taken_by_others, took_at_end

__all__ = ["NAMED", "LostSet", "at_once", "looks", "lost_set"]

NAMED = "character_name"
"""Option of an operation: what the Library called the character when the set was asked for."""
_NAMELESS = "mm_"
"""Stands in the name of every shot's file. One of a name without Latin letters has little else."""
_NO_ROUTE = 404
_SLACK = timedelta(seconds=1)
"""By how much the moment in a file's name may be off: a name that is taken gets a later one."""
_BEHIND = timedelta(seconds=2)
"""By how much the server's clock may be further on than its last answer told: many tell it late."""
_LONGEST = timedelta(hours=6)
"""For how long a job may draw that has not ended: a restart of the server leaves it like that."""
_JOBS = 50
_MOST = 500
"""How many jobs of all characters are looked at, the newest first."""
_WHENEVER = "When the set was asked for by the server's clock is not known."
_CUT_OFF = f"There are {_MOST} newer jobs, and older ones may have drawn some of it, too."


@frozen(kw_only=True)
class LostSet:
    """What a job has drawn.

    Attributes:
        images: The images with their shots, in the order of drawing.
        missing: The shots that it has not drawn; ``None`` is one that has no name.
        doubts: Why some of the images may be somebody else's; empty if all are the job's own.
        sought: Whether anything was looked for: nobody can where the Library knows no name.
        repeated: Those of the images that show the same shot; no set has all of them.
        size: How many shots the set has; 0 when unknown.
    """

    images: tuple[tuple[LibraryMedia, Shot], ...] = ()
    missing: tuple[Shot | None, ...] = ()
    doubts: tuple[str, ...] = ()
    sought: bool = True
    repeated: tuple[tuple[LibraryMedia, Shot], ...] = ()
    size: int = 0


def at_once(op: Operation) -> Job | None:
    """Return what stands for the job where a server drew within the request, and then failed.

    None, where only a proxy has told when that was.
    """
    until = op.options.get(DRAWN_BY)
    if op.kind != OperationKind.PORTFOLIO or op.job_id is not None or until is None:
        return None
    if BY_DATE in op.options:
        return None
    return Job(
        job_id="",
        status="failed",
        error=op.error,
        created_at=op.posted_on_server,
        completed_at=datetime.fromisoformat(str(until)) + _BEHIND,
    )


def lost_set(
    parts: Parts, op: Operation, job: Job, *, only: Collection[str] | None = None
) -> LostSet | None:
    """Look among the media documents for what the operation's job has drawn.

    Args:
        parts: The service's.
        op: The operation.
        job: Its job, as it was polled last.
        only: Media ids: nothing else is the job's.

    Returns:
        What is there; ``None`` where media documents are not to be read.

    Raises:
        CharacterLibraryError: The Library could not be asked.
    """
    own_names = _names(parts, op)
    if not own_names:
        return LostSet(sought=False)
    others = _jobs(parts, op)
    own = next((each for each in others if each.job_id == job.job_id), job)
    told = own.created_at or op.posted_on_server
    begun = told or op.created_at - _LONGEST
    found: dict[str, LibraryMedia] = {}
    for who in own_names:
        part = max(who.split("_"), key=len) or _NAMELESS
        some = documents(parts, part, since=begun)
        if some is None:
            return None
        found.update({each.id: each for each in some})
    near = [
        each
        for each in others
        if each.job_id != job.job_id and _meet(each, begun, job.completed_at)
    ]
    called = {
        db_id: None if db_id == op.library_db_id else _who(parts, db_id)
        for db_id in {each.character_id for each in near}
    }
    rivals = [each for each in near if called[each.character_id] in (*own_names, None)]
    taken, ours = taken_by_others(parts, op, {each.character_id or "" for each in rivals})
    known: set[str | None] = {*taken}
    untold = []
    for rival in rivals:
        if any(has_all_of(each, rival) for each in ours):
            continue
        drawn = images_of(parts, rival)
        known.update(image.media_id for image in drawn)
        if not drawn:
            untold.append((rival, _settled_looks(parts, ours, rival)))
    files = sorted(
        (
            (file, media)
            for media in found.values()
            if (file := shot_file(media.filename or media.url)) is not None
            and file.who in own_names
            and media.id not in known
            and begun <= file.moment
            and (job.completed_at is None or file.moment <= job.completed_at + _SLACK)
        ),
        key=lambda each: (each[0].moment, each[1].id),
    )
    names = [*(file for file, _ in files), None]
    files = [
        each
        for index, each in enumerate(files)
        if not is_retried(each[0], names[index + 1]) and (only is None or each[1].id in only)
    ]
    doubts = [
        f"Job {rival.job_id} drew for a character of the same name then, too."
        for rival, looks_there in untold
        if any(
            _meet(rival, file.moment, file.moment) and look_name(file) not in looks_there
            for file, _ in files
        )
    ]
    doubts += [_CUT_OFF] * (len(others) >= _MOST)
    doubts += [_WHENEVER] * (told is None)
    return _told(parts, job, files, doubts)


def looks(parts: Parts) -> dict[str, str]:
    """Return what each shot of a set is called where only its look is sure."""
    return look_names(_shots(parts))


def _settled_looks(parts: Parts, operations: Sequence[Operation], job: Job) -> frozenset[str]:
    """Return the looks of which the set of an ended job has all, as a person has settled it.

    It may have been settled with too few: what shows another look may be its, too.
    """
    for op in operations:
        if op.options.get(SETTLED) and took_at_end(op, job):
            there = [item.shot.name for item in op.items if item.external_id and item.shot]
            return full_looks(there, _shots(parts, job))
    return frozenset()


def _told(
    parts: Parts,
    job: Job,
    files: Sequence[tuple[ShotFile, LibraryMedia]],
    doubts: Sequence[str],
) -> LostSet:
    shots = _shots(parts, job)
    # The server draws one after the other: it has not been at those after the current one.
    begun = job.current + 1 if job.total else len(shots)
    told = tell_shots([file for file, _ in files], shots[:begun])
    if told.too_many:
        doubts = (*doubts, "There are more images than a set has: somebody drew some of them, too.")
    missing: tuple[Shot | None, ...] = (*told.missing, *(each.shot for each in shots[begun:]))
    if not job.total or not shots:
        # Nobody knows which shots were to be drawn.
        missing = (None,) * max(0, job.total - len(files))
    images = tuple((media, shot) for (_, media), shot in zip(files, told.shots, strict=True))
    return LostSet(
        images=images,
        missing=missing,
        doubts=tuple(doubts),
        repeated=tuple(images[index] for index in told.repeated),
        size=job.total or len(shots),
    )


def _meet(other: Job, begun: datetime, ended: datetime | None) -> bool:
    """Tell whether another job may have drawn something in that time."""
    since = other.created_at or begun
    until = other.completed_at or since + _LONGEST
    return until + _SLACK >= begun and (ended is None or since <= ended + _SLACK)


def _jobs(parts: Parts, op: Operation) -> list[Job]:
    """Return the jobs of all characters since some time before the operation, newest first."""
    found: list[Job] = []
    early = (op.posted_on_server or op.created_at) - _LONGEST
    number, more = 1, True
    while more and len(found) < _MOST:
        page = parts.library.list_jobs(limit=_JOBS, page=number)
        found += page.jobs
        oldest = page.jobs[-1].created_at if page.jobs else None
        number, more = number + 1, page.has_next and (oldest is None or oldest > early)
    return found


def _names(parts: Parts, op: Operation) -> frozenset[str]:
    """Return the words with which the files may begin: of the name of now, and of then."""
    who, then = _who(parts, op.library_db_id), op.options.get(NAMED)
    told = (who, words(str(then)) if then else None)
    return frozenset(each for each in told if each is not None)


def _who(parts: Parts, db_id: str | None) -> str | None:
    """Return the character's name as words; ``None`` when the Library does not know it."""
    if db_id is None:
        return None
    try:
        return words((parts.library.get_character(db_id)).name)
    except CharacterLibraryError as error:
        if error.code != ErrorCode.NOT_FOUND:
            raise
        return None


def _shots(parts: Parts, job: Job | None = None) -> tuple[ReferenceShot, ...]:
    """Return the shots of a set, in the order of drawing; none where the server has no list."""
    try:
        shots = parts.library.list_reference_shots()
    except CharacterLibraryError as error:
        if error.status_code != _NO_ROUTE:
            raise
        return ()
    core = tuple(each for each in shots if each.pack in (None, "core"))
    return core if job is None else core[: job.total or None]
