"""What a store does, in the caller's thread; both modes are made of it."""

from __future__ import annotations

import json
import os
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Self

from attrs import evolve

from ..._arguments import Unpicklable, checked
from ..._json import from_json, to_json
from ..._plain import logger
from ...errors import (
    ConfigurationError,
    InvalidArgument,
    MediaAltered,
    MediaNotFound,
    StorageError,
)
from ...models import Media, Upload
from .._uploads import THUMBNAIL_TYPE, chunks_of, has_thumbnail, stored, thumbnail_of, whole_of
from .bucket import PART, Body, Bucket
from .names import Names, check_prefix, key_of
from .settings import (
    WEEK,
    check_base,
    check_bucket,
    check_environment,
    check_number,
    check_region,
    parse_url,
)

__all__ = ["S3Objects"]

_log = logger("charimg.stores.s3")

_SIDECAR_ATTRIBUTES = {"Content-Type": "application/json", "Cache-Control": "no-store"}
_CHECKSUMS = ("sha256", "none")
_TRIES = 5

# Saves of one key within this process take their last step one after another.
_LOCKS = tuple(threading.Lock() for _ in range(64))


@checked
class S3Objects(Unpicklable):
    """The constructor and the work of `S3MediaStore` and of its async twin; see there."""

    concurrent_safe = True

    def __init__(
        self,
        bucket: str,
        *,
        prefix: str = "",
        endpoint: str | None = None,
        region: str | None = None,
        public_url: str | None = None,
        url_ttl: float = 3600.0,
        thumbnail_px: int = 320,
        cache_control: str = "public, max-age=31536000, immutable",
        checksum: str = "sha256",
        timeout: float = 60.0,
        retries: int = 3,
        credential_provider: Callable[..., Any] | None = None,
    ) -> None:
        check_number(thumbnail_px, "thumbnail_px", 0, 10_000)
        check_number(url_ttl, "url_ttl", 1, WEEK)
        check_number(timeout, "timeout", 0.01, 3600)
        check_number(retries, "retries", 0, 100)
        if checksum not in _CHECKSUMS:
            raise InvalidArgument(f"checksum must be one of {', '.join(_CHECKSUMS)}.")
        if not (cache_control.isascii() and cache_control.isprintable()):
            raise InvalidArgument("cache_control must be a header of plain ASCII.")
        check_environment(os.environ)
        self._prefix = check_prefix(prefix)
        self._public_url = check_base(public_url, "public_url")
        self._url_ttl = url_ttl
        self.thumbnail_px = thumbnail_px
        self._cache_control = cache_control
        self._bucket = Bucket(
            check_bucket(bucket),
            endpoint=check_base(endpoint, "endpoint"),
            region=None if region is None else check_region(region, "region"),
            checksum=checksum,
            timeout=timeout,
            retries=retries,
            credential_provider=credential_provider,
        )

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """Make a store from ``s3://bucket/prefix?endpoint=…&region=…&public=…``.

        The query takes ``endpoint``, ``region``, ``public``, ``url_ttl``, ``thumbnail_px``,
        ``cache_control``, ``checksum``, ``timeout`` and ``retries``.

        Args:
            url: The URL. It holds no credentials.
            options: Further arguments of the class; they win over the URL.

        Raises:
            ConfigurationError: The URL or an argument makes no sense, or the extra is missing.
        """
        bucket, arguments = parse_url(url)
        try:
            return cls(bucket, **{**arguments, **options})
        except InvalidArgument as error:
            raise ConfigurationError(f"The S3 settings are wrong: {error}") from error

    def __repr__(self) -> str:
        place = f"{self._bucket.name}/{self._prefix}".rstrip("/")
        return f"{type(self).__name__}('s3://{place}')"

    def locate(self, media: Media, /) -> Media:
        """See `MediaStore.locate`. There is a ``thumbnail_url`` if one was drawn at the save.

        Raises:
            InvalidArgument: The media is none of an S3 store.
            StorageError: There are no credentials to sign with.
        """
        names = Names(self._prefix, media.key)
        thumbnail = names.thumbnail(media.sha256) if has_thumbnail(media) else None
        return evolve(
            media,
            url=self._url(names.file(media.sha256, media.filename), media.key),
            thumbnail_url=None if thumbnail is None else self._url(thumbnail, media.key),
        )

    def urls_by(self) -> str | None:
        """See `PermanentMediaStore.urls_by`; there is nothing where URLs are signed."""
        return None if self._public_url is None else f"{self._public_url}/{self._prefix}"

    def _keys(self) -> Iterator[str]:
        last = None
        for path in self._bucket.paths(self._prefix):
            key = key_of(self._prefix, path)
            if key is None:
                yield f"./{path}"
            elif key != last:
                # The objects of a key come one after another.
                last = key
                yield key

    def _has_renditions(self, media: Media) -> bool:
        if not has_thumbnail(media):
            return True
        path = Names(self._prefix, media.key).thumbnail(media.sha256)
        return bool(self._bucket.size(path, media.key))

    def _replace(self, upload: Upload) -> Media:
        names = Names(self._prefix, upload.key)
        media = self._upload(names, names.file(upload.sha256, upload.filename), upload)
        with self._publishing(names):
            self._bucket.put(names.sidecar, names.key, _text(media), _SIDECAR_ATTRIBUTES)
        self._sweep(names, media)
        return media

    def _save(self, upload: Upload) -> Media:
        names = Names(self._prefix, upload.key)
        path = names.file(upload.sha256, upload.filename)
        media = self._try(names, path, upload)
        if media is None:
            media, _ = self._read(names)
        if media is None:
            media = self._publish(names, self._upload(names, path, upload))
        self._sweep(names, media)
        return media

    def _get(self, key: str) -> Media | None:
        return self._read(Names(self._prefix, key))[0]

    def _delete(self, key: str) -> bool:
        names = Names(self._prefix, key)
        found = self._objects(names)
        # Out of sight first.
        for path in sorted(found, key=lambda path: path != names.sidecar):
            self._bucket.delete(path, key)
        return bool(found)

    def _begin(self, key: str) -> tuple[Media, Body]:
        """Begin to read the media's bytes.

        Raises:
            MediaNotFound: Nothing is stored under the key.
            MediaAltered: The server keeps another hash than that of what was saved.
            StorageError: The server failed.
        """
        names = Names(self._prefix, key)
        text = self._bucket.text(names.sidecar, key)
        media = None if text is None else _parsed(names, text)
        if media is not None:
            body = self._bucket.get(names.file(media.sha256, media.filename), key)
            if body is not None and body.size == media.size:
                if body.sha256 not in (None, media.sha256):
                    raise self._changed(media)
                return media, body
        raise MediaNotFound(
            f"There is no media under the key {key!r} in {self!r}. It was deleted, or never stored."
        )

    def _next(self, media: Media, body: Body) -> bytes:
        """Return the next bytes, or none at the end.

        Raises:
            MediaAltered: What was read is not what was saved.
            StorageError: The server failed.
        """
        chunk = body.read()
        if not chunk and body.hexdigest() != media.sha256:
            raise self._changed(media)
        return chunk

    def _changed(self, media: Media) -> MediaAltered:
        return MediaAltered(
            f"Media {media.key!r} in {self!r} is not what was saved: the SHA-256 of its bytes "
            "differs. Restore it from a backup, or delete it."
        )

    def _url(self, path: str, key: str) -> str:
        if self._public_url is None:
            return self._bucket.sign(path, key, self._url_ttl)
        return f"{self._public_url}/{path}"

    def _read(self, names: Names) -> tuple[Media | None, bool]:
        """Return the media if it is whole, and whether there is a sidecar of one that is not."""
        text = self._bucket.text(names.sidecar, names.key)
        if text is None:
            return None, False
        media = _parsed(names, text)
        if media is not None and self._is_there(names, media):
            return media, False
        _log.warning("object.broken", extra={"key": names.key})
        return None, True

    def _is_there(self, names: Names, media: Media) -> bool:
        path = names.file(media.sha256, media.filename)
        return self._bucket.size(path, names.key) == media.size

    def _try(self, names: Names, path: str, upload: Upload) -> Media | None:
        """Save a new key without a look at what is there, where the server minds that.

        Returns:
            ``None`` when anything is in the way, or may be; nothing that is there was touched.
        """
        if upload.size > PART or not self._bucket.heeds:
            return None
        attributes = self._attributes(upload)
        if not self._bucket.try_file(path, upload.key, whole_of(upload), attributes):
            return None
        media = self._thumbnailed(names, upload)
        created = self._bucket.create(names.sidecar, upload.key, _text(media), _SIDECAR_ATTRIBUTES)
        return media if created else None

    def _upload(self, names: Names, path: str, upload: Upload) -> Media:
        """Send the bytes and the thumbnail, which nobody sees yet."""
        attributes = self._attributes(upload)
        if upload.size <= PART:
            self._bucket.put(path, upload.key, whole_of(upload), attributes)
        else:
            self._bucket.put_parts(path, upload.key, chunks_of(upload), attributes)
        return self._thumbnailed(names, upload)

    def _attributes(self, upload: Upload) -> dict[str, str]:
        return {
            "Content-Type": upload.mime_type,
            "Cache-Control": self._cache_control,
            "sha256": upload.sha256,
        }

    def _thumbnailed(self, names: Names, upload: Upload) -> Media:
        thumbnail = thumbnail_of(upload, self.thumbnail_px)
        if thumbnail:
            attributes = {"Content-Type": THUMBNAIL_TYPE, "Cache-Control": self._cache_control}
            self._bucket.put(names.thumbnail(upload.sha256), upload.key, thumbnail, attributes)
        return stored(upload, thumbnail=bool(thumbnail))

    def _publishing(self, names: Names) -> threading.Lock:
        place = f"{self._bucket.name}/{names.sidecar}"
        return _LOCKS[zlib.crc32(place.encode()) % len(_LOCKS)]

    def _publish(self, names: Names, media: Media) -> Media:
        """Write the sidecar if there is none yet; return the media that the key now has."""
        with self._publishing(names):
            for _ in range(_TRIES):
                first, broken = self._read(names)
                if first is not None:
                    return first
                if broken:
                    # It would stand in the way for ever.
                    self._bucket.delete(names.sidecar, names.key)
                sidecar = (names.sidecar, names.key, _text(media), _SIDECAR_ATTRIBUTES)
                created = self._bucket.create(*sidecar)
                if created:
                    self._bucket.probe(*sidecar)
                elif created is None:
                    self._bucket.put(*sidecar)
                if created is not False:
                    return media
        raise StorageError(
            f"Media {names.key!r} in bucket {self._bucket.name!r} is written and removed by others "
            "all the time. Try again."
        )

    def _objects(self, names: Names) -> dict[str, int]:
        found = self._bucket.list(names.home, names.key)
        return {path: size for path, size in found.items() if names.ours(path)}

    def _sweep(self, names: Names, media: Media) -> None:
        """Remove what other saves of the key left, and see that this one is whole.

        Raises:
            StorageError: The bytes are gone: a `delete` came between.
        """
        file = names.file(media.sha256, media.filename)
        kept = {names.sidecar, file}
        if has_thumbnail(media):
            kept.add(names.thumbnail(media.sha256))
        try:
            found = self._objects(names)
            for path in found.keys() - kept:
                self._bucket.delete(path, names.key)
        except StorageError:
            # No reason to fail a save that is done.
            _log.warning("object.unswept", extra={"key": names.key})
            return
        if found.get(file) != media.size:
            raise StorageError(
                f"Media {names.key!r} was removed from bucket {self._bucket.name!r} while it was "
                "being saved. Save it again if it is still wanted."
            )


def _text(media: Media) -> bytes:
    return json.dumps(to_json(media), ensure_ascii=False, indent=1).encode()


def _parsed(names: Names, text: bytes) -> Media | None:
    """Return the media of a sidecar; ``None`` when it is none of this key's."""
    try:
        media = from_json(Media, json.loads(text), what=f"the sidecar of media {names.key!r}")
        names.file(media.sha256, media.filename)
    except (ValueError, StorageError):
        # `InvalidArgument` is a `ValueError`.
        return None
    return media if media.key == names.key else None
