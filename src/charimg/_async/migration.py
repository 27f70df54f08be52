"""Copying everything from one set of stores to another, resumably and verified by hash."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from typing import IO, Protocol

from attrs import evolve, frozen

from .._arguments import checked
from .._offers import offers
from .._plain import logger
from ..errors import (
    CharacterNotFound,
    CharimgError,
    ConfigurationError,
    MediaNotFound,
    PreconditionError,
)
from ..journal import Lease
from ..migration import MigratedImage, MigrationCallback, MigrationOutcome, MigrationReport
from ..models import CharacterImage, Media, Upload
from ..protocols import (
    AsyncCharacterDirectory,
    AsyncGenerationLedger,
    AsyncListableCharacterDirectory,
    AsyncListableMetadataRepository,
    AsyncMediaStore,
    AsyncMetadataRepository,
    AsyncWritableCharacterDirectory,
)
from .leases import held

__all__ = ["AsyncMigration", "AsyncStoreSet"]

_log = logger("charimg.migration")

_PAGE = 200
_TTL = 900.0
"""Seconds that a character's lease lives; it is renewed with every image."""
_SPOOL = 8 * 1024 * 1024


class AsyncStoreSet(Protocol):
    """The four stores; an `AsyncCharacterImageService` is one."""

    @property
    def directory(self) -> AsyncCharacterDirectory:
        """The character directory."""
        ...

    @property
    def media(self) -> AsyncMediaStore:
        """The media store."""
        ...

    @property
    def metadata(self) -> AsyncMetadataRepository:
        """The metadata repository."""
        ...

    @property
    def ledger(self) -> AsyncGenerationLedger:
        """The generation ledger."""
        ...


@frozen(kw_only=True)
class _File:
    file: IO[bytes]
    size: int
    sha256: str


@checked
class AsyncMigration:
    """Copies characters, records, files and operations; the source is only read.

    A character is copied under its lease in the source, so nobody draws or deletes meanwhile. What
    a run that was broken off had copied is found again by its key, so a second run goes on. Every
    file is read back from the target and compared by SHA-256, also when it was there already.

    Copy first, then switch the settings of every host; the source can be removed when nothing uses
    it any more. A store that is the same object, or the same place, on both sides is left alone.

    Args:
        source: Where everything is.
        target: Where everything goes.
        copy_ledger: Whether operations are copied, too; not when both sides share one ledger.
        copy_characters: The same for the directory. A target that takes no characters in, a CMS
            for example, is left alone.
    """

    def __init__(
        self,
        *,
        source: AsyncStoreSet,
        target: AsyncStoreSet,
        copy_ledger: bool = True,
        copy_characters: bool = True,
    ) -> None:
        self._source = source
        self._target = target
        self._copy_ledger = copy_ledger and source.ledger is not target.ledger
        self._copy_characters = copy_characters and source.directory is not target.directory

    async def character_ids(self) -> tuple[str, ...]:
        """Return the id of every character that the source has records of.

        Raises:
            ConfigurationError: The source's repository cannot tell.
        """
        metadata = self._source.metadata
        if not offers(metadata, AsyncListableMetadataRepository):
            raise ConfigurationError(
                f"{type(metadata).__name__} cannot tell whose records it holds. "
                "Name the characters."
            )
        return await metadata.character_ids()

    async def run(
        self,
        character_ids: Sequence[str] | None = None,
        *,
        on_image: MigrationCallback | None = None,
    ) -> MigrationReport:
        """Copy the characters' images, or those of every character.

        An image that cannot be copied is reported and does not stop the others; a store that is out
        of reach does.

        Raises:
            CharacterNotFound: The source neither knows one that is named nor has records of it;
                nothing was copied.
            PreconditionError: A character has unfinished operations in the source: run `recover`
                first.
            GenerationInProgress: Somebody works on a character.
            StorageError: A store failed.
            ConfigurationError: See `character_ids`.
        """
        ids = await self.character_ids() if character_ids is None else tuple(character_ids)
        for character_id in () if character_ids is None else ids:
            await self._check_known(character_id)
        if self._copy_characters:
            await self._characters(ids if character_ids is not None else None)
        images: list[MigratedImage] = []
        operations = extra = 0
        for character_id in ids:
            async with held(self._source.ledger, character_id, _TTL) as lease:
                if await self._source.ledger.unfinished(character_id):
                    raise PreconditionError(
                        f"Character {character_id!r} has unfinished operations. "
                        "Run recover() (`charimg recover`) first, and settle() what stays unknown."
                    )
                if self._copy_ledger:
                    operations += await self._operations(character_id)
                metadata = self._target.metadata
                there = {image.key: image async for image in _records(metadata, character_id)}
                async for image in self._images(character_id, there, lease):
                    images.append(image)
                    if on_image is not None:
                        on_image(image)
                extra += len(there)
        if character_ids is None:
            extra += await self._elsewhere(ids)
        return MigrationReport.of(images, characters=len(ids), operations=operations, extra=extra)

    async def _check_known(self, character_id: str) -> None:
        if await self._source.directory.get(character_id) is not None:
            return
        if not (await self._source.metadata.list(character_id, limit=1)).total:
            raise CharacterNotFound(
                f"The source knows no character {character_id!r} and has no image of it. Check the "
                "id."
            )

    async def _elsewhere(self, ids: Sequence[str]) -> int:
        """Count the target's records of characters that the source has none of."""
        metadata = self._target.metadata
        if not offers(metadata, AsyncListableMetadataRepository):
            return 0
        others = set(await metadata.character_ids()) - set(ids)
        return sum([(await metadata.list(each, limit=1)).total for each in sorted(others)])

    async def _characters(self, wanted: Sequence[str] | None) -> None:
        source, target = self._source.directory, self._target.directory
        if not offers(target, AsyncWritableCharacterDirectory):
            return
        if wanted is not None:
            found = [await source.get(each) for each in wanted]
        elif offers(source, AsyncListableCharacterDirectory):
            found = list(await source.list_all())
        else:
            found = [await source.get(each) for each in await self.character_ids()]
        for character in found:
            if character is not None and await target.get(character.id) is None:
                await target.put(character)

    async def _operations(self, character_id: str) -> int:
        source, target = self._source.ledger, self._target.ledger
        copied = 0
        cursor: str | None = None
        async with held(target, character_id, _TTL) as lease:
            while True:
                page = await source.list(character_id, limit=_PAGE, cursor=cursor)
                for operation in page.operations:
                    if await target.get(operation.id) is None:
                        await target.write(operation, lease=lease)
                        copied += 1
                cursor = page.next_cursor
                if cursor is None:
                    return copied

    async def _images(
        self, character_id: str, there: dict[str, CharacterImage], lease: Lease
    ) -> AsyncIterator[MigratedImage]:
        """Copy every image; what was found is taken out of ``there``."""
        done = 0
        cursor: str | None = None
        while True:
            page = await self._source.metadata.list(character_id, limit=_PAGE, cursor=cursor)
            for image in page.images:
                lease = await self._source.ledger.renew(lease, ttl=_TTL)
                done += 1
                outcome, message = await self._image(image, there.pop(image.key, None))
                size = 0 if image.media is None or message else image.media.size
                yield MigratedImage(
                    character_id=character_id,
                    key=image.key,
                    outcome=outcome,
                    bytes=size,
                    message=message,
                    done=done,
                    total=page.total,
                )
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _image(
        self, image: CharacterImage, there: CharacterImage | None
    ) -> tuple[MigrationOutcome, str]:
        media, copied = None, False
        if image.media is None and self._target.metadata.requires_media:
            return MigrationOutcome.SKIPPED, "The repository keeps no record without a file."
        try:
            if image.media is not None:
                media, copied = await self._file(image.media, there)
            copied = await self._record(image, media, there) or copied
        except _Unfit as error:
            _log.warning("migration.failed", extra={"key": image.key})
            return MigrationOutcome.FAILED, str(error)
        return (MigrationOutcome.COPIED if copied else MigrationOutcome.PRESENT), ""

    async def _file(self, media: Media, record: CharacterImage | None) -> tuple[Media, bool]:
        """Bring the file over unless it is there; read it back; tell whether it is new."""
        source, target = self._source.media, self._target.media
        there = await target.get(media.key)
        if there is not None:
            # A store that transcodes has other bytes, and the record of an earlier run says which.
            known = None if record is None or record.media is None else record.media.sha256
            if media.sha256 in (None, there.sha256) or known == there.sha256:
                await self._verify(there)
                return there, False
            raise _Unfit(
                f"Other bytes are stored under the key {media.key!r} in the target. Remove them "
                "there, then run again."
            )
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as spooled:
            found = await _fetch(source, media, spooled)
            if media.sha256 not in (None, found.sha256) or media.size != found.size:
                raise _Unfit(
                    f"The bytes of media {media.key!r} in the source are not those that were "
                    "stored: they were changed or damaged."
                )
            upload = Upload(
                key=media.key,
                file=found.file,
                filename=media.filename,
                mime_type=media.mime_type,
                size=found.size,
                sha256=found.sha256,
                width=media.width,
                height=media.height,
                alt=media.alt,
            )
            saved = await target.save(upload)
        await self._verify(saved)
        return saved, True

    async def _verify(self, saved: Media) -> None:
        digest = hashlib.sha256()
        async with self._target.media.open(saved.key) as chunks:
            async for chunk in chunks:
                digest.update(chunk)
        # A store that transcodes says what it made of the file.
        if digest.hexdigest() != saved.sha256:
            raise _Unfit(
                f"Media {saved.key!r} reads back from the target with other bytes than were saved."
            )

    async def _record(
        self, image: CharacterImage, media: Media | None, there: CharacterImage | None
    ) -> bool:
        """Write the record unless it is there; tell whether something was written."""
        metadata = self._target.metadata
        wanted = evolve(image, id=image.key, media=media)
        stored = await metadata.add(wanted) if there is None else there
        if (stored.character_id, stored.kind) != (wanted.character_id, wanted.kind):
            raise _Unfit(f"Another record has the key {image.key!r} in the target.")
        if _essence(stored) == _essence(wanted):
            return there is None
        if stored.status != wanted.status and stored.updated_at > wanted.updated_at:
            # The target is in use already: a download was retried there.
            return False
        await metadata.update(evolve(wanted, id=stored.id))
        return True


class _Unfit(CharimgError):
    """One image cannot be copied; the others can."""


async def _fetch(store: AsyncMediaStore, media: Media, into: IO[bytes]) -> _File:
    digest = hashlib.sha256()
    size = 0
    try:
        async with store.open(media.key) as chunks:
            async for chunk in chunks:
                into.write(chunk)
                digest.update(chunk)
                size += len(chunk)
    except MediaNotFound as error:
        raise _Unfit(f"The source has no file under the key {media.key!r}.") from error
    into.seek(0)
    return _File(file=into, size=size, sha256=digest.hexdigest())


async def _records(
    metadata: AsyncMetadataRepository, character_id: str
) -> AsyncIterator[CharacterImage]:
    cursor: str | None = None
    while True:
        page = await metadata.list(character_id, limit=_PAGE, cursor=cursor)
        for image in page.images:
            yield image
        cursor = page.next_cursor
        if cursor is None:
            return


def _essence(image: CharacterImage) -> tuple[object, ...]:
    """Return what must be equal on both sides: not ids that the stores assign, nor times."""
    media = image.media
    return (
        image.status,
        image.prompt,
        image.source_url,
        image.external_id,
        None if media is None else (media.id, media.key, media.size, media.sha256),
    )
