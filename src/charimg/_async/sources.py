"""Where the image of an item is: by its URL, else by what the Library says of its media id."""

from __future__ import annotations

from attrs import evolve

from ..errors import CharacterLibraryError, DownloadError, ErrorCode, InvalidArgument
from ..journal import OperationItem
from .parts import AsyncParts

__all__ = ["source_by_id", "source_of"]


async def source_of(parts: AsyncParts, item: OperationItem) -> str:
    """Return where the image is: its URL, else what the Library says of its media id."""
    if item.source_url:
        return parts.library.resolve_url(item.source_url)
    if not item.external_id:
        raise DownloadError(
            f"Image {item.key} has neither a URL nor a media id, so it cannot be downloaded. "
            "Generate it again.",
            code=ErrorCode.NO_SOURCE,
        )
    try:
        media = await parts.library.get_media(item.external_id)
    except (CharacterLibraryError, InvalidArgument) as error:
        raise DownloadError(
            f"The Character Library could not tell where media {item.external_id!a} is: {error} "
            "Try retry_ingestion later.",
            code=ErrorCode.NO_SOURCE,
            retryable=getattr(error, "retryable", False),
        ) from error
    if not media.url:
        raise DownloadError(
            f"The Character Library knows media {item.external_id}, but gives no URL for it.",
            code=ErrorCode.NO_SOURCE,
        )
    return parts.library.resolve_url(media.url)


async def source_by_id(parts: AsyncParts, item: OperationItem) -> str | None:
    """Return where the Library now says that the image is, if it can tell."""
    try:
        return await source_of(parts, evolve(item, source_url=None))
    except DownloadError:
        return None
