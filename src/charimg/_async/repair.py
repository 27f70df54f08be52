"""One image's file: whether it is what its record says, and how it comes back."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import IO

from attrs import evolve, frozen

from .._ingest.naming import alt_text, filename
from .._library.filenames import last_part
from .._offers import offers
from .._plain import logger
from ..capabilities import AsyncRepairableMediaStore
from ..errors import (
    CharacterLibraryError,
    CharimgError,
    DownloadError,
    ErrorCode,
    ImageNotFound,
    IngestionError,
    InvalidArgument,
    MediaAltered,
    MediaNotFound,
    StorageError,
)
from ..journal import Lease, OperationItem
from ..models import CharacterImage, ImageStatus, Media, Upload, utcnow
from ..verification import FindingKind
from .documents import documents
from .leases import leased
from .parts import AsyncParts
from .sources import source_of, whole_source

__all__ = ["Seen", "bring_back", "keys_of", "look_at"]

_log = logger("charimg.verification")

_SPOOL = 8 * 1024 * 1024


@frozen(kw_only=True)
class Seen:
    """What became of a record's file.

    Attributes:
        damage: A `FindingKind`; ``None`` if it is well, or the record never had one.
        message: What is wrong.
        bytes: How many bytes were read.
    """

    damage: FindingKind | None = None
    message: str = ""
    bytes: int = 0


async def look_at(parts: AsyncParts, image: CharacterImage) -> Seen:
    """Read the file of a record, chunk by chunk, and compare it with what the record says."""
    media = image.media
    if media is None:
        if image.status != ImageStatus.SUCCEEDED:
            return Seen()
        return Seen(damage=FindingKind.LOST, message="The record has no file any more.")
    size, store, rendered = 0, parts.media, True
    try:
        size, sha256 = await _read(parts, media.key)
        if offers(store, AsyncRepairableMediaStore):
            rendered = await store.has_renditions(media)
    except MediaNotFound:
        return Seen(damage=FindingKind.LOST, message="The media store has no whole file of it.")
    except MediaAltered:
        sha256 = ""
    except (StorageError, InvalidArgument) as error:
        return Seen(damage=FindingKind.UNREADABLE, message=str(error))
    known = _sha256_of(image)
    if sha256 == "" or (known or sha256) != sha256 or (known is None and size != media.size):
        message = "The file has other bytes than were stored: it was changed or damaged."
        return Seen(damage=FindingKind.ALTERED, message=message, bytes=size)
    if not rendered:
        return Seen(damage=FindingKind.NO_THUMBNAIL, message="Its thumbnail is gone.", bytes=size)
    return Seen(bytes=size)


async def _read(parts: AsyncParts, key: str, into: IO[bytes] | None = None) -> tuple[int, str]:
    size, digest = 0, hashlib.sha256()
    async with parts.media.open(key) as chunks:
        async for chunk in chunks:
            size += len(chunk)
            digest.update(chunk)
            if into is not None:
                into.write(chunk)
    return size, digest.hexdigest()


def keys_of(image: CharacterImage) -> tuple[str, ...]:
    """Return the keys under which the image's file may be."""
    return (image.key,) if image.media is None else (image.key, image.media.key)


def _sha256_of(image: CharacterImage) -> str | None:
    # A record whose media was taken out of the CMS still has the hash among its metrics.
    return (image.media and image.media.sha256) or image.metrics.sha256


async def bring_back(parts: AsyncParts, image: CharacterImage) -> CharacterImage:
    """See to it, under the character's lease, that a record's file is what the record says.

    Returns:
        The record as it stands then.

    Raises:
        ImageNotFound: The record is gone meanwhile.
        GenerationInProgress: Another operation on the character is running.
        IngestionError: No source gave the bytes that the record tells of; nothing was changed.
        StorageError: A store failed.
    """
    async with leased(parts, image.character_id) as lease:
        return await _mend(parts, image, lease)


async def _mend(parts: AsyncParts, image: CharacterImage, lease: Lease) -> CharacterImage:
    current = await parts.metadata.get(image.id)
    if current is None or current.key != image.key:
        raise ImageNotFound(f"There is no image {image.id!a:.80} any more.")
    seen = await look_at(parts, current)
    if seen.damage is None:
        return current
    if seen.damage == FindingKind.UNREADABLE:
        raise StorageError(seen.message)
    async with _whole(parts, current, seen.damage) as upload:
        # That may have taken long; whoever took the lease over may have deleted the image.
        await parts.ledger.renew(lease, ttl=parts.lease_seconds)
        media = await _store(parts, upload, seen.damage)
    if media.sha256 not in (None, _sha256_of(current)):
        await parts.media.delete(media.key)
        raise StorageError(
            f"{type(parts.media).__name__} made another file of image {image.id} than it has on "
            "record, so it was not kept. Restore it from a backup, or delete the image."
        )
    if current.media is None or _stored(media) != _stored(current.media):
        changed = evolve(current, media=media, updated_at=utcnow())
        current = await parts.metadata.update(changed)
    seen = await look_at(parts, current)
    if seen.damage is not None:
        raise StorageError(
            f"Image {image.id} was stored again, and is still not as its record says: "
            f"{seen.message}"
        )
    _log.info("image.repaired", extra={"image_id": image.id, "key": image.key})
    return current


def _stored(media: Media) -> Media:
    """Return the media without what is only filled in when it is read."""
    return evolve(media, url=None, thumbnail_url=None)


async def _becomes(parts: AsyncParts, upload: Upload) -> str:
    """Return the hash that the file would have once it is stored."""
    store = parts.media
    if offers(store, AsyncRepairableMediaStore):
        return await store.sha256_of(upload)
    return upload.sha256


async def _store(parts: AsyncParts, upload: Upload, damage: FindingKind) -> Media:
    store = parts.media
    if offers(store, AsyncRepairableMediaStore):
        return await store.replace(upload)
    if damage == FindingKind.ALTERED:
        await store.delete(upload.key)
    return await store.save(upload)


@asynccontextmanager
async def _whole(
    parts: AsyncParts, image: CharacterImage, damage: FindingKind
) -> AsyncIterator[Upload]:
    """Give the file that the record tells of: the store's own, or one that its source has."""
    sha256 = _sha256_of(image)
    if sha256 is None:
        raise IngestionError(
            f"The record of image {image.id} has no SHA-256, so nothing could prove that a file is "
            "the one that was stored. Restore it from a backup.",
            code=ErrorCode.UNPROVEN,
            image_id=image.id,
        )
    media = image.media
    if damage == FindingKind.NO_THUMBNAIL and media is not None:
        with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as file:
            size, _ = await _read(parts, media.key, file)
            own = await _upload(parts, image, file, size=size, mime_type=media.mime_type)
            if await _becomes(parts, own) == sha256:
                yield own
                return
    errors: list[CharimgError] = []
    tried = {""}
    for source in (_recorded, _by_id, _by_name):
        try:
            url = await source(parts, image)
        except (IngestionError, CharacterLibraryError) as error:
            errors.append(error)
            continue
        if url in tried:
            continue
        tried.add(url)
        try:
            download = await parts.downloader.fetch(
                url,
                library_url=parts.library.base_url,
                prompt=image.prompt,
                sha256=sha256,
                provenance=image.metrics.provenance,
                thumbnail_px=parts.thumbnail_px,
            )
        except (IngestionError, InvalidArgument) as error:
            errors.append(error)
            continue
        try:
            upload = await _upload(
                parts,
                image,
                download.file,
                size=download.size,
                mime_type=download.mime_type,
                extension=download.extension,
            )
            upload = evolve(
                upload,
                sha256=download.sha256,
                width=download.width,
                height=download.height,
                thumbnail=download.thumbnail,
            )
            if await _becomes(parts, upload) == sha256:
                yield upload
                return
        finally:
            download.close()
        errors.append(
            IngestionError("Its source has other bytes than were stored.", code=ErrorCode.UNPROVEN)
        )
    raise _unobtainable(image, errors)


async def _upload(
    parts: AsyncParts,
    image: CharacterImage,
    file: IO[bytes],
    *,
    size: int,
    mime_type: str,
    extension: str = "",
) -> Upload:
    media = image.media
    if media is None:
        character = await parts.directory.get(image.character_id)
        shot = image.metrics.shot
        alt = alt_text(
            "" if character is None else character.name,
            image.kind,
            None if shot is None else shot.name,
        )
    else:
        alt = media.alt
    file.seek(0)
    return Upload(
        key=image.key if media is None else media.key,
        file=file,
        filename=filename(image.kind, image.key, extension) if media is None else media.filename,
        mime_type=mime_type,
        size=size,
        sha256=_sha256_of(image) or "",
        width=None if media is None else media.width,
        height=None if media is None else media.height,
        alt=alt,
    )


async def _recorded(parts: AsyncParts, image: CharacterImage) -> str:
    """Return where the image was served, as the ledger has it, or its record; else nothing."""
    url = await whole_source(parts, image)
    return parts.library.resolve_url(url) if url else ""


async def _by_id(parts: AsyncParts, image: CharacterImage) -> str:
    """Return where the Library's media document says that it is."""
    if not image.external_id:
        return ""
    return await source_of(
        parts, OperationItem(key=image.key, index=0, external_id=image.external_id)
    )


async def _by_name(parts: AsyncParts, image: CharacterImage) -> str:
    """Return where a media document of the file's name is: documents are made anew by some."""
    name = last_part(image.source_url)
    if not name:
        return ""
    found = await documents(parts, name)
    urls = (media.url for media in found or () if last_part(media.url) == name)
    return next((parts.library.resolve_url(url) for url in urls if url), "")


def _unobtainable(image: CharacterImage, errors: list[CharimgError]) -> IngestionError:
    told = " ".join(dict.fromkeys(str(error) for error in errors)) or "It has no source."
    unproven = any(getattr(error, "code", None) == ErrorCode.UNPROVEN for error in errors)
    later = next((error for error in errors if getattr(error, "retryable", False)), None)
    code = ErrorCode.UNPROVEN if unproven else ErrorCode.NO_SOURCE
    kind = IngestionError if unproven else DownloadError
    advice = "Restore it from a backup, or delete the image."
    if later is not None:
        advice = "Try again later, or restore it from a backup."
    return kind(
        f"The file of image {image.id} could not be brought back; nothing was changed. {told} "
        f"{advice}",
        code=code,
        image_id=image.id,
        retryable=later is not None,
    )
