# Generated from src/charimg/_async/sources.py by tools/unasync.py. Do not edit.
"""Where the image of an item is: by its URL, else by what the Library says of its media id.

The ledger alone keeps a URL whole, with the signature that opens it. Records, and everything that a
caller is given, have what may be shown.
"""

from __future__ import annotations

from attrs import evolve

from .._ingest.naming import operation_of
from .._ingest.urls import public
from ..errors import CharacterLibraryError, DownloadError, ErrorCode, InvalidArgument
from ..journal import Operation, OperationItem, OperationPage
from ..models import CharacterImage
from .parts import Parts

__all__ = [
    "has_source",
    "shown_image",
    "shown_operations",
    "source_by_id",
    "source_of",
    "whole_source",
]


def has_source(image: CharacterImage) -> bool:
    """Tell whether there is anything to download of an image; not of one that was not drawn."""
    return bool(image.source_url or image.external_id)


def source_of(parts: Parts, item: OperationItem) -> str:
    """Return where the image is: its URL, else what the Library says of its media id."""
    if item.source_url:
        return parts.library.resolve_url(item.source_url)
    if not item.external_id:
        raise DownloadError(
            f"Image {item.key} has neither a URL nor a media id, so it cannot be downloaded. "
            "Another one has to be drawn.",
            code=ErrorCode.NO_SOURCE,
        )
    try:
        media = parts.library.get_media(item.external_id)
    except (CharacterLibraryError, InvalidArgument) as error:
        code = getattr(error, "code", ErrorCode.NOT_FOUND)
        raise DownloadError(
            f"The Character Library could not tell where media {item.external_id!a} is: {error}",
            # It has one perhaps, and could not be asked.
            code=ErrorCode.NO_SOURCE if code == ErrorCode.NOT_FOUND else code,
            retryable=getattr(error, "retryable", False),
        ) from error
    if not media.url:
        raise DownloadError(
            f"The Character Library knows media {item.external_id}, but gives no URL for it.",
            code=ErrorCode.NO_SOURCE,
        )
    return parts.library.resolve_url(media.url)


def source_by_id(parts: Parts, item: OperationItem) -> str | None:
    """Return where the Library now says that the image is, if it can tell."""
    try:
        return source_of(parts, evolve(item, source_url=None))
    except DownloadError:
        return None


def whole_source(parts: Parts, image: CharacterImage) -> str | None:
    """Return where the image was served, as the ledger has it; else what its record tells."""
    op = parts.ledger.get(operation_of(image.key))
    for item in () if op is None else op.items:
        if item.key == image.key and item.source_url:
            return item.source_url
    return image.source_url


def shown_image(image: CharacterImage) -> CharacterImage:
    """Return an image as it may be shown; earlier versions wrote whole URLs into records."""
    if not image.source_url:
        return image
    shown = public(image.source_url)
    return image if shown == image.source_url else evolve(image, source_url=shown)


def shown_operations(page: OperationPage) -> OperationPage:
    """Return operations as they may be shown."""
    return evolve(page, operations=tuple(_shown(op) for op in page.operations))


def _shown(op: Operation) -> Operation:
    items = [
        evolve(item, source_url=public(item.source_url)) if item.source_url else item
        for item in op.items
    ]
    return evolve(op, items=tuple(items))
