"""One journaled operation under its character's lease: write down, tell, warn, end."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any

from attrs import evolve

from .._library.values import Job
from .._plain import logger
from .._stages import Measure, code_of, timed
from .._surely import asurely
from ..errors import (
    CharacterLibraryError,
    CharimgError,
    ErrorCode,
    JobError,
    LeaseLost,
    StorageError,
)
from ..events import (
    ImageFailed,
    ImageStored,
    OperationFailed,
    OperationFinished,
    OperationStarted,
    ProgressEvent,
    RecoveryFinished,
    RecoveryStarted,
    ServiceEvent,
    WarningRaised,
)
from ..journal import (
    DRAWS,
    ItemState,
    JobSeen,
    Lease,
    Operation,
    OperationItem,
    OperationKind,
    OperationState,
)
from ..models import CharacterImage, OperationWarning, utcnow
from ..protocols import ProgressCallback
from .parts import AsyncParts, tell

__all__ = [
    "BY_DATE",
    "DRAWN_BY",
    "FOUND_LATER",
    "PERHAPS",
    "SETTLED",
    "UNFINISHED",
    "AsyncRun",
    "generation_ms",
    "operation",
    "short",
    "without_end",
]

_log = logger("charimg.service")

BY_DATE = "by_date"
"""Option of an operation: its times by the server's clock are those of the ``Date`` of answers, for
the server has not told its own. A proxy may have told another time."""
DRAWN_BY = "drawn_by"
"""Option of an operation: when the server said that it had failed after drawing, by its own clock.
What it has drawn is there by then."""
PERHAPS = "perhaps"
"""Option of an operation: the server may just as well have failed before it drew anything."""
_MAY_HAVE_DRAWN = (ErrorCode.SERVER_ERROR, ErrorCode.UPSTREAM_MODEL, ErrorCode.UPSTREAM_STORAGE)
"""How a server says that it failed, before it drew or after."""
_OPEN = (OperationState.POSTING, OperationState.RECEIVED, OperationState.UNKNOWN)
FOUND_LATER = "found_later"
"""Option of an operation: what it has drawn was not received, but found some time later."""
SETTLED = "settled"
"""Option of an operation: what a person has said last, who and when, and what was said before."""
UNFINISHED = "unfinished"
"""Option of a set: what its job had drawn was taken over, and the job may still draw more."""


def without_end(op: Operation) -> dict[str, Any]:
    """Return the options of an operation whose request may have gone on after its answer."""
    return {name: value for name, value in op.options.items() if name != DRAWN_BY}


def generation_ms(op: Operation) -> float | None:
    """Return how long the answer took; ``None`` where it was found later."""
    if op.posted_at is None or op.received_at is None or FOUND_LATER in op.options:
        return None
    return (op.received_at - op.posted_at).total_seconds() * 1000


class AsyncRun:
    """An operation in progress.

    Attributes:
        parts: The service's parts.
        op: The operation as it stands in the ledger.
        lease: The character's lease.
        warnings: What went wrong so far without stopping the operation.
        unseen: Why an earlier operation, which may have drawn something, could not be looked at.
    """

    def __init__(
        self,
        parts: AsyncParts,
        op: Operation,
        lease: Lease,
        on_progress: ProgressCallback | None = None,
        unseen: CharacterLibraryError | None = None,
    ) -> None:
        self.unseen = unseen
        self.parts = parts
        self.op = op
        self.lease = lease
        self.warnings: list[OperationWarning] = []
        self._progress = () if on_progress is None else (on_progress,)
        self._observers = tuple(hook for hook in parts.hooks if getattr(hook, "every_event", False))
        self._begun = time.perf_counter()
        self._renewed = time.monotonic()

    @property
    def duration_ms(self) -> float:
        """Milliseconds since the operation began."""
        return (time.perf_counter() - self._begun) * 1000

    async def write(self, **changes: Any) -> None:
        """Change the operation and write it down, whole, before going on."""
        changed = evolve(self.op, updated_at=utcnow(), **changes)
        await self.parts.ledger.write(changed, lease=self.lease)
        self.op = changed

    def intend(self, **options: object) -> None:
        """Note what the operation is going to do; the next `write` writes it down along."""
        self.op = evolve(self.op, options={**self.op.options, **options})

    async def receive(self, **changes: Any) -> None:
        """Write down what the Library has given, at once: a cancellation waits for that.

        Raises:
            JobError: It names too many images.
        """
        await self.check_number(len(changes.get("items", ())))
        await asurely(lambda: self.write(state=OperationState.RECEIVED, error=None, **changes))

    async def see(self, job: Job) -> None:
        """Write down how far the remote job has come, where it moved; nothing depends on that."""
        before = self.op.job_seen
        seen = JobSeen(status=job.status, current=job.current, total=job.total)
        if before is not None and evolve(seen, moved_at=before.moved_at) == before:
            return
        try:
            await self.write(job_seen=seen)
        except LeaseLost:
            raise
        except StorageError:
            _log.warning("job.unwritten", extra={"operation_id": self.op.id}, exc_info=True)

    async def check_number(self, images: int) -> None:
        """End the operation if the Library names more images than a set may have.

        Raises:
            JobError: It does.
        """
        most = self.parts.job_policy.max_images
        if images <= most:
            return
        untouched = "Nothing more" if self.op.items else "None of them"
        message = (
            f"The Character Library names {images:,} images of operation {self.op.id}, more than "
            f"JobPolicy.max_images allows ({most:,}). {untouched} was asked for or written down; "
            "what was drawn is still there. See what the server does before you ask again."
        )
        await self.write(state=OperationState.FAILED, error=message)
        raise JobError(message, code=ErrorCode.TOO_MANY_IMAGES, job_id=self.op.job_id or "")

    async def write_items(self, items: Iterable[OperationItem]) -> None:
        """Write items down in the places of those with their keys."""
        changed = {item.key: item for item in items}
        await self.write(items=tuple(changed.get(each.key, each) for each in self.op.items))

    async def keep(self) -> None:
        """Renew the lease when a quarter of its life has gone; raises `LeaseLost` if it is lost."""
        if time.monotonic() - self._renewed > self.parts.lease_seconds / 4:
            await self.renew()

    async def renew(self) -> None:
        """Give the lease its full life again."""
        self.lease = await self.parts.ledger.renew(self.lease, ttl=self.parts.lease_seconds)
        self._renewed = time.monotonic()

    def emit(self, event: ProgressEvent) -> None:
        """Tell the progress callback, and the hooks that ask for every event."""
        self.observe(event)
        tell(self._progress, event)

    def observe(self, event: ServiceEvent) -> None:
        """Tell the hooks that ask for every event."""
        tell(self._observers, event)

    def stage(self, stage: str, *, key: str | None = None) -> AbstractContextManager[Measure]:
        """Return a context manager that measures a stage in the operation's own thread or task."""
        return timed(stage, self.op, self.observe, key=key)

    def emit_image(
        self, image: CharacterImage, *, done: int, total: int, error: CharimgError | None
    ) -> None:
        """Tell that one image is settled."""
        operation_id = self.op.id
        if error is None:
            self.emit(ImageStored(operation_id=operation_id, image=image, done=done, total=total))
            return
        code = code_of(error)
        self.emit(
            ImageFailed(operation_id=operation_id, image=image, done=done, total=total, code=code)
        )

    def warn(self, code: str, message: str) -> None:
        """Note something that went wrong without stopping the operation."""
        self.warnings.append(OperationWarning(code=code, message=message))
        _log.warning("operation.warning", extra={"operation_id": self.op.id, "code": code})
        self.emit(
            WarningRaised(
                operation_id=self.op.id,
                character_id=self.op.character_id,
                code=code,
                message=message,
            )
        )

    async def call_failed(self, error: CharimgError) -> None:
        """Write down how the call that the operation is about failed.

        Only a definite answer ends the operation. After a time-out or a broken connection the
        server may still do it, and what it could not read it has drawn all the same: the operation
        stays ``posting`` for recovery.

        Args:
            error: What was answered, if anything.
        """
        code = getattr(error, "code", None)
        drawn = code == ErrorCode.UPSTREAM_FEATURES
        # A model that refuses one shot may have drawn those before it.
        in_a_set = self.op.kind == OperationKind.PORTFOLIO
        perhaps = code in _MAY_HAVE_DRAWN and (in_a_set or getattr(error, "outcome_unknown", False))
        until = self.parts.library.server_time
        if until is not None and (drawn or perhaps):
            # It lies there, if anything does, from between the request and this answer.
            self.intend(**{DRAWN_BY: until.isoformat()}, **({} if drawn else {PERHAPS: True}))
            await self.write(error=str(error))
        elif drawn or (isinstance(error, CharacterLibraryError) and error.may_arrive):
            await self.write(error=str(error))
        else:
            await self.write(state=OperationState.FAILED, error=str(error))

    def started(self) -> None:
        """Tell everybody that the operation is written down and begins."""
        self._tell_all(
            OperationStarted(
                operation_id=self.op.id, kind=self.op.kind, character_id=self.op.character_id
            )
        )

    def finished(self) -> None:
        """Tell everybody that the operation ended well."""
        states = [item.state for item in self.op.items]
        self._tell_all(
            OperationFinished(
                operation_id=self.op.id,
                kind=self.op.kind,
                character_id=self.op.character_id,
                duration_ms=self.duration_ms,
                stored=states.count(ItemState.STORED),
                failed=states.count(ItemState.FAILED),
                removed=self.op.removed,
            )
        )

    def failed(self, error: BaseException) -> None:
        """Tell everybody that the operation raised."""
        self._tell_all(
            OperationFailed(
                operation_id=self.op.id,
                kind=self.op.kind,
                character_id=self.op.character_id,
                duration_ms=self.duration_ms,
                code=code_of(error),
                # Foreign exceptions may quote anything, a prompt included: only ours are shown.
                error=str(error) if isinstance(error, CharimgError) else type(error).__name__,
            )
        )

    def _tell_all(self, event: OperationStarted | OperationFinished | OperationFailed) -> None:
        begins = isinstance(event, OperationStarted)
        # What a hook makes current for the rest is so for the log, too.
        if begins:
            tell(self.parts.hooks, event)
        names = {OperationStarted: "started", OperationFinished: "finished"}
        _log.info(
            f"operation.{names.get(type(event), 'failed')}",
            extra={
                "operation_id": event.operation_id,
                "kind": event.kind,
                "character_id": event.character_id,
            },
        )
        if not begins:
            # In reverse, like context managers.
            tell(self.parts.hooks[::-1], event)
        tell(self._progress, event)

    def recovery_started(self) -> None:
        """Tell that the operation is taken up again."""
        self.observe(
            RecoveryStarted(
                operation_id=self.op.id, kind=self.op.kind, character_id=self.op.character_id
            )
        )

    def recovery_finished(self, outcome: str, error: BaseException | None) -> None:
        """Tell what became of it."""
        event = RecoveryFinished(
            operation_id=self.op.id,
            kind=self.op.kind,
            character_id=self.op.character_id,
            duration_ms=self.duration_ms,
            outcome=outcome,
            code=None if error is None else code_of(error),
        )
        tell(self._observers[::-1], event)


@asynccontextmanager
async def operation(
    parts: AsyncParts,
    op: Operation,
    lease: Lease,
    on_progress: ProgressCallback | None,
    unseen: CharacterLibraryError | None,
) -> AsyncIterator[AsyncRun]:
    """Write an operation down, and see to it that its end is written down and told.

    An exception before anything was posted or removed ends the operation as ``failed``. Later ones
    leave it as it stands in the ledger: recovery goes on from there.
    """
    run = AsyncRun(parts, op, lease, on_progress, unseen)
    await run.write()
    run.started()
    try:
        yield run
    except BaseException as error:
        if isinstance(error, Exception) and run.op.state == OperationState.STARTED:
            # A removal that has begun stays open: recovery ends it.
            begun = run.op.doomed or run.op.removed
            state = OperationState.STARTED if begun else OperationState.FAILED
            try:
                await run.write(state=state, error=_noted(error))
            except Exception:  # noqa: BLE001 - the first error is the one to raise
                _log.exception("operation.unwritten", extra={"operation_id": run.op.id})
        _warn_of_paying_again(error, run.op)
        run.failed(error)
        raise
    run.finished()


def _warn_of_paying_again(error: BaseException, op: Operation) -> None:
    """Make an error say that what was asked for is paid for, whatever its own words advise."""
    if not isinstance(error, StorageError | CharacterLibraryError):
        return
    if op.kind in DRAWS and op.state in _OPEN and isinstance(error, CharacterLibraryError):
        error.retryable = False
        error.outcome_unknown = True
    # A store that fails once the request is due may have failed to write down the answer.
    due = DRAWN_BY in op.options or isinstance(error, StorageError)
    lies_there = op.state == OperationState.POSTING and due
    error.recoverable = lies_there or op.state == OperationState.RECEIVED
    if not error.recoverable or op.kind not in DRAWS:
        return
    said = f"Operation {op.id} may be paid for: do not ask again, recover() brings in what it drew."
    error.args = (f"{error} {said}",)


def _noted(error: Exception) -> str:
    """Return what the journal keeps of an error.

    Users are shown it, and a store's own text may hold paths and addresses.
    """
    return "A store failed." if isinstance(error, StorageError) else short(error)


def short(error: Exception) -> str:
    """Return an error's text, or a foreign one's type alone: that may quote anything."""
    return str(error) if isinstance(error, CharimgError) else type(error).__name__
