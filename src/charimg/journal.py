"""What the ledger writes down: operations, their items, doomed images, leases, recovery reports.

An operation is one call of the service that pays for something or removes something. It is written
whole, as one frozen value, before each step that cannot be undone; so what a crash leaves behind
tells how far the work had come.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from attrs import field, frozen

from .models import ImageKind, SceneDetails, Shot, utcnow

__all__ = [
    "Candidate",
    "Doomed",
    "ItemState",
    "JobSeen",
    "Lease",
    "Operation",
    "OperationItem",
    "OperationKind",
    "OperationPage",
    "OperationState",
    "Recovered",
    "RecoveryReport",
    "RemoteDelete",
]


class OperationKind(StrEnum):
    """What an operation does. Open."""

    REFERENCE = "reference"
    PORTFOLIO = "portfolio"
    SCENE = "scene"
    DELETE = "delete"
    RESTORE = "restore"
    RETRY = "retry"


DRAWS = {
    OperationKind.REFERENCE: ImageKind.REFERENCE,
    OperationKind.PORTFOLIO: ImageKind.PORTFOLIO_ITEM,
    OperationKind.SCENE: ImageKind.SCENE,
}
"""What the operations that pay for images draw."""


class OperationState(StrEnum):
    """How far an operation has come. Open.

    ``started`` → ``posting`` → ``received`` → ``done``; any of them may end as ``failed``, and
    ``posting`` may end as ``unknown`` when nobody can tell whether the server drew the image.
    """

    STARTED = "started"
    """Nothing was sent that costs money. Doomed images may be half removed."""
    POSTING = "posting"
    """The generation request may have been sent; its answer was not written down."""
    RECEIVED = "received"
    """The answer is written down, with source URLs or a job id."""
    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """Died in ``posting``, and nothing on the Library is surely its own. Looked at again by every
    recovery, never posted again."""


class RemoteDelete(StrEnum):
    """What became of the one remote DELETE of an operation."""

    NOT_DUE = "not-due"
    INTENDED = "intended"
    """Written before the request; after a crash nobody knows whether it was sent. Never resent."""
    DONE = "done"
    FAILED = "failed"


class ItemState(StrEnum):
    """What became of one image of an operation."""

    PENDING = "pending"
    STORED = "stored"
    FAILED = "failed"


@frozen(kw_only=True)
class Doomed:
    """An image that this operation removes: its record first, then its media (a tombstone).

    Attributes:
        image_id: The record's id; empty when the record is gone.
        media_key: The media's key; there need not be media under it.
    """

    image_id: str
    media_key: str


@frozen(kw_only=True)
class JobSeen:
    """How far a remote job had come when somebody last saw it move.

    Attributes:
        status: What the server called it.
        current: Shots worked on so far.
        total: Shots in all; 0 when unknown.
        moved_at: When that was first seen.
    """

    status: str
    current: int = 0
    total: int = 0
    moved_at: datetime = field(factory=utcnow)


@frozen(kw_only=True)
class OperationItem:
    """One image of an operation.

    Attributes:
        key: The key of its record and its media.
        index: Its place in the server's answer, from 0.
        state: What became of it.
        prompt: The exact prompt used.
        prompt_origin: Whose that is, like `ImageMetrics.prompt_origin`.
        source_url: Where the server said it is: whole, with the signature that may open it, as only
            the ledger keeps it. `list_operations` shows it without.
        external_id: The server's media id.
        shot: Lens and camera, for a portfolio.
        error: Why it failed.
        image_id: The id of its record, once there is one.
    """

    key: str
    index: int
    state: str = ItemState.PENDING
    prompt: str = field(default="", repr=False)
    prompt_origin: str | None = None
    source_url: str | None = field(default=None, repr=False)
    external_id: str | None = None
    shot: Shot | None = None
    error: str | None = None
    image_id: str | None = None


@frozen(kw_only=True)
class Operation:
    """One journaled operation.

    Attributes:
        id: Sortable by time of creation; record and media keys start with it.
        kind: An `OperationKind`.
        character_id: The host's id of the character.
        library_db_id: The character's ObjectId on the Character Library at that time.
        state: An `OperationState`.
        prompt: The exact prompt, or the scene context.
        options: What else was asked for, as JSON values (policy, scene options, reference id, …).
        created_by: The host's user, when given.
        baseline: What the remote already showed before the POST (media ids, job ids), so that
            recovery can tell what this operation produced.
        job_id: The remote job.
        job_seen: How far that had come; ``None`` before it was first seen.
        items: The images, once the answer is known.
        doomed: What this operation still has to remove locally.
        removed: How many images it has removed.
        remote_delete: What became of its remote DELETE.
        error: Why it failed.
        posted_at: When the generation request was about to be sent.
        posted_on_server: The same by the Character Library's clock, as far as it was known: at most
            some seconds early, never late.
        received_at: When its answer was there.
        created_at: When it started.
        updated_at: When it was last written.
    """

    id: str
    kind: str
    character_id: str
    library_db_id: str | None = None
    state: str = OperationState.STARTED
    prompt: str = field(default="", repr=False)
    options: Mapping[str, Any] = field(factory=dict, hash=False, repr=False)
    created_by: str | None = None
    baseline: tuple[str, ...] = ()
    job_id: str | None = None
    job_seen: JobSeen | None = None
    items: tuple[OperationItem, ...] = ()
    doomed: tuple[Doomed, ...] = ()
    removed: int = 0
    remote_delete: str = RemoteDelete.NOT_DUE
    error: str | None = None
    posted_at: datetime | None = None
    posted_on_server: datetime | None = None
    received_at: datetime | None = None
    created_at: datetime = field(factory=utcnow)
    updated_at: datetime = field(factory=utcnow)

    @property
    def scene(self) -> SceneDetails | None:
        """Type, mood and lighting of the scene that it draws, if it draws one."""
        if self.kind != OperationKind.SCENE:
            return None
        asked = {
            name: self.options.get(option)
            for name, option in (
                ("type", "scene_type"),
                ("mood", "mood"),
                ("lighting", "lighting_style"),
            )
        }
        return SceneDetails(
            **{name: None if value is None else str(value) for name, value in asked.items()}
        )

    @property
    def finished(self) -> bool:
        """Whether recovery has nothing left to do here."""
        return self.state in (OperationState.DONE, OperationState.FAILED) and not self.doomed


@frozen(kw_only=True)
class OperationPage:
    """One page of operations, newest first.

    Attributes:
        operations: The operations of this page.
        next_cursor: Where the next page begins; ``None`` on the last one.
    """

    operations: tuple[Operation, ...]
    next_cursor: str | None


@frozen(kw_only=True)
class Lease:
    """The exclusive right to work on one character for a while.

    Attributes:
        character_id: The host's id of the character.
        token: Fencing token: grows with every lease of that character, so a late writer is seen.
        owner: Who holds it: host, process, service.
        expires_at: When it ends on its own.
    """

    character_id: str
    token: int
    owner: str
    expires_at: datetime


@frozen(kw_only=True)
class Recovered:
    """What recovery did about one operation.

    Attributes:
        operation_id: The operation.
        kind: Its `OperationKind`.
        character_id: The host's id of the character.
        outcome: ``completed`` (what was received is now stored), ``adopted`` (the remote state
            showed what it produced, now stored), ``unknown`` (nobody can tell; see `prompt`),
            ``waiting`` (its remote job still runs, or the Library is out of reach), ``stranded``
            (its remote job stands still; what that had drawn is stored), ``cleaned`` (a removal was
            finished or nothing had been sent), ``failed``, ``in-progress`` (someone else works on
            the character), or ``error`` (it could not be worked on: see `message`).
        images: The records written.
        prompt: The exact prompt, so that an ``unknown`` one can be asked for again by hand.
        message: What happened, in plain text.
    """

    operation_id: str
    kind: str
    character_id: str
    outcome: str
    images: tuple[str, ...] = ()
    prompt: str = field(default="", repr=False)
    message: str = ""


@frozen(kw_only=True)
class Candidate:
    """An image on the Character Library that an operation of unknown outcome may have drawn.

    Attributes:
        media_id: The media document there.
        url: Where the file is served, without user info, query and fragment: `fetch_candidate`
            knows the rest.
        drawn_at: When it was there, by the server's clock, where its name tells.
        evidence: What speaks for it and against it, in words.
    """

    media_id: str
    url: str | None = field(default=None, repr=False)
    drawn_at: datetime | None = None
    evidence: tuple[str, ...] = ()


@frozen(kw_only=True)
class RecoveryReport:
    """What one run of `recover` did.

    Attributes:
        operations: One entry per operation that it looked at; empty when there was none.
    """

    operations: tuple[Recovered, ...] = ()

    @property
    def unresolved(self) -> tuple[Recovered, ...]:
        """Those that need time or a human: unknown, waiting, stranded, in progress, or an error."""
        open_outcomes = ("unknown", "waiting", "stranded", "in-progress", "error")
        return tuple(each for each in self.operations if each.outcome in open_outcomes)
