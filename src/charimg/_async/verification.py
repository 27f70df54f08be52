"""Reading records, files and ledger against each other; only reading, unless asked to repair."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from attrs import evolve

from .._ingest.naming import TRIAL
from .._keyset import KeySet
from .._offers import offers
from ..capabilities import AsyncListableMediaStore
from ..errors import (
    CharimgError,
    ConfigurationError,
    GenerationInProgress,
    ImageNotFound,
)
from ..journal import Operation
from ..models import CharacterImage, utcnow
from ..protocols import (
    AsyncListableCharacterDirectory,
    AsyncListableMetadataRepository,
)
from ..verification import (
    Finding,
    FindingKind,
    FindingOutcome,
    VerificationCallback,
    VerificationProgressed,
    VerificationReport,
)
from .parts import AsyncParts, tell
from .repair import bring_back, keys_of, look_at
from .strays import stray
from .unrecorded import KEY

__all__ = ["verify"]

_PAGE = 200
_KEPT = 1000
"""How many findings a report holds; the callback is told of all."""


async def verify(
    parts: AsyncParts,
    character_id: str | None,
    *,
    repair: bool,
    on_progress: VerificationCallback | None,
) -> VerificationReport:
    """See `AsyncCharacterImageService.verify`."""
    ids = await _character_ids(parts) if character_id is None else (character_id,)
    total = sum([(await parts.metadata.list(each, limit=1)).total for each in ids])
    with KeySet() as known:
        run = _Verification(parts, known, total, repair=repair, on_progress=on_progress)
        for each in ids:
            await run.records(each)
        if character_id is None:
            await run.files()
        else:
            await run.files_of(character_id)
        await run.operations(character_id)
        return run.report()


async def _character_ids(parts: AsyncParts) -> tuple[str, ...]:
    if offers(parts.metadata, AsyncListableMetadataRepository):
        return await parts.metadata.character_ids()
    if offers(parts.directory, AsyncListableCharacterDirectory):
        return tuple([each.id for each in await parts.directory.list_all()])
    raise ConfigurationError(
        f"Neither {type(parts.metadata).__name__} nor {type(parts.directory).__name__} can tell "
        "which characters there are. Name the character."
    )


class _Verification:
    def __init__(
        self,
        parts: AsyncParts,
        known: KeySet,
        total: int,
        *,
        repair: bool,
        on_progress: VerificationCallback | None,
    ) -> None:
        self._parts = parts
        self._known = known
        self._total = total
        self._repair = repair
        self._listeners = () if on_progress is None else (on_progress,)
        self._begun: datetime = utcnow()
        self._images = self._bytes = self._files = 0
        self._listed = False
        self._found: Counter[str] = Counter()
        self._ended: Counter[str] = Counter()
        self._unresolved = 0
        self._findings: list[Finding] = []

    def report(self) -> VerificationReport:
        """Sum up."""
        return VerificationReport(
            images=self._images,
            bytes=self._bytes,
            files=self._files if self._listed else None,
            found={str(each): self._found[each] for each in FindingKind},
            repaired=self._ended[FindingOutcome.REPAIRED],
            removed=self._ended[FindingOutcome.REMOVED],
            unresolved=self._unresolved,
            findings=tuple(self._findings),
        )

    def _tell(self, finding: Finding | None) -> None:
        if finding is not None:
            self._found[finding.kind] += 1
            self._ended[finding.outcome] += 1
            self._unresolved += not finding.resolved
            if len(self._findings) < _KEPT:
                self._findings.append(finding)
        event = VerificationProgressed(
            done=self._images,
            # Records may be added meanwhile.
            total=max(self._total, self._images),
            files=self._files,
            finding=finding,
        )
        tell(self._listeners, event)

    async def records(self, character_id: str) -> None:
        """Look at the file of every record of a character."""
        cursor: str | None = None
        while True:
            page = await self._parts.metadata.list(character_id, limit=_PAGE, cursor=cursor)
            for image in page.images:
                self._known.add(keys_of(image))
                finding = await self._record(image)
                self._images += 1
                self._tell(finding)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _record(self, image: CharacterImage) -> Finding | None:
        seen = await look_at(self._parts, image)
        self._bytes += seen.bytes
        if seen.damage is None or await self._is_gone(image):
            return None
        found = Finding(
            kind=seen.damage,
            outcome=FindingOutcome.TOLD,
            message=seen.message,
            character_id=image.character_id,
            key=image.key,
            image_id=image.id,
        )
        if not self._repair or seen.damage == FindingKind.UNREADABLE:
            return found
        try:
            await bring_back(self._parts, image)
        except ImageNotFound:
            return None
        except GenerationInProgress as error:
            return evolve(found, message=f"{found.message} {error}")
        except CharimgError as error:
            return evolve(found, outcome=FindingOutcome.FAILED, message=str(error))
        return evolve(found, outcome=FindingOutcome.REPAIRED)

    async def _is_gone(self, image: CharacterImage) -> bool:
        """Whether the record is gone, or another one, since it was read: files go after them."""
        current = await self._parts.metadata.get(image.id)
        return current is None or (current.key, current.media) != (image.key, image.media)

    async def files(self) -> None:
        """Look for files that no record names, where the store can list them."""
        store = self._parts.media
        if not offers(store, AsyncListableMediaStore):
            return
        self._listed = True
        async for key in store.list_keys():
            self._files += 1
            if key in self._known:
                self._tell(None)
            elif KEY.fullmatch(key.removesuffix(TRIAL)):
                self._tell(await self._stray(key))
            else:
                self._tell(
                    Finding(
                        kind=FindingKind.FOREIGN_FILE,
                        outcome=FindingOutcome.TOLD,
                        message="charimg did not make this file. It stays.",
                        key=key,
                    )
                )

    async def files_of(self, character_id: str) -> None:
        """Look under the keys of a character's operations for files that no record names."""
        cursor: str | None = None
        while True:
            page = await self._parts.ledger.list(character_id, limit=_PAGE, cursor=cursor)
            for op in page.operations:
                await self._files_of(op)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _files_of(self, op: Operation) -> None:
        for item in op.items:
            if item.key in self._known:
                continue
            # A retry has the keys of what it retries.
            self._known.add((item.key,))
            if await self._parts.media.get(item.key) is not None:
                finding = await self._stray(item.key)
                if finding is not None:
                    self._tell(finding)

    async def _stray(self, key: str) -> Finding | None:
        return await stray(self._parts, key, since=self._begun, repair=self._repair)

    async def operations(self, character_id: str | None) -> None:
        """Tell of the operations that are open."""
        for op in await self._parts.ledger.unfinished(character_id):
            self._tell(
                Finding(
                    kind=FindingKind.OPEN_OPERATION,
                    outcome=FindingOutcome.TOLD,
                    message=f"It is {op.state} since {op.updated_at:%Y-%m-%d %H:%M} UTC: it runs, "
                    "or was left. If it does not run, recover() (`charimg recover`) looks at it.",
                    character_id=op.character_id,
                    operation_id=op.id,
                )
            )
