# Generated from src/charimg/_async/recovery.py by tools/unasync.py. Do not edit.
"""Finishing what a crash, a cancellation or an outage left behind; never a new generation."""

from __future__ import annotations

import logging

from attrs import evolve

from .._ingest.naming import item_key
from ..errors import CharacterLibraryError, ErrorCode, GenerationInProgress
from ..journal import (
    ItemState,
    Lease,
    Operation,
    OperationItem,
    OperationKind,
    OperationState,
    Recovered,
    RecoveryReport,
    RemoteDelete,
)
from ..models import CharacterImage, CharacterReference, ImageKind, ImageStatus, Shot, utcnow
from .generate import received, received_job, resolve_set
from .ingest import ingest
from .master import became_master
from .operation import Run, leased
from .parts import Parts
from .removal import remove_replaced, sweep

__all__ = ["recover", "settle"]

_log = logging.getLogger("charimg.recovery")

_KINDS = {
    OperationKind.REFERENCE: ImageKind.REFERENCE,
    OperationKind.PORTFOLIO: ImageKind.PORTFOLIO_ITEM,
    OperationKind.SCENE: ImageKind.SCENE,
}


def recover(parts: Parts, character_id: str | None = None) -> RecoveryReport:
    """Finish every unfinished operation of one or all characters, each under its lease."""
    report: list[Recovered] = []
    for op in parts.ledger.unfinished(character_id):
        try:
            with leased(parts, op.character_id) as lease:
                # Somebody may have finished it between the listing and the lease.
                current = parts.ledger.get(op.id)
                if current is not None and not current.finished:
                    report.append(_recover_one(parts, current, lease))
        except GenerationInProgress as error:
            report.append(_recovered(op, "in-progress", message=str(error)))
    return RecoveryReport(operations=tuple(report))


def settle(parts: Parts, character_id: str, lease: Lease) -> None:
    """Finish what earlier operations of a character left, under a lease that is already held."""
    for op in parts.ledger.unfinished(character_id):
        # One that came before may have removed what this one was about.
        current = parts.ledger.get(op.id)
        _recover_one(parts, current or op, lease)


def _recovered(
    op: Operation, outcome: str, *, images: tuple[str, ...] = (), message: str = ""
) -> Recovered:
    return Recovered(
        operation_id=op.id,
        kind=op.kind,
        character_id=op.character_id,
        outcome=outcome,
        images=images,
        prompt=op.prompt,
        message=message,
    )


def _recover_one(parts: Parts, op: Operation, lease: Lease) -> Recovered:
    run = Run(parts, op, lease)
    try:
        recovered = _Recovery(run).run_to_end()
    except CharacterLibraryError as error:
        # Out of reach, or its job still runs: nothing is lost, the next recovery looks again.
        recovered = _recovered(op, "waiting", message=str(error))
    _log.info(
        "operation.recovered",
        extra={"operation_id": op.id, "kind": op.kind, "outcome": recovered.outcome},
    )
    return recovered


class _Recovery:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.adopted = False

    def run_to_end(self) -> Recovered:
        run = self.run
        if run.op.doomed:
            sweep(run)
        if run.op.state == OperationState.STARTED:
            return self._never_posted()
        if run.op.state in (OperationState.POSTING, OperationState.UNKNOWN):
            if run.op.kind == OperationKind.RESTORE:
                return self._finish_restore()
            if not self._adopt():
                return self._unknown()
        if run.op.state == OperationState.RECEIVED:
            return self._bring_in()
        return _recovered(run.op, "cleaned", message="The removal was finished.")

    def _never_posted(self) -> Recovered:
        run = self.run
        message = "It was interrupted before anything was sent that costs money."
        if run.op.kind == OperationKind.DELETE:
            message = "The removal was finished."
            if run.op.remote_delete == RemoteDelete.INTENDED:
                message += " Whether the remote reference was deleted is not known."
            run.write(state=OperationState.DONE)
        else:
            run.write(state=OperationState.FAILED, error=message)
        return _recovered(run.op, "cleaned", message=message)

    def _unknown(self) -> Recovered:
        run = self.run
        message = (
            "Nobody can tell whether the Character Library drew this: the request may have been "
            "sent, and the remote state shows nothing that it produced. Run recover() again later, "
            "or generate again."
        )
        if run.op.state != OperationState.UNKNOWN:
            run.write(state=OperationState.UNKNOWN, error=message)
        return _recovered(run.op, "unknown", message=message)

    def _adopt(self) -> bool:
        """Look on the Character Library for what the operation produced; tell whether it did."""
        run = self.run
        db_id = run.op.library_db_id or ""
        if run.op.kind == OperationKind.REFERENCE:
            state = run.parts.library.get_reference_image(db_id)
            found = [(state.media_id, state.url)] if state.media_id is not None else []
        elif run.op.kind == OperationKind.SCENE:
            gallery = run.parts.library.list_images(db_id, category="scene")
            found = [(image.image_id, image.url) for image in gallery.scenes]
        else:
            return self._adopt_portfolio(db_id)
        new = [each for each in found if each[0] not in run.op.baseline]
        if len(new) != 1:
            return False
        self.adopted = True
        received(run, media_id=new[0][0], url=new[0][1])
        return True

    def _adopt_portfolio(self, db_id: str) -> bool:
        run = self.run
        jobs = run.parts.library.list_jobs(character_id=db_id)
        new = [job for job in jobs.jobs if f"job:{job.job_id}" not in run.op.baseline]
        if len(new) == 1:
            self.adopted = True
            run.write(state=OperationState.RECEIVED, job_id=new[0].job_id, error=None)
            return True
        gallery = run.parts.library.list_images(db_id, category="core")
        core = [image for image in gallery.core if f"image:{image.image_id}" not in run.op.baseline]
        if new or not core:
            return False
        self.adopted = True
        items = tuple(
            OperationItem(
                key=item_key(run.op.id, index),
                index=index,
                prompt=image.prompt or run.op.prompt,
                source_url=image.url,
                external_id=image.image_id,
                shot=image.shot or (Shot(name=image.angle) if image.angle else None),
            )
            for index, image in enumerate(core)
        )
        run.write(state=OperationState.RECEIVED, received_at=utcnow(), items=items, error=None)
        return True

    def _bring_in(self) -> Recovered:
        run = self.run
        if not run.op.items and run.op.job_id is not None:
            waiting = self._look_at_job(run.op.job_id)
            if waiting is not None:
                return waiting
        elif run.op.kind == OperationKind.PORTFOLIO and not self.adopted:
            resolve_set(run, run.op.library_db_id or "")
        replaced = None
        kind = _KINDS.get(OperationKind(run.op.kind), ImageKind.REFERENCE)
        if run.op.kind == OperationKind.RETRY:
            replaced = run.parts.metadata.get(str(run.op.options["image_id"]))
            if replaced is None:
                return self._retry_of_nothing()
            if replaced.status == ImageStatus.SUCCEEDED:
                self._retried(replaced)
            kind = ImageKind(replaced.kind)
        character = self._character()
        ingested = ingest(run, kind=kind, character=character, replaced=replaced, resume=True)
        if kind == ImageKind.REFERENCE:
            remove_replaced(run)
        run.write(state=OperationState.DONE)
        return _recovered(
            run.op,
            "adopted" if self.adopted else "completed",
            images=tuple(image.id for image in ingested.images),
            message=f"{len(ingested.images) - len(ingested.errors)} stored, "
            f"{len(ingested.errors)} failed.",
        )

    def _retry_of_nothing(self) -> Recovered:
        """End a retry whose record was deleted meanwhile, with what it may have stored."""
        run = self.run
        for item in run.op.items:
            run.parts.media.delete(item.key)
        run.write(state=OperationState.DONE)
        return _recovered(run.op, "completed", message="There was nothing left to retry.")

    def _retried(self, image: CharacterImage) -> None:
        """Write down that the record of a retry has been made good, by this one or another."""
        run = self.run
        items = tuple(
            evolve(item, state=ItemState.STORED, image_id=image.id) for item in run.op.items
        )
        run.write(items=items)

    def _look_at_job(self, job_id: str) -> Recovered | None:
        """Take a finished job's images over; tell the outcome when there are none."""
        run = self.run
        try:
            job = run.parts.library.get_job(job_id)
        except CharacterLibraryError as error:
            if error.code != ErrorCode.NOT_FOUND:
                raise
            return self._job_ended(f"The Character Library no longer knows job {job_id}.")
        if job.status == "failed":
            return self._job_ended(f"Job {job_id} failed: {job.error or 'no reason given'}")
        if job.status != "completed":
            message = f"Job {job_id} is {job.status} ({job.current}/{job.total}); look again later."
            return _recovered(run.op, "waiting", message=message)
        received_job(run, run.op.library_db_id or "", job)
        return None

    def _job_ended(self, message: str) -> Recovered:
        self.run.write(state=OperationState.FAILED, error=message)
        return _recovered(self.run.op, "failed", message=message)

    def _finish_restore(self) -> Recovered:
        run = self.run
        image = run.parts.metadata.get(str(run.op.options["image_id"]))
        state = run.parts.library.get_reference_image(run.op.library_db_id or "")
        if image is not None and image.external_id == state.media_id:
            became_master(run.parts, image)
            run.write(state=OperationState.DONE)
            return _recovered(run.op, "completed", images=(image.id,))
        message = "The Character Library did not take the reference over; restore it again."
        run.write(state=OperationState.FAILED, error=message)
        return _recovered(run.op, "failed", message=message)

    def _character(self) -> CharacterReference | None:
        return self.run.parts.directory.get(self.run.op.character_id)
