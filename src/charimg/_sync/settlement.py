# Generated from src/charimg/_async/settlement.py by tools/unasync.py. Do not edit.
"""What stays unknown is settled by a person: this image, or none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from attrs import evolve

from .._arguments import check_texts
from .._ingest.urls import public
from .._ingest.values import Download
from .._library.claims import OFF, Claim, Drawing, could_be
from .._library.values import Job, LibraryMedia
from ..errors import CharacterLibraryError, ErrorCode, InvalidArgument
from ..journal import (
    Candidate,
    Operation,
    OperationItem,
    OperationKind,
    OperationState,
    Recovered,
)
from ..models import Shot, utcnow
from .adoption import Lying, look
from .generate import received, try_make_master
from .leases import alone_with, leased
from .lost_sets import LostSet, at_once, lost_set
from .operation import FOUND_LATER, PERHAPS, SETTLED, Run, without_end
from .parts import Parts
from .possible_sets import (
    begun,
    core_images,
    drawn_by,
    has_possible_set,
    is_settled_set,
    possible_set,
)
from .recovery import bring_in, outcome_of
from .rivals import OPEN, taken_by_others
from .sets import NOT_CHOSEN, is_unfinished, place_late, received_shots, why_missing
from .sources import source_of

__all__ = ["candidates", "fetch_candidate", "settle_by_hand"]

_NAMED = 6
"""How many ids an error names."""
_IMAGES = (OperationKind.REFERENCE, OperationKind.SCENE)


def candidates(parts: Parts, operation_id: str) -> tuple[Candidate, ...]:
    """Return what the operation may have drawn, the newest first, as it may be shown."""
    return tuple(
        evolve(each, url=public(each.url)) if each.url else each
        for each in _candidates(parts, operation_id)
    )


def _candidates(parts: Parts, operation_id: str) -> tuple[Candidate, ...]:
    """Return the same, each with its whole URL."""
    op = _open_again(_known(parts, operation_id))
    if has_possible_set(op):
        possible = possible_set(parts, op)
        return tuple(
            Candidate(
                media_id=media.id,
                url=media.url,
                drawn_at=media.created_at,
                evidence=tuple(possible.evidence[media.id]),
            )
            for media, _ in reversed(possible.rest(_own(op)).values())
        )
    if _has_lost_set(op):
        lost = _lost_set(parts, op, _job(parts, op))
        return tuple(_shot_of(each, lost) for each in lost.images[::-1])
    if op.state not in OPEN or op.kind not in _IMAGES:
        return ()
    lying = look(parts, op)
    # None, if somebody has settled it just now.
    own = [claim for claim in lying.claims if claim.operation_id == op.id]
    return tuple(
        _candidate(image, claim, lying)
        for claim in own
        for image in lying.images
        if could_be(claim, lying.drawings[image.id], off=OFF)
    )


def _open_again(op: Operation) -> Operation:
    """Return an operation as it was before it was said that there is nothing, or nothing more.

    A person said so, or the server, and it may have come later.
    """
    if op.state == OperationState.DONE and (is_unfinished(op) or is_settled_set(op)):
        return evolve(op, state=OperationState.RECEIVED)
    if op.state != OperationState.FAILED or op.items or not {SETTLED, PERHAPS} & {*op.options}:
        return op
    # A set that came later came by a job.
    return evolve(op, state=OperationState.UNKNOWN, options=without_end(op))


def _own(op: Operation) -> set[str]:
    """Return the media ids that the operation has."""
    return {item.external_id for item in op.items if item.external_id is not None}


def _has_lost_set(op: Operation) -> bool:
    known = op.job_id is not None or at_once(op) is not None
    return known and (op.state in OPEN or is_unfinished(op) or is_settled_set(op))


def _job(parts: Parts, op: Operation) -> Job:
    """Return the operation's job, or what stands for it."""
    try:
        return at_once(op) or parts.library.get_job(op.job_id or "")
    except CharacterLibraryError as error:
        if error.code != ErrorCode.NOT_FOUND:
            raise
        return begun(op)


def _names_images(job: Job) -> bool:
    return any(image.media_id for image in job.images)


def _lost_set(parts: Parts, op: Operation, job: Job) -> LostSet:
    """Return what may be the operation's, and what it does not have yet."""
    own = frozenset(_own(op))
    if _names_images(job):
        # What a completed job says that it has drawn, no file needs to tell.
        drawn, _ = drawn_by(parts, op, job, core_images(parts, op))
        lost, own = LostSet(images=drawn), own | (taken_by_others(parts, op, ()))[0]
    else:
        lost = lost_set(parts, op, job) or LostSet()
    return evolve(lost, images=tuple(each for each in lost.images if each[0].id not in own))


def _check_set(op: Operation, lost: LostSet) -> None:
    shots: dict[str, list[str]] = {}
    # The newest first, as the candidates are shown.
    for media, shot in lost.repeated[::-1]:
        shots.setdefault(shot.name, []).append(media.id)
    told = [f"There are too many of {name}: {_ids(ids)}." for name, ids in shots.items()]
    if 0 < lost.size < len(lost.images):
        told.append(f"With them it would have {len(lost.images)} of {lost.size} shots.")
    if told:
        raise InvalidArgument(
            f"The set of operation {op.id} cannot have all of these images. {' '.join(told)} "
            "Choose those that belong to it; nothing was changed."
        )


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
        when = "before" if seconds < 0 else "after"
        told.append(f"It was there {abs(seconds):.0f} s {when} the request.")
    if drawing.id == lying.master:
        told.append("It is the Character Library's master reference.")
    others = [
        each.operation_id
        for each in lying.claims
        if each.operation_id != claim.operation_id and could_be(each, drawing)
    ]
    told += [f"Operation {each} may have drawn it, too." for each in others]
    return told


def fetch_candidate(parts: Parts, operation_id: str, media_id: str) -> Download:
    """Download one of the candidates, as guarded and checked as what is brought in."""
    op = _known(parts, operation_id)
    for each in _candidates(parts, operation_id):
        if each.media_id == media_id:
            item = OperationItem(key=media_id, index=0, source_url=each.url, external_id=media_id)
            url = source_of(parts, item)
            return parts.downloader.fetch(url, library_url=parts.library.base_url)
    raise _not_its_own(op, [media_id])


def settle_by_hand(
    parts: Parts,
    operation_id: str,
    media_id: str | Sequence[str] | None,
    settled_by: str | None,
) -> Recovered:
    """Take a person's word for what an operation has drawn: these images, or nothing."""
    media_ids = _checked(media_id)
    check_texts(media_id=media_ids, settled_by=settled_by)
    character_id = (_known(parts, operation_id)).character_id
    with leased(parts, character_id) as lease:
        op = _known(parts, operation_id)
        new = [each for each in media_ids if each not in _own(op)]
        if new:
            op = _open_again(op)
        run = Run(parts, op, lease)
        if op.finished:
            return _settled_already(op, media_ids)
        settled = {"at": utcnow().isoformat(), "by": settled_by, "media_ids": media_ids}
        if before := op.options.get(SETTLED):
            settled["before"] = before
        if not media_ids:
            return _nothing(run, settled)
        if not op.items:
            run.intend(**{FOUND_LATER: True})
        with alone_with(parts, op):
            if op.kind == OperationKind.PORTFOLIO:
                if new:
                    _take_set(run, new, settled)
            else:
                image = _chosen(parts, op, media_ids)
                run.intend(**{SETTLED: settled})
                received(run, url=image.url, media_id=image.id)
        if op.kind == OperationKind.REFERENCE:
            try_make_master(run)
        return bring_in(run)


def _checked(media_id: str | Sequence[str] | None) -> list[str]:
    """Return the ids of the images, each once; none for nothing."""
    if media_id is None:
        return []
    ids = [media_id] if isinstance(media_id, str) else list(media_id)
    # A list that came out empty by a slip is nobody's word that there is nothing.
    if not ids or not all(isinstance(each, str) for each in ids):
        raise InvalidArgument(
            "media_id must be the id of an image, or a list of at least one; only None says that "
            "nothing was drawn. Nothing was changed."
        )
    return list(dict.fromkeys(ids))


def _take_possible(run: Run, media_ids: Sequence[str], settled: Mapping[str, object]) -> None:
    op = run.op
    possible = possible_set(run.parts, op)
    rest = possible.rest(_own(op))
    _check_known(op, media_ids, rest)
    jobs = possible.jobs_of([*_own(op).intersection(possible.images), *media_ids])
    if not jobs and possible.jobs[media_ids[0]]:
        raise InvalidArgument(
            f"Operation {op.id} has asked for one set, and no job has drawn all of these images. "
            "Choose those of one job, as candidates() tells; nothing was changed."
        )
    any_job = jobs[0] if jobs else begun(op)
    if any_job.status != "completed":
        _chosen_set(run, any_job, media_ids)
    if len(jobs) == 1:
        # Nobody else is given the job from now on, and what it has yet to draw comes later.
        run.op = evolve(op, job_id=any_job.job_id)
    chosen = LostSet(images=tuple(each for key, each in rest.items() if key in media_ids))
    more = len(jobs) == 1 and not any_job.finished
    left = [key for key in rest if key not in media_ids]
    _take(run, chosen, "", more, {**settled, NOT_CHOSEN: left})


def _take_set(run: Run, media_ids: Sequence[str], settled: Mapping[str, object]) -> None:
    op = run.op
    if has_possible_set(op):
        _take_possible(run, media_ids, settled)
        return
    if not _has_lost_set(op):
        raise _not_its_own(op, media_ids)
    job = _job(run.parts, op)
    lost = _lost_set(run.parts, op, job)
    rest = {image[0].id: image for image in lost.images}
    _check_known(op, media_ids, rest)
    chosen = LostSet(images=tuple(each for key, each in rest.items() if key in media_ids))
    left = {key: image for key, image in rest.items() if key not in media_ids}
    why = "It is not among the images that a person has chosen."
    if _names_images(job):
        failed = (Shot(name=each.angle) if each.angle else None for each in job.failures)
        chosen = evolve(chosen, missing=(*(shot for _, shot in left.values()), *failed))
    else:
        told = _chosen_set(run, job, media_ids)
        # All of them tell best what each shows, unless others are among them.
        chosen = chosen if op.items and not lost.doubts else told
        if job.status != "completed":
            why = f"{why_missing(job, op.prompt)} {why}".strip()
    more = bool(job.job_id) and not job.finished
    _take(run, chosen, why, more, {**settled, NOT_CHOSEN: [*left]})


def _chosen_set(run: Run, job: Job, media_ids: Sequence[str]) -> LostSet:
    """Return the chosen images as a set with those that the operation has.

    Raises:
        InvalidArgument: A set cannot have all of these.
    """
    own = _own(run.op)
    lost = lost_set(run.parts, run.op, job, only=own.union(media_ids)) or LostSet()
    _check_set(run.op, lost)
    return evolve(lost, images=tuple(each for each in lost.images if each[0].id not in own))


def _take(run: Run, chosen: LostSet, why: str, more: bool, settled: Mapping[str, object]) -> None:
    """Write down what a person has chosen, with what the operation has."""
    before = run.op.options.get(SETTLED)
    options = {SETTLED: dict(settled)}
    if not run.op.items:
        received_shots(run, chosen, why, unfinished=more, **options)
        return
    late = [(media.id, shot) for media, shot in chosen.images]
    given_up = before is not None and not before["media_ids"]
    place_late(run, late, more=more and not given_up, **options)


def _check_known(op: Operation, media_ids: Sequence[str], known: Collection[str]) -> None:
    if strange := [each for each in media_ids if each not in known]:
        raise _not_its_own(op, strange)


def _known(parts: Parts, operation_id: str) -> Operation:
    op = parts.ledger.get(operation_id)
    if op is None:
        raise InvalidArgument(
            f"There is no operation {operation_id!a:.80}. List the character's operations to see "
            "which there are."
        )
    return op


def _settled_already(op: Operation, media_ids: Sequence[str]) -> Recovered:
    """Give the same answer to the same word; another one comes too late."""
    settled = op.options.get(SETTLED)
    if media_ids:
        same = set(media_ids) <= _own(op)
    elif settled is not None:
        same = not settled["media_ids"]
    else:
        same = op.state == OperationState.FAILED
    if not same:
        how = "" if settled is None else ", as a person has settled it with another answer"
        raise InvalidArgument(
            f"Operation {op.id} is {op.state} already{how}; only one that is open can be settled. "
            "Nothing was changed."
        )
    images = tuple(item.image_id for item in op.items if item.image_id is not None)
    outcome = "failed" if op.state == OperationState.FAILED else "completed"
    return outcome_of(op, outcome, images=images, message="It was closed before.")


def _nothing(run: Run, settled: object) -> Recovered:
    options = {**run.op.options, SETTLED: settled}
    if is_unfinished(run.op):
        message = "A person has settled that nothing more is to come."
        run.write(state=OperationState.DONE, options=options)
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
            "settle() with its id takes it then."
        )
    run.write(state=OperationState.FAILED, error=message, options=options)
    return outcome_of(run.op, "failed", message=message)


def _may_draw_until(run: Run) -> datetime:
    # Twice as long as an answer is waited for: whose answer was not there in time is drawn, too.
    seconds = 2 * run.parts.library.timeouts.generation
    return (run.op.posted_at or run.op.created_at) + timedelta(seconds=seconds)


def _chosen(parts: Parts, op: Operation, media_ids: Sequence[str]) -> LibraryMedia:
    if op.state in OPEN and op.kind in _IMAGES and len(media_ids) == 1:
        for image in (look(parts, op)).images:
            if image.id in media_ids:
                return image
    raise _not_its_own(op, media_ids)


def _not_its_own(op: Operation, media_ids: Sequence[str]) -> InvalidArgument:
    return InvalidArgument(
        f"Media {_ids(media_ids)}: nothing that operation {op.id} could be given. It must be an "
        f"image of the character and of the kind {op.kind} that no other operation has."
    )


def _ids(media_ids: Sequence[str]) -> str:
    """Return whole ids, a few of them."""
    told = ", ".join(f"{each!a:.80}" for each in media_ids[:_NAMED])
    more = len(media_ids) - _NAMED
    return told + (f" and {more} more" if more > 0 else "")
