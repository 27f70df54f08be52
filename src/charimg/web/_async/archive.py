"""Several images as one ZIP file, made while it is sent: no image is held whole."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator, Sequence

from ...errors import MediaNotFound
from ...models import CharacterImage, Media
from ...protocols import AsyncMediaStore

__all__ = ["zipped"]

_MISSING = "NOT-INCLUDED.txt"


class _Sink:
    """Takes what the ZIP writer writes, until it is sent. It cannot seek, so sizes follow data."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: what is written is taken."""

    def close(self) -> None:
        """Do nothing: what was written is still taken."""

    def take(self) -> bytes:
        data = b"".join(self._parts)
        self._parts.clear()
        return data


async def zipped(store: AsyncMediaStore, images: Sequence[CharacterImage]) -> AsyncIterator[bytes]:
    """Yield a ZIP file of the images' files, stored as they are: images do not shrink.

    What has no file is named in a text file beside the others, with the reason.
    """
    sink = _Sink()
    missing: list[str] = []
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for image in images:
            if image.media is None:
                missing.append(f"{image.id}: it has no file ({image.status})")
                continue
            try:
                async with store.open(image.media.key) as chunks:
                    with archive.open(_entry(image, image.media), "w", force_zip64=True) as entry:
                        async for chunk in chunks:
                            entry.write(chunk)
                            yield sink.take()
            except MediaNotFound:
                missing.append(f"{image.id}: its file is gone")
            yield sink.take()
        if missing:
            archive.writestr(_MISSING, "\n".join(missing) + "\n")
    yield sink.take()


def _entry(image: CharacterImage, media: Media) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(media.filename, date_time=image.created_at.timetuple()[:6])
    entry.external_attr = 0o644 << 16
    return entry
