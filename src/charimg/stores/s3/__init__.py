"""Objects in an S3 bucket, of Amazon, Cloudflare R2 or any compatible server (extra ``s3``).

Layout, below the store's prefix::

    <key>/_v-<sha256>/<filename>         the bytes (the first 32 digits of their SHA-256)
    <key>/_v-<sha256>/_thumbnail.webp    a smaller rendition, when Pillow could draw one
    <key>/_media.json                    the sidecar: the `Media` without URLs

A save uploads the bytes, then the thumbnail, and last the sidecar, which alone makes the media
visible. The sidecar is created on condition that there is none (``If-None-Match: *``), so of
several saves one is the first. At the end a listing of the key shows what other saves left of it,
and whether a `delete` took the bytes away meanwhile. A crash before the sidecar leaves objects that
nothing refers to, which the next `save` or `delete` of that key removes; there is no crash after
it. As the path of the bytes is their hash, two saves of the same bytes write the same object, and a
save of other bytes never touches those of the first.

A removal deletes the sidecar first. A crash after it leaves, again, what nothing refers to.

A server may know no condition and say so (501), or ignore it, and answer that it wrote what it
wrote over something. So a save looks whether there is a sidecar: before it uploads, and again
before it writes one, one save of a key at a time within a process. Two processes that save
*different* bytes under one key at the same moment may then both believe to be first; charimg's
service never does, as it holds the character's lease.

The first save of a store writes its new sidecar a second time, on the same condition and with the
same text. Only a server that heeds conditions refuses that, and from then on its word is enough:
bytes of at most one part are created on condition, too, and nothing is looked at before. Whatever
is not written so, for whatever reason, is saved in the careful way.
"""

from __future__ import annotations

from .aio import AsyncS3MediaStore
from .store import S3MediaStore

__all__ = ["AsyncS3MediaStore", "S3MediaStore"]
