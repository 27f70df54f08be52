# Generated from src/charimg/_async/marking.py by tools/unasync.py. Do not edit.
"""The files of one download: as it arrived, as it is stored, and signed."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from typing import IO, Protocol

from attrs import evolve, frozen

from .._ingest.label import LABEL, SIGN
from .._ingest.rewrite import Edit, rewrite
from .._ingest.values import Download, Inspection
from .._ingest.xmp import TRAINED, Label
from .._plain import logger
from .._signing import ContentSigner, SigningFailed
from ..errors import StorageError
from ..models import Media, Provenance

__all__ = ["Files", "Stored", "as_stored", "write"]

_log = logger("charimg.download")

_BLOCK = 256 * 1024


class _Look(Protocol):
    def __call__(self, label: Label | None, *, sign: bool) -> Inspection:
        """Inspect the file as it arrived."""


@frozen
class Stored:
    """A file that can be stored.

    Attributes:
        file: At its beginning.
        size: In bytes.
        sha256: Lower-case hex digest.
    """

    file: IO[bytes]
    size: int
    sha256: str


class Files:
    """The temporary files of one download.

    Args:
        spool_bytes: What is kept in memory before a file is used.
    """

    def __init__(self, spool_bytes: int) -> None:
        # A size of 0 would mean "never on disk".
        self._most = max(1, spool_bytes)
        self._files: list[IO[bytes]] = []

    def new(self) -> IO[bytes]:
        """Return an empty one, without a name in the file system."""
        file = tempfile.SpooledTemporaryFile(max_size=self._most)  # noqa: SIM115
        self._files.append(file)
        return file

    def close(self, *, all_but: IO[bytes] | None = None) -> None:
        """Close them, which removes them."""
        for file in self._files:
            if file is not all_but:
                file.close()

    def edited(self, file: IO[bytes], edits: Sequence[Edit], sha256: str) -> Stored:
        """Return a file with changes.

        Args:
            file: The one that arrived.
            edits: The changes; without any it is that one.
            sha256: Its hash.
        """
        if not edits:
            return Stored(file, _rewound(file), sha256)
        edited, digest = self.new(), hashlib.sha256()

        def take(data: bytes) -> None:
            digest.update(data)
            write(edited, data)

        rewrite(file, edits, take)
        return Stored(edited, _rewound(edited), digest.hexdigest())

    def signed(
        self,
        signer: ContentSigner,
        source: IO[bytes],
        stored: Stored,
        inspection: Inspection,
        look: _Look,
    ) -> tuple[Stored, Inspection]:
        """Return the file signed, or as it is where that fails.

        Args:
            signer: Signs it.
            source: The file that arrived.
            stored: The file as it would be stored.
            inspection: What was found in it.
            look: Inspects the file that arrived.
        """
        found = inspection.provenance or Provenance()
        into = self.new()
        try:
            signer.sign(
                stored.file,
                inspection.type.mime_type,
                into,
                parent=source if found.credentials else None,
            )
        except SigningFailed as error:
            _log.warning("download.not_signed", extra={"reason": str(error)})
            reason = f"it could not be signed: {error}"
            if found.credentials and found.marked == LABEL:
                # The label has broken what only a signature would have made good.
                inspection = look(None, sign=False)
                digest = _sha256(source)
                stored = self.edited(source, inspection.edits, digest)
            _rewound(stored.file)
            return stored, evolve(inspection, unlabelled=reason)
        source_type = found.digital_source_type or TRAINED
        provenance = evolve(found, credentials=True, digital_source_type=source_type, marked=SIGN)
        signed = Stored(into, _rewound(into), _sha256(into))
        return signed, evolve(inspection, provenance=provenance, unlabelled=None)


def as_stored(download: Download, media: Media) -> tuple[Provenance | None, str | None]:
    """Return what a file says once it is stored, and why it is not marked though it should be."""
    found = download.provenance
    if found is None or media.sha256 in (None, download.sha256):
        return found, download.unmarked
    # Nobody knows what is left of it.
    reason = "the media store makes another file of it"
    return None, reason if found.marked else download.unmarked


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


def _rewound(file: IO[bytes]) -> int:
    """Return how many bytes a file has, and leave it at its beginning."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _sha256(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(_BLOCK):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()
