"""The media documents of the Character Library: every image that it holds, in a gallery or not."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from .._library.values import LibraryMedia
from ..errors import CharacterLibraryError
from ..journal import Operation
from .operation import PERHAPS
from .parts import AsyncParts

__all__ = ["Rescue", "documents", "not_to_be_read"]

_PAGE = 200
_MOST = 2000
"""How many are looked at, the newest first, where no moment ends the look."""
_CLOSED = (401, 403, 404, 405)
"""How a server says that they are not for everybody."""


class Rescue(StrEnum):
    """What came of looking for what was drawn; the value says it in words."""

    FOUND = "What it had drawn is taken over."
    NOTHING = "No media document of the Character Library shows anything that it has drawn."
    UNSURE = (
        "What it has drawn may be somebody else's: candidates() shows the images, and settle() "
        "takes the right ones."
    )
    UNSOUGHT = (
        "What it has drawn was not looked for: the Character Library does not know the character "
        "any more. settle() with no image closes the operation."
    )
    CLOSED = (
        "What it has drawn, if anything, is paid for, but cannot be looked for now: the Character "
        "Library's media documents are not to be read. recover() looks again."
    )
    OFF = (
        "What it has drawn, if anything, is paid for, but is not looked for: this service reads no "
        "media documents (media_documents)."
    )

    def keeps_open(self, op: Operation) -> bool:
        """Tell whether there is more to do: for a person, or for a later look."""
        if self == Rescue.CLOSED:
            # Of most that fails nothing is drawn, and nobody should have to close it by hand.
            return PERHAPS not in op.options
        return self in (Rescue.UNSURE, Rescue.UNSOUGHT)


def not_to_be_read(parts: AsyncParts) -> Rescue:
    """Return why media documents could not be read."""
    return Rescue.CLOSED if parts.media_documents else Rescue.OFF


async def documents(
    parts: AsyncParts, part: str, *, since: datetime | None = None
) -> list[LibraryMedia] | None:
    """Return those with the text in their file's name, newest first; ``None`` if none can be read.

    Args:
        parts: The service's parts.
        part: A part of the names.
        since: Older ones are not looked for, by the server's clock.

    Raises:
        CharacterLibraryError: The Library could not be asked.
    """
    found: list[LibraryMedia] = []
    if not parts.media_documents:
        return None
    number, more = 1, True
    try:
        while more and (since is not None or len(found) < _MOST):
            page = await parts.library.list_media(part, limit=_PAGE, page=number)
            new = [each for each in page.media if since is None or _is_new(each, since)]
            found += new
            number, more = number + 1, page.has_next and len(new) == len(page.media)
    except CharacterLibraryError as error:
        if error.status_code not in _CLOSED:
            raise
        return None
    return found


def _is_new(media: LibraryMedia, since: datetime) -> bool:
    return media.created_at is None or media.created_at >= since
