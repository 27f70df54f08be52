"""A real round trip through each store: write, read and delete of a probe."""

from __future__ import annotations

import hashlib
import io
import secrets
import struct
import zlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress

from attrs import frozen

from .._assembly.stores import Stores
from .._offers import offers
from .._owner import new_owner
from .._surely import surely
from ..errors import CharimgError, GenerationInProgress, StorageError
from ..journal import Operation, OperationKind, OperationState
from ..models import CharacterImage, ImageKind, ImageStatus, Media, Upload
from ..protocols import (
    ListableCharacterDirectory,
    ListableMetadataRepository,
    MediaStore,
    MetadataRepository,
)

__all__ = [
    "CHARACTER",
    "TTL",
    "Probe",
    "check_newest",
    "known_character",
    "png",
    "probe",
    "recorded",
    "saved",
    "step",
]

CHARACTER = "charimg-probe"
"""Stands for no character of the host's."""
_SIDE = 16
TTL = 60.0
"""Seconds that the probe's lease lives."""
_NEWEST = 10
"""Others may add images meanwhile."""
_LOOKED_AT = 200
"""Characters that are looked through for the newest record; each costs a request."""


@frozen(kw_only=True)
class Probe:
    """How one store answered.

    Attributes:
        role: ``media``, ``metadata``, ``ledger`` or ``characters``.
        message: What worked, or why it was not tried.
        error: What failed.
        skipped: Whether it was not tried.
    """

    role: str
    message: str = ""
    error: CharimgError | None = None
    skipped: bool = False


def probe(stores: Stores, *, without: Collection[str] = ()) -> Iterator[Probe]:
    """Try every store; nothing of the probe stays but one finished operation in the ledger.

    Args:
        stores: The stores.
        without: Roles that are left out. A record is tried with a file, so where media are left
            out or fail, metadata are skipped.
    """
    attempts: dict[str, Callable[[], str]] = {
        "characters": lambda: _characters(stores),
        "media": lambda: _media(stores.media),
        "metadata": lambda: _metadata(stores),
        "ledger": lambda: _ledger(stores),
    }
    failed = set(without)
    for role, attempt in attempts.items():
        if role in without:
            continue
        if role == "metadata" and "media" in failed:
            reason = "not tried: a record is tried together with a file, and media failed"
            yield Probe(role=role, message=reason, skipped=True)
            continue
        answer = _tried(role, attempt)
        if answer.error is not None:
            failed.add(role)
        yield answer


def check_newest(stores: Stores) -> str:
    """Read the file of the newest record, whoever's it is, and compare it with the record.

    Returns:
        What was found.

    Raises:
        MediaNotFound: It is not in the media store.
        StorageError: It is another file, or a store failed.
    """
    metadata = stores.metadata
    if not offers(metadata, ListableMetadataRepository):
        return "not looked at: the repository cannot tell whose records it holds"
    pages = (metadata.list(each, limit=_NEWEST) for each in metadata.character_ids()[-_LOOKED_AT:])
    images = [image for page in pages for image in page.images if image.media is not None]
    newest = max(images, key=lambda image: (image.created_at, image.id), default=None)
    if newest is None or newest.media is None:
        return "no records yet"
    digest = hashlib.sha256()
    size = 0
    with stores.media.open(newest.media.key) as chunks:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
    if newest.media.size != size or newest.media.sha256 not in (None, digest.hexdigest()):
        raise StorageError(
            f"The file of the newest record, {newest.id!r} of {newest.character_id!r}, is not the "
            "one that was stored: it was changed or damaged. Restore it from a backup, or delete "
            "the image."
        )
    return "that of the newest record is there, and is the one that was stored"


def _tried(role: str, attempt: Callable[[], str]) -> Probe:
    try:
        return Probe(role=role, message=attempt())
    except CharimgError as error:
        return Probe(role=role, error=error)


def _characters(stores: Stores) -> str:
    if stores.directory.get(CHARACTER) is not None:
        raise StorageError(f"The directory has a character {CHARACTER!r}, which nobody added.")
    return "answers"


@contextmanager
def saved(store: MediaStore, data: bytes, side: int) -> Iterator[Media]:
    """Store an image for a moment.

    Args:
        store: Where.
        data: A file of `png`.
        side: Its width and height.
    """
    key = f"probe-{secrets.token_hex(8)}"
    upload = Upload(
        key=key,
        file=io.BytesIO(data),
        filename=f"{key}.png",
        mime_type="image/png",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        width=side,
        height=side,
        alt="charimg probe",
    )
    try:
        yield store.save(upload)
    except BaseException:
        # What failed first tells more.
        with suppress(CharimgError):
            surely(lambda: store.delete(key))
        raise
    surely(lambda: store.delete(key))


@contextmanager
def recorded(stores: Stores, character_id: str, media: Media) -> Iterator[CharacterImage]:
    """Write a record of a stored image for a moment."""
    metadata = stores.metadata
    image = CharacterImage(
        key=media.key,
        character_id=character_id,
        kind=ImageKind.SCENE,
        status=ImageStatus.SUCCEEDED,
        media=media,
        prompt="charimg probe",
    )
    try:
        image = metadata.add(image)
        yield image
    except BaseException:
        with suppress(CharimgError):
            # It may be there though nobody was told under which id.
            surely(lambda: _remove(metadata, character_id, image.key))
        raise
    surely(lambda: metadata.delete(image.id))


def _remove(metadata: MetadataRepository, character_id: str, key: str) -> None:
    for each in metadata.list(character_id, limit=_NEWEST).images:
        if each.key == key:
            metadata.delete(each.id)


def _media(store: MediaStore) -> str:
    data = png(_SIDE)
    with saved(store, data, _SIDE) as media:
        with store.open(media.key) as chunks:
            if b"".join(chunks) != data:
                raise StorageError(f"Media {media.key!r} reads back with other bytes than written.")
        url = store.locate(media).url or ""
    if store.get(media.key) is not None:
        raise StorageError(f"Media {media.key!r} was deleted and is still there.")
    scheme = url.partition(":")[0]
    return f"written, read and deleted; URLs are {scheme} ones" if scheme else "no URLs"


def _metadata(stores: Stores) -> str:
    metadata = stores.metadata
    character_id = known_character(stores)
    with (
        saved(stores.media, png(_SIDE), _SIDE) as media,
        recorded(stores, character_id, media) as image,
    ):
        page = metadata.list(character_id, limit=_NEWEST)
        if image.key not in [each.key for each in page.images]:
            raise StorageError(f"Record {image.id!r} was written and is not listed.")
    if metadata.get(image.id) is not None:
        raise StorageError(f"Record {image.id!r} was deleted and is still there.")
    return "written, listed and deleted"


def known_character(stores: Stores) -> str:
    """Return whose record the probe may be: a CMS takes none of an unknown character."""
    directory = stores.directory
    if stores.metadata.requires_media and offers(directory, ListableCharacterDirectory):
        for character in directory.list_all():
            return character.id
    return CHARACTER


def step() -> Operation:
    """Return what a probe writes to the ledger.

    Always the same id: a journal takes nothing back, so there is never more than this one.
    """
    return Operation(
        id=CHARACTER,
        kind=OperationKind.DELETE,
        character_id=CHARACTER,
        state=OperationState.DONE,
    )


def _ledger(stores: Stores) -> str:
    ledger = stores.ledger
    try:
        lease = ledger.acquire(CHARACTER, owner=new_owner(), ttl=TTL)
    except GenerationInProgress:
        return "another check holds the probe's lease"
    try:
        operation = step()
        ledger.write(operation, lease=lease)
        found = ledger.get(operation.id)
    finally:
        surely(lambda: ledger.release(lease))
    if found is None or found.updated_at != operation.updated_at:
        raise StorageError("An operation was written to the ledger and does not read back.")
    return "lease taken, operation written and read"


def png(side: int, *, noise: bool = False) -> bytes:
    """Return a square image.

    Args:
        side: Its width and height.
        noise: Whether it is of colours by chance, which cannot be compressed, instead of grey.
    """

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2 if noise else 0, 0, 0, 0)
    rows = (
        b"\0" + (secrets.token_bytes(3 * side) if noise else b"\x80" * side) for _ in range(side)
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"".join(rows), level=1))
        + chunk(b"IEND", b"")
    )
