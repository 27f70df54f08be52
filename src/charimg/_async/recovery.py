"""Finishing what a crash, a cancellation or an outage left behind; never a new generation."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from attrs import evolve, frozen

from .._library.values import Job
from .._plain import logger
from ..errors import CharacterLibraryError, ErrorCode, GenerationInProgress, LeaseLost
from ..journal import (
    DRAWS,
    ItemState,
    Lease,
    Operation,
    OperationKind,
    OperationState,
    Recovered,
    RecoveryReport,
    RemoteDelete,
)
from ..models import CharacterImage, CharacterReference, ImageKind, ImageStatus, utcnow
from .adoption import Doubt
from .documents import Rescue
from .generate import look_for_lost
from .ingest import ingest
from .leases import leased
from .lost_sets import at_once
from .master import became_master, current_reference
from .operation import FOUND_LATER, PERHAPS, AsyncRun, short
from .parts import AsyncParts
from .removal import remove_replaced, resume_removal, sweep
from .rivals import LATE, OPEN
from .sets import (
    is_unfinished,
    nothing_more,
    received_forgotten,
    received_job,
    received_late,
    received_lost,
    resolve_set,
    why_missing,
)
from .unrecorded import unrecorded_image

__all__ = ["Settled", "bring_in", "outcome_of", "recover", "settle"]

_log = logger("charimg.recovery")

_STRANDED = "recover() looks again; settle() with no image gives it up and deletes nothing."


@frozen(kw_only=True)
class Settled:
    """What is still open of a character after its earlier operations were looked at.

    Attributes:
        unseen: Why an operation that may have drawn something could not be looked at.
        drawing: The operations whose remote job still runs and is not too old to be believed.
        refused: Those that a store keeps from being finished; what they have drawn is safe.
        brought: Those whose images have just come in.
        unknown: Those of which nobody can tell what they have drawn.
    """

    unseen: CharacterLibraryError | None = None
    drawing: tuple[Recovered, ...] = ()
    refused: tuple[Recovered, ...] = ()
    brought: tuple[Recovered, ...] = ()
    unknown: tuple[Recovered, ...] = ()

    def warnings(self, kind: str) -> list[tuple[ErrorCode, str]]:
        """Return what an operation of this kind has to tell of the earlier ones."""
        told = [(ErrorCode.UNFINISHED, _unfinished(each)) for each in self.refused]
        # A reference decides what everything else is drawn from.
        kinds = (kind, OperationKind.REFERENCE) if kind in DRAWS else ()
        told += [
            (ErrorCode.UNFINISHED, f"{each.message} It is operation {each.operation_id}.")
            for each in self.unknown
            if each.kind == kind
        ]
        return told + [
            (ErrorCode.RECOVERED, _came_in(each)) for each in self.brought if each.kind in kinds
        ]


def _unfinished(refused: Recovered) -> str:
    return (
        f"Operation {refused.operation_id} ({refused.kind}) could not be finished: "
        f"{refused.message} It stays written down, and recover() tries it again."
    )


def _came_in(earlier: Recovered) -> str:
    return (
        f"What operation {earlier.operation_id} ({earlier.kind}) had drawn came in first: "
        f"{earlier.message} Then this operation asked for more."
    )


async def recover(parts: AsyncParts, character_id: str | None = None) -> RecoveryReport:
    """Finish every unfinished operation of one or all characters, each under its lease."""
    parts.library.check()
    report: list[Recovered] = []
    # The newest first: see the module on adoption.
    for op in reversed(await parts.ledger.unfinished(character_id)):
        try:
            async with leased(parts, op.character_id) as lease:
                # Somebody may have finished it between the listing and the lease.
                current = await parts.ledger.get(op.id)
                if current is not None and not current.finished:
                    report.append((await _recover_one(parts, current, lease))[0])
        except GenerationInProgress as error:
            report.append(outcome_of(op, "in-progress", message=str(error)))
        except Exception as error:  # noqa: BLE001
            # One that cannot be worked on must not keep the others from it.
            _log.exception("operation.unrecovered", extra={"operation_id": op.id})
            report.append(outcome_of(op, "error", message=short(error)))
    return RecoveryReport(operations=tuple(reversed(report)))


async def settle(parts: AsyncParts, character_id: str, lease: Lease) -> Settled:
    """Finish what earlier operations of a character left, under a lease that is already held."""
    unseen: CharacterLibraryError | None = None
    drawing, refused, brought, unknown = [], [], [], []
    for op in reversed(await parts.ledger.unfinished(character_id)):
        age = (utcnow() - op.created_at).total_seconds()
        if age > LATE.total_seconds() and (op.state == OperationState.UNKNOWN or is_unfinished(op)):
            # `recover` looks at any age.
            continue
        current = await parts.ledger.get(op.id)
        if current is None or current.finished:
            # A removal that came after it has closed it just now.
            continue
        try:
            recovered, error = await _recover_one(parts, current, lease)
        except Exception as refusal:
            if isinstance(refusal, LeaseLost) or not await _is_safe(parts, op.id):
                raise
            _log.exception("operation.unrecovered", extra={"operation_id": op.id})
            refused.append(outcome_of(op, "error", message=short(refusal)))
            continue
        if error is not None and op.state in OPEN and unseen is None:
            error.add_note(
                f"Operation {op.id} may have drawn an image, and the Character Library could not "
                "be asked about it."
            )
            unseen = error
        elif recovered.outcome == "waiting" and age < parts.job_policy.deadline:
            drawing.append(recovered)
        elif recovered.outcome == "unknown":
            unknown.append(recovered)
        elif recovered.images and recovered.kind in DRAWS:
            brought.append(recovered)
    return Settled(
        unseen=unseen,
        drawing=tuple(drawing),
        refused=tuple(refused),
        brought=tuple(brought),
        unknown=tuple(unknown),
    )


async def _is_safe(parts: AsyncParts, operation_id: str) -> bool:
    """Tell whether what the operation has drawn, if anything, is written down.

    A store that refuses it does not stand in the way of other operations then.
    """
    op = await parts.ledger.get(operation_id)
    if op is None or op.kind not in DRAWS or op.state not in OPEN:
        return True
    return bool(op.items) or op.job_id is not None


def believed_until(run: AsyncRun) -> datetime:
    """Return until when a job that has not ended is believed to be drawn."""
    op, policy = run.op, run.parts.job_policy
    posted = op.posted_at or op.created_at
    moved = posted if op.job_seen is None else op.job_seen.moved_at
    return min(posted + timedelta(seconds=policy.deadline), moved + timedelta(seconds=policy.stall))


def outcome_of(
    op: Operation, outcome: str, *, images: tuple[str, ...] = (), message: str = ""
) -> Recovered:
    """Return what is told of one operation."""
    return Recovered(
        operation_id=op.id,
        kind=op.kind,
        character_id=op.character_id,
        outcome=outcome,
        images=images,
        prompt=op.prompt,
        message=message,
    )


def _counted(op: Operation, images: Collection[str]) -> str:
    """Return how many images of the operation are here, and how many came just now."""
    states = [item.state for item in op.items]
    stored, failed = states.count(ItemState.STORED), states.count(ItemState.FAILED)
    told = f"{stored} stored, {failed} failed"
    if len(images) == stored + failed:
        return f"{told}."
    return f"{told} in all; {len(images) or 'none'} of them just now."


async def _recover_one(
    parts: AsyncParts, op: Operation, lease: Lease
) -> tuple[Recovered, CharacterLibraryError | None]:
    """Finish one operation; tell, too, why the Library could not be asked about it."""
    run = AsyncRun(parts, op, lease)
    run.recovery_started()
    failure = None
    try:
        await run.renew()
        recovered = await bring_in(run)
    except CharacterLibraryError as error:
        if run.op.state == OperationState.FAILED:
            # Nothing that a further look would change.
            recovered = outcome_of(op, "failed", message=str(error))
        else:
            # Out of reach: nothing is lost, the next recovery looks again.
            recovered, failure = outcome_of(op, "waiting", message=str(error)), error
    except BaseException as error:
        run.recovery_finished("error", error)
        raise
    run.recovery_finished(recovered.outcome, failure)
    return recovered, failure


async def bring_in(run: AsyncRun) -> Recovered:
    """Finish one operation, as far as the Library answers."""
    recovered = await _Recovery(run).run_to_end()
    # Nobody listens to a recovery: what it warned of stands where its outcome is read.
    more = [each.message for each in run.warnings if each.message not in recovered.message]
    recovered = evolve(recovered, message=" ".join([recovered.message, *more]))
    _log.info(
        "operation.recovered",
        extra={"operation_id": run.op.id, "kind": run.op.kind, "outcome": recovered.outcome},
    )
    return recovered


def _told(op: Operation, doubt: Doubt) -> str:
    what = "job" if op.kind == OperationKind.PORTFOLIO else "image"
    how = "recover() looks again, and settle() with no image closes it."
    if doubt.rescue is not None:
        there = str(doubt.rescue)
    elif not doubt.number:
        there = (
            "Nobody can tell whether the Character Library drew this: the request may have been "
            "sent, and nothing is there that may be its own."
        )
    else:
        number = f"1 {what} is" if doubt.number == 1 else f"{doubt.number} {what}s are"
        there = f"{number} there that may be its own, but nothing is sure. {doubt.why}"
        how = "candidates() shows them, settle() takes the right one, or none."
        if what == "job":
            how = "candidates() shows their images, settle() takes those of the right one, or none."
    return f"{there} {how} To draw it anew may pay again."


class _Recovery:
    def __init__(self, run: AsyncRun) -> None:
        self.run = run
        self.adopted = False

    async def run_to_end(self) -> Recovered:
        run = self.run
        # Earlier versions closed a removal as failed, though it had images left to remove.
        half_removed = run.op.state == OperationState.FAILED and run.op.doomed
        if run.op.state == OperationState.STARTED or half_removed:
            return await self._never_posted()
        if run.op.doomed:
            await sweep(run)
        if run.op.state in OPEN and run.op.job_id is None:
            if run.op.kind == OperationKind.RESTORE:
                return await self._finish_restore()
            failed = at_once(run.op)
            came = await look_for_lost(run, **{FOUND_LATER: True})
            if isinstance(came, Doubt):
                return await self._unknown(came)
            if failed is not None and (told := await self._came_of(failed, came)) is not None:
                return told
            self.adopted = True
        if run.op.state == OperationState.RECEIVED or run.op.job_id is not None:
            return await self._bring_in()
        return outcome_of(run.op, "cleaned", message="The removal was finished.")

    async def _never_posted(self) -> Recovered:
        run = self.run
        state, message = OperationState.DONE, "The removal was finished."
        if run.op.kind != OperationKind.DELETE:
            state = OperationState.FAILED
            message = "It was interrupted before anything was sent that costs money."
        if run.op.remote_delete == RemoteDelete.INTENDED:
            message += " Whether the remote reference was deleted is not known."
        await resume_removal(run)
        message = " ".join([message, *(warning.message for warning in run.warnings)])
        error = None if state == OperationState.DONE else run.op.error or message
        await run.write(state=state, error=error)
        return outcome_of(run.op, "cleaned", message=message)

    async def _unknown(self, doubt: Doubt) -> Recovered:
        run = self.run
        if doubt.rescue is not None and PERHAPS in run.op.options:
            return await self._nothing_came(f"{run.op.error} {doubt.rescue}")
        message = _told(run.op, doubt)
        if (run.op.state, run.op.error) != (OperationState.UNKNOWN, message):
            await run.write(state=OperationState.UNKNOWN, error=message)
        return outcome_of(run.op, "unknown", message=message)

    async def _bring_in(self) -> Recovered:
        run = self.run
        job_id = run.op.job_id
        if job_id is not None and (is_unfinished(run.op) or not run.op.items):
            told = await self._look_at_job(job_id)
            if told is not None:
                return told
        elif run.op.kind == OperationKind.PORTFOLIO and not self.adopted:
            await resolve_set(run, run.op.library_db_id or "")
        replaced = None
        kind = DRAWS.get(OperationKind(run.op.kind), ImageKind.REFERENCE)
        if unrecorded := run.op.options.get("unrecorded"):
            kind = ImageKind(unrecorded)
            replaced = await unrecorded_image(run.parts, str(run.op.options["image_id"]))
        elif run.op.kind == OperationKind.RETRY:
            replaced = await run.parts.metadata.get(str(run.op.options["image_id"]))
            if replaced is None or replaced.status == ImageStatus.SUCCEEDED:
                return await self._retried_already(replaced)
            kind = ImageKind(replaced.kind)
        newer = await self._newer() if self.adopted and kind == ImageKind.REFERENCE else None
        character = await self._character()
        ingested = await ingest(run, kind=kind, character=character, replaced=replaced, resume=True)
        if kind == ImageKind.REFERENCE:
            await remove_replaced(run)
        images = tuple(image.id for image in ingested.images)
        message = _counted(run.op, images)
        if newer is not None:
            message = (
                f"{message} It is the Character Library's master now, in place of reference "
                f"{newer.id}, which was asked for later; restore_reference() makes that one the "
                "master again."
            )
        if is_unfinished(run.op):
            message = f"{message} Job {job_id} stands still. {_STRANDED}"
            return outcome_of(run.op, "stranded", images=images, message=message)
        await run.write(state=OperationState.DONE)
        outcome = "adopted" if self.adopted else "completed"
        return outcome_of(run.op, outcome, images=images, message=message)

    async def _newer(self) -> CharacterImage | None:
        """Return the current reference, if that was asked for later than the operation's."""
        current = await current_reference(self.run.parts, self.run.op.character_id)
        # The ids of operations, which keys begin with, sort by time.
        return current if current is not None and current.key > self.run.op.id else None

    async def _retried_already(self, image: CharacterImage | None) -> Recovered:
        """Close a retry that had already stored its image, or whose image is gone."""
        run = self.run
        if image is None:
            for item in run.op.items:
                await run.parts.media.delete(item.key)
        else:
            for item in run.op.items:
                await run.write_items([evolve(item, state=ItemState.STORED, image_id=image.id)])
            await remove_replaced(run)
        await run.write(state=OperationState.DONE)
        return outcome_of(run.op, "completed", message="There was nothing left to retry.")

    async def _look_at_job(self, job_id: str) -> Recovered | None:
        """Take over what a job has drawn; tell the outcome when there is nothing to bring in."""
        run = self.run
        if not run.op.items:
            run.intend(**{FOUND_LATER: True})
        try:
            job = await run.parts.library.get_job(job_id)
        except CharacterLibraryError as error:
            if error.code != ErrorCode.NOT_FOUND:
                raise
            if is_unfinished(run.op):
                await nothing_more(run)
                return None
            if await received_forgotten(run):
                return None
            return await self._nothing_came(f"The Character Library no longer knows job {job_id}.")
        if is_unfinished(run.op):
            doubts = await received_late(run, job)
            message = f"Job {job_id} has drawn more. {' '.join(doubts)} {Rescue.UNSURE}"
            # What is known to be its own comes in first.
            pending = any(item.state == ItemState.PENDING for item in run.op.items)
            is_open = doubts and not pending
            return outcome_of(run.op, "unknown", message=message) if is_open else None
        if job.status == "completed":
            await received_job(run, run.op.library_db_id or "", job)
            return None
        if job.status == "failed":
            return await self._look_for_lost(job)
        await run.see(job)
        until = believed_until(run)
        if utcnow() >= until:
            return await self._look_for_lost(job)
        message = (
            f"Job {job_id} is {job.status} ({job.current}/{job.total}); it is waited for until "
            f"{until:%Y-%m-%d %H:%M} UTC. {_STRANDED}"
        )
        return outcome_of(run.op, "waiting", message=message)

    async def _look_for_lost(self, job: Job) -> Recovered | None:
        return await self._came_of(job, await received_lost(self.run, job))

    async def _came_of(self, job: Job, rescue: Rescue) -> Recovered | None:
        message = f"{why_missing(job, self.run.op.prompt)} {rescue}"
        if rescue == Rescue.FOUND:
            return None
        if rescue.keeps_open(self.run.op):
            return outcome_of(self.run.op, "unknown", message=message)
        if job.status == "failed":
            return await self._nothing_came(message)
        return outcome_of(self.run.op, "stranded", message=f"{message} {_STRANDED}")

    async def _nothing_came(self, message: str) -> Recovered:
        await self.run.write(state=OperationState.FAILED, error=message)
        return outcome_of(self.run.op, "failed", message=message)

    async def _finish_restore(self) -> Recovered:
        run = self.run
        image = await run.parts.metadata.get(str(run.op.options["image_id"]))
        state = await run.parts.library.get_reference_image(run.op.library_db_id or "")
        if image is not None and image.external_id == state.media_id:
            await became_master(run.parts, image)
            await run.write(state=OperationState.DONE)
            return outcome_of(run.op, "completed", images=(image.id,))
        message = (
            "The Character Library has another reference, or none; restore this one again if it is "
            "still wanted."
        )
        await run.write(state=OperationState.FAILED, error=message)
        return outcome_of(run.op, "failed", message=message)

    async def _character(self) -> CharacterReference | None:
        return await self.run.parts.directory.get(self.run.op.character_id)
