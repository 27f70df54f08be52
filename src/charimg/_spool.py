"""A temporary file that hashes what is written into it, and can then no longer be written."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from tempfile import SpooledTemporaryFile
from typing import Any

__all__ = ["Spool"]


class Spool(SpooledTemporaryFile[bytes]):
    """Bytes in memory or in a file without a name, and their hash.

    Nobody else can open it, each byte went through `write`, which hashed it, and after `seal`
    nothing is written any more. So what is read from a sealed one are the bytes of `sha256`, and
    need not be hashed again.

    Args:
        max_size: Bytes that are kept in memory before a file is used, at least 1.

    Attributes:
        size: Bytes that were written.
        sealed: Whether it is complete.
    """

    def __init__(self, max_size: int) -> None:
        # A size of 0 would mean "never on disk".
        super().__init__(max_size=max(1, max_size))
        self._digest = hashlib.sha256()
        self.size = 0
        self.sealed = False

    @property
    def sha256(self) -> str:
        """The lower-case hex digest of what was written."""
        return self._digest.hexdigest()

    def write(self, s: Any) -> int:
        """Append; see `io.BufferedIOBase.write`.

        Raises:
            io.UnsupportedOperation: It is sealed, or not at its end.
        """
        if self.sealed or self.tell() != self.size:
            raise io.UnsupportedOperation("A spool is written once, from its beginning to its end.")
        super().write(s)
        self._digest.update(s)
        self.size += len(s)
        return len(s)

    def writelines(self, iterable: Iterable[Any]) -> None:
        """Append each."""
        for line in iterable:
            self.write(line)

    def truncate(self, size: int | None = None) -> int:  # noqa: ARG002 - of the class
        """Raise: what was hashed stays."""
        raise io.UnsupportedOperation("A spool is not cut.")

    def seal(self) -> None:
        """End the writing; the file stands at its beginning then."""
        self.seek(0)
        self.sealed = True
