"""The files of one download: as it arrived, as it is stored, and signed."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from typing import IO, Protocol

from attrs import evolve

from .. import __version__
from .._ingest.inspect import coded_pixels
from .._ingest.label import says_so
from .._ingest.renditions import label_bytes, provenance_of
from .._ingest.rewrite import Edit, rewrite
from .._ingest.values import Download, Inspection
from .._ingest.xmp import TRAINED, Label
from .._plain import logger
from .._signing import AsyncContentSigner, SigningFailed
from .._spool import Spool
from ..errors import ImageRejected, MediaAltered, MediaNotFound, StorageError
from ..models import ImageMetrics, Media, Provenance
from ..policies import LABEL, SIGN
from ..protocols import AsyncMediaStore

__all__ = ["AsyncFiles", "as_found", "as_stored", "rendition", "write"]

_log = logger("charimg.download")

_BLOCK = 256 * 1024
_SPOOL = 1024 * 1024


class _Look(Protocol):
    def __call__(self, label: Label | None, *, sign: bool) -> Inspection:
        """Inspect the file as it arrived."""
        ...


class AsyncFiles:
    """The temporary files of one download.

    Args:
        spool_bytes: What is kept in memory before a file is used.
    """

    def __init__(self, spool_bytes: int) -> None:
        self._most = spool_bytes
        self._files: list[IO[bytes]] = []

    def new(self) -> Spool:
        """Return an empty one, without a name in the file system."""
        file = Spool(self._most)
        self._files.append(file)
        return file

    def close(self, *, all_but: IO[bytes] | None = None) -> None:
        """Close them, which removes them."""
        for file in self._files:
            if file is not all_but:
                file.close()

    def edited(self, file: Spool, edits: Sequence[Edit]) -> Spool:
        """Return a file with changes, at its beginning; without any it is that one."""
        if edits:
            edited = self.new()
            rewrite(file, edits, partial(write, edited))
            edited.seal()
            return edited
        file.seek(0)
        return file

    async def signed(
        self,
        signer: AsyncContentSigner,
        source: Spool,
        stored: Spool,
        inspection: Inspection,
        look: _Look,
    ) -> tuple[Spool, Inspection]:
        """Return the file signed, or as it is where that fails.

        Args:
            signer: Signs it.
            source: The file that arrived.
            stored: The file as it would be stored.
            inspection: What was found in it.
            look: Inspects the file that arrived.
        """
        found = inspection.provenance or Provenance()
        # Written to in several places, so it cannot be hashed on the way.
        into = tempfile.SpooledTemporaryFile(max_size=max(1, self._most))  # noqa: SIM115
        self._files.append(into)
        try:
            await signer.sign(
                stored,
                inspection.type.mime_type,
                into,
                parent=source if found.credentials else None,
            )
            signed = self._proven(into, stored)
        except SigningFailed as error:
            _log.warning("download.not_signed", extra={"reason": str(error)})
            reason = f"it could not be signed: {error}"
            if found.credentials and found.marked == LABEL:
                # The label has broken what only a signature would have made good.
                inspection = look(None, sign=False)
                stored = self.edited(source, inspection.edits)
            stored.seek(0)
            return stored, evolve(inspection, unlabelled=reason)
        source_type = found.digital_source_type or TRAINED
        provenance = evolve(found, credentials=True, digital_source_type=source_type, marked=SIGN)
        return signed, evolve(inspection, provenance=provenance, unlabelled=None)

    def _proven(self, into: IO[bytes], stored: Spool) -> Spool:
        """Keep a signed file, if it is still the same picture: some the library has broken."""
        signed = self.new()
        while block := into.read(_BLOCK):
            write(signed, block)
        signed.seal()
        signed.seek(0)
        stored.seek(0)
        try:
            same = coded_pixels(signed) == coded_pixels(stored)
        except ImageRejected:
            same = False
        if not same:
            raise SigningFailed("the signed file would not be the same image")
        return signed


def rendition(drawn: bytes | None, inspection: Inspection, label: Label | None) -> bytes | None:
    """Return a thumbnail that says what its image says, or should say."""
    if label is None and says_so(inspection.provenance):
        label = Label(f"charimg {__version__}")
    return label_bytes(drawn, label) if drawn and label else drawn


def as_stored(download: Download, media: Media) -> tuple[Provenance | None, str | None]:
    """Return what a file says once it is stored, and why it is not marked though it should be."""
    found = download.provenance
    if found is None or media.sha256 in (None, download.sha256):
        return found, download.unmarked
    # Nobody knows what is left of it.
    reason = "the media store makes another file of it"
    return None, reason if found.marked else download.unmarked


async def as_found(store: AsyncMediaStore, media: Media) -> ImageMetrics:
    """Return what a stored file tells of itself whose download nobody remembers.

    What charimg has marked is known by the tool that the label names, unless the file had one.

    Raises:
        StorageError: The store failed.
    """
    with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as file:
        try:
            async with store.open(media.key) as chunks:
                async for chunk in chunks:
                    write(file, chunk)
        except (MediaNotFound, MediaAltered):
            # Verification tells of that.
            return ImageMetrics()
        found = provenance_of(file)
    if found is not None and (found.tool or "").startswith("charimg "):
        found = evolve(found, marked=SIGN if found.credentials else LABEL)
    return ImageMetrics(provenance=found)


def write(file: IO[bytes], data: bytes) -> None:
    """Write into a temporary file.

    Raises:
        StorageError: The disk is full, or the like.
    """
    try:
        file.write(data)
        # Now rather than later, so that a full disk shows here.
        file.flush()
    except OSError as error:
        raise StorageError(
            "The temporary file of a download could not be written. See to it that the directory "
            "for temporary files has room."
        ) from error
