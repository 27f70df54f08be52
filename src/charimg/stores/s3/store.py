"""The sync store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..._arguments import checked
from ...models import Media, Upload
from .objects import S3Objects

__all__ = ["S3MediaStore"]


@checked
class S3MediaStore(S3Objects):
    """A `MediaStore` of objects in an S3 bucket: of Amazon, Cloudflare R2 or a compatible server.

    Safe for several threads, processes and machines. Credentials come from the usual chain: the
    variables ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and ``AWS_SESSION_TOKEN``, a web
    identity, the container, or the instance. A file of more than 8 MiB is sent in parts, so a save
    holds some 25 MiB of it at most.

    Args:
        bucket: The bucket's name. It must exist.
        prefix: What the objects' paths begin with.
        endpoint: The server, e.g. ``https://<account>.r2.cloudflarestorage.com``; without it,
            Amazon or ``AWS_ENDPOINT_URL``.
        region: The region; ``auto`` for R2. Without it, ``AWS_REGION``.
        public_url: What the bucket is served under, e.g. ``https://images.example.org``. Without
            it, URLs are signed when they are read, which needs no request if the credentials are
            at hand.
        url_ttl: Seconds for which a signed URL is valid, at most a week.
        thumbnail_px: The longest side of a thumbnail in pixels; 0 keeps none. Thumbnails need
            Pillow (``pip install 'charimg[images]'``); without it there are none.
        cache_control: The header that files and thumbnails are served with. What is under a URL
            never changes.
        checksum: ``sha256`` sends the checksum that S3 keeps and compares; ``none`` is for servers
            that refuse it. The signature covers the SHA-256 of each request's body either way.
        timeout: Seconds that one request, of at most 8 MiB, may wait for its answer.
        retries: How often a request is sent again after a broken connection or a 5xx.
        credential_provider: A callable as obstore takes it, instead of the usual chain.

    Raises:
        ConfigurationError: obstore is missing (``pip install 'charimg[s3]'``), or refuses a
            setting.
        InvalidArgument: An argument is out of its range.
    """

    def save(self, upload: Upload, /) -> Media:
        """See `MediaStore.save`.

        Raises:
            InvalidArgument: The key or the file name cannot be one.
            StorageError: The server failed, or ``upload.file`` does not hold what ``upload.size``
                and ``upload.sha256`` say; nothing is visible under the key.
        """
        return self._save(upload)

    @contextmanager
    def open(self, key: str, /) -> Iterator[Iterator[bytes]]:
        """See `MediaStore.open`.

        Raises:
            MediaAltered: The bytes are not those that were saved; at the latest at the end.
            StorageError: The server failed.
        """
        media, body = self._begin(key)
        yield iter(lambda: self._next(media, body), b"")

    def get(self, key: str, /) -> Media | None:
        """See `MediaStore.get`.

        A file that was cut off or taken away behind the store's back counts as absent.
        """
        return self._get(key)

    def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`.

        The parts of an upload that a killed process left are no objects: the bucket's lifecycle
        rule for incomplete uploads removes them.
        """
        return self._delete(key)

    def list_keys(self) -> Iterator[str]:
        """See `ListableMediaStore.list_keys`. What other saves left of a key is the key's."""
        return self._keys()

    def has_renditions(self, media: Media, /) -> bool:
        """See `RepairableMediaStore.has_renditions`."""
        return self._has_renditions(media)

    def sha256_of(self, upload: Upload, /) -> str:
        """See `RepairableMediaStore.sha256_of`."""
        return upload.sha256

    def replace(self, upload: Upload, /) -> Media:
        """See `RepairableMediaStore.replace`.

        Raises:
            InvalidArgument: The key or the file name cannot be one.
            StorageError: As `save`.
        """
        return self._replace(upload)
