"""Files on disk: one directory per image, published by one rename.

Layout, below the store's directory::

    3f/<key>/<filename>          the bytes
    3f/<key>/_thumbnail.webp     a smaller rendition, when Pillow could draw one
    3f/<key>/_media.json         the sidecar: the `Media` without URLs
    .incoming/<key>~<random>/    a save on its way in, or a removal on its way out

``3f`` are the first two hex digits of the key's SHA-256, so no directory grows too large.

A save fills a directory below ``.incoming`` (bytes, thumbnail, sidecar, each flushed to the disk)
and then renames it to its place. A rename of a directory is atomic and never replaces one that
holds files, so everything becomes visible at once, or nothing. A removal renames the directory back
into ``.incoming`` first and deletes it there. A crash between any two steps thus leaves either the
whole image or something that `get` calls absent; the next `save` or `delete` of that key removes
what was left.
"""

from __future__ import annotations

from .aio import AsyncDiskMediaStore
from .store import DiskMediaStore

__all__ = ["AsyncDiskMediaStore", "DiskMediaStore"]
