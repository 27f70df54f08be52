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
from .operation import AsyncRun, leased
from .parts import AsyncParts
from .removal import remove_replaced, sweep

__all__ = ["recover", "settle"]

_log = logging.getLogger("charimg.recovery")

_KINDS = {
    OperationKind.REFERENCE: ImageKind.REFERENCE,
    OperationKind.PORTFOLIO: ImageKind.PORTFOLIO_ITEM,
    OperationKind.SCENE: ImageKind.SCENE,
}


async def recover(parts: AsyncParts, character_id: str | None = None) -> RecoveryReport:
    """Finish every unfinished operation of one or all characters, each under its lease."""
    report: list[Recovered] = []
    for op in await parts.ledger.unfinished(character_id):
        try:
            async with leased(parts, op.character_id) as lease:
                # Somebody may have finished it between the listing and the lease.
                current = await parts.ledger.get(op.id)
                if current is not None and not current.finished:
                    report.append(await _recover_one(parts, current, lease))
        except GenerationInProgress as error:
            report.append(_recovered(op, "in-progress", message=str(error)))
    return RecoveryReport(operations=tuple(report))


async def settle(parts: AsyncParts, character_id: str, lease: Lease) -> None:
    """Finish what earlier operations of a character left, under a lease that is already held."""
    for op in await parts.ledger.unfinished(character_id):
        # One that came before may have removed what this one was about.
        current = await parts.ledger.get(op.id)
        await _recover_one(parts, current or op, lease)


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


async def _recover_one(parts: AsyncParts, op: Operation, lease: Lease) -> Recovered:
    run = AsyncRun(parts, op, lease)
    try:
        recovered = await _Recovery(run).run_to_end()
    except CharacterLibraryError as error:
        # Out of reach, or its job still runs: nothing is lost, the next recovery looks again.
        recovered = _recovered(op, "waiting", message=str(error))
    _log.info(
        "operation.recovered",
        extra={"operation_id": op.id, "kind": op.kind, "outcome": recovered.outcome},
    )
    return recovered


class _Recovery:
    def __init__(self, run: AsyncRun) -> None:
        self.run = run
        self.adopted = False

    async def run_to_end(self) -> Recovered:
        run = self.run
        if run.op.doomed:
            await sweep(run)
        if run.op.state == OperationState.STARTED:
            return await self._never_posted()
        if run.op.state in (OperationState.POSTING, OperationState.UNKNOWN):
            if run.op.kind == OperationKind.RESTORE:
                return await self._finish_restore()
            if not await self._adopt():
                return await self._unknown()
        if run.op.state == OperationState.RECEIVED:
            return await self._bring_in()
        return _recovered(run.op, "cleaned", message="The removal was finished.")

    async def _never_posted(self) -> Recovered:
        run = self.run
        message = "It was interrupted before anything was sent that costs money."
        if run.op.kind == OperationKind.DELETE:
            message = "The removal was finished."
            if run.op.remote_delete == RemoteDelete.INTENDED:
                message += " Whether the remote reference was deleted is not known."
            await run.write(state=OperationState.DONE)
        else:
            await run.write(state=OperationState.FAILED, error=message)
        return _recovered(run.op, "cleaned", message=message)

    async def _unknown(self) -> Recovered:
        run = self.run
        message = (
            "Nobody can tell whether the Character Library drew this: the request may have been "
            "sent, and the remote state shows nothing that it produced. Run recover() again later, "
            "or generate again."
        )
        if run.op.state != OperationState.UNKNOWN:
            await run.write(state=OperationState.UNKNOWN, error=message)
        return _recovered(run.op, "unknown", message=message)

    async def _adopt(self) -> bool:
        """Look on the Character Library for what the operation produced; tell whether it did."""
        run = self.run
        db_id = run.op.library_db_id or ""
        if run.op.kind == OperationKind.REFERENCE:
            state = await run.parts.library.get_reference_image(db_id)
            found = [(state.media_id, state.url)] if state.media_id is not None else []
        elif run.op.kind == OperationKind.SCENE:
            gallery = await run.parts.library.list_images(db_id, category="scene")
            found = [(image.image_id, image.url) for image in gallery.scenes]
        else:
            return await self._adopt_portfolio(db_id)
        new = [each for each in found if each[0] not in run.op.baseline]
        if len(new) != 1:
            return False
        self.adopted = True
        await received(run, media_id=new[0][0], url=new[0][1])
        return True

    async def _adopt_portfolio(self, db_id: str) -> bool:
        run = self.run
        jobs = await run.parts.library.list_jobs(character_id=db_id)
        new = [job for job in jobs.jobs if f"job:{job.job_id}" not in run.op.baseline]
        if len(new) == 1:
            self.adopted = True
            await run.write(state=OperationState.RECEIVED, job_id=new[0].job_id, error=None)
            return True
        gallery = await run.parts.library.list_images(db_id, category="core")
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
        await run.write(
            state=OperationState.RECEIVED, received_at=utcnow(), items=items, error=None
        )
        return True

    async def _bring_in(self) -> Recovered:
        run = self.run
        if not run.op.items and run.op.job_id is not None:
            waiting = await self._look_at_job(run.op.job_id)
            if waiting is not None:
                return waiting
        elif run.op.kind == OperationKind.PORTFOLIO and not self.adopted:
            await resolve_set(run, run.op.library_db_id or "")
        replaced = None
        kind = _KINDS.get(OperationKind(run.op.kind), ImageKind.REFERENCE)
        if run.op.kind == OperationKind.RETRY:
            replaced = await run.parts.metadata.get(str(run.op.options["image_id"]))
            if replaced is None:
                return await self._retry_of_nothing()
            if replaced.status == ImageStatus.SUCCEEDED:
                await self._retried(replaced)
            kind = ImageKind(replaced.kind)
        character = await self._character()
        ingested = await ingest(run, kind=kind, character=character, replaced=replaced, resume=True)
        if kind == ImageKind.REFERENCE:
            await remove_replaced(run)
        await run.write(state=OperationState.DONE)
        return _recovered(
            run.op,
            "adopted" if self.adopted else "completed",
            images=tuple(image.id for image in ingested.images),
            message=f"{len(ingested.images) - len(ingested.errors)} stored, "
            f"{len(ingested.errors)} failed.",
        )

    async def _retry_of_nothing(self) -> Recovered:
        """End a retry whose record was deleted meanwhile, with what it may have stored."""
        run = self.run
        for item in run.op.items:
            await run.parts.media.delete(item.key)
        await run.write(state=OperationState.DONE)
        return _recovered(run.op, "completed", message="There was nothing left to retry.")

    async def _retried(self, image: CharacterImage) -> None:
        """Write down that the record of a retry has been made good, by this one or another."""
        run = self.run
        items = tuple(
            evolve(item, state=ItemState.STORED, image_id=image.id) for item in run.op.items
        )
        await run.write(items=items)

    async def _look_at_job(self, job_id: str) -> Recovered | None:
        """Take a finished job's images over; tell the outcome when there are none."""
        run = self.run
        try:
            job = await run.parts.library.get_job(job_id)
        except CharacterLibraryError as error:
            if error.code != ErrorCode.NOT_FOUND:
                raise
            return await self._job_ended(f"The Character Library no longer knows job {job_id}.")
        if job.status == "failed":
            return await self._job_ended(f"Job {job_id} failed: {job.error or 'no reason given'}")
        if job.status != "completed":
            message = f"Job {job_id} is {job.status} ({job.current}/{job.total}); look again later."
            return _recovered(run.op, "waiting", message=message)
        await received_job(run, run.op.library_db_id or "", job)
        return None

    async def _job_ended(self, message: str) -> Recovered:
        await self.run.write(state=OperationState.FAILED, error=message)
        return _recovered(self.run.op, "failed", message=message)

    async def _finish_restore(self) -> Recovered:
        run = self.run
        image = await run.parts.metadata.get(str(run.op.options["image_id"]))
        state = await run.parts.library.get_reference_image(run.op.library_db_id or "")
        if image is not None and image.external_id == state.media_id:
            await became_master(run.parts, image)
            await run.write(state=OperationState.DONE)
            return _recovered(run.op, "completed", images=(image.id,))
        message = "The Character Library did not take the reference over; restore it again."
        await run.write(state=OperationState.FAILED, error=message)
        return _recovered(run.op, "failed", message=message)

    async def _character(self) -> CharacterReference | None:
        return await self.run.parts.directory.get(self.run.op.character_id)
