"""The few requests that the store is made of. The one module that uses obstore."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..._home import Reopened
from ...errors import ConfigurationError, StorageError
from .driver import driver
from .failures import broke_off, bucket_is_missing, conflicting, failure, unconditional
from .profile import profile_keys

if TYPE_CHECKING:
    from obstore import GetResult
    from obstore.store import ClientConfig, S3Store

__all__ = ["CHUNK", "PART", "Body", "Bucket"]

CHUNK = 256 * 1024
# A file up to this size is one request; a larger one is sent in parts of it. With two parts on
# their way, one save holds about three in memory.
PART = 8 * 1024 * 1024
_AT_ONCE = 2
_PAGE = 1000


class Body:
    """The bytes of an object, read in order. Needs no closing.

    Attributes:
        size: What the server says that they are.
        sha256: What the server keeps as the object's metadata; ``None`` if it keeps none.
    """

    def __init__(self, bucket: Bucket, key: str, result: GetResult) -> None:
        self._bucket = bucket
        self._key = key
        self._chunks = iter(result.stream(CHUNK))
        self._digest = hashlib.sha256()
        self.size: int = result.meta["size"]
        kept = {str(name).lower(): value for name, value in result.attributes.items()}
        self.sha256: str | None = kept.get("sha256")

    def read(self) -> bytes:
        """Return the next bytes; none at the end.

        Raises:
            StorageError: The connection failed.
        """
        with self._bucket.failing("read", self._key):
            chunk = bytes(next(self._chunks, b""))
        self._digest.update(chunk)
        return chunk

    def hexdigest(self) -> str:
        """Return the SHA-256 of what was read so far."""
        return self._digest.hexdigest()


class _Opened:
    """A bucket as one process has it: obstore keeps connections and threads.

    Attributes:
        obstore: The module.
        store: Its store.
        foreign: What it raises.
    """

    def __init__(self, name: str, **settings: Any) -> None:
        self.obstore = driver()
        errors = self.obstore.exceptions
        try:
            self.store: S3Store = self.obstore.store.S3Store(name, **settings)
        except (errors.BaseError, ValueError) as error:
            kind = OSError(type(error).__name__)
            refused = ConfigurationError(
                f"The settings of bucket {name!r} are refused by obstore. Check the endpoint and "
                "the AWS_… variables."
            )
        else:
            self.foreign = (errors.BaseError, FileNotFoundError, NotImplementedError)
            return
        raise refused from kind


class Bucket:
    """One bucket. Every call raises `StorageError`, which names the bucket and the media's key.

    Args:
        name: The bucket's name.
        endpoint: The server, for anything but Amazon.
        region: The region.
        checksum: ``sha256`` or ``none``.
        timeout: Seconds that one request, of at most 8 MiB, may wait for its answer.
        retries: How often a request that failed without fault of its own is sent again.
        credential_provider: A callable as obstore takes it, instead of the usual chain.

    Attributes:
        heeds: Whether the server heeds the condition of `create`; ``None`` until it was seen.

    Raises:
        ConfigurationError: The extra is missing, obstore refuses a setting, or the profile that
            ``AWS_PROFILE`` names has no key.
    """

    def __init__(
        self,
        name: str,
        *,
        endpoint: str | None,
        region: str | None,
        checksum: str,
        timeout: float,
        retries: int,
        credential_provider: Any,
    ) -> None:
        settings: dict[str, Any] = {"disable_bulk_delete": True}
        if endpoint is not None:
            settings["endpoint"] = endpoint
        if region is not None:
            settings["region"] = region
        if checksum != "none":
            settings["checksum_algorithm"] = checksum
        if credential_provider is not None:
            settings["credential_provider"] = credential_provider
        else:
            settings.update(profile_keys(os.environ))
        client: ClientConfig = {
            "connect_timeout": timedelta(seconds=timeout),
            "read_timeout": timedelta(seconds=timeout),
            # Of a whole request, whose largest is one part.
            "timeout": timedelta(seconds=10 * timeout),
            # Of an endpoint that is an http URL, the argument's or AWS_ENDPOINT_URL's.
            "allow_http": not (endpoint or "").startswith("https:"),
        }
        retry = {
            "max_retries": retries,
            "retry_timeout": timedelta(seconds=10 * timeout * (retries + 1)),
        }
        self.name = name
        self.heeds: bool | None = None
        self._refuses = False
        self._opened = Reopened(
            lambda: _Opened(name, client_options=client, retry_config=retry, **settings)
        )

    @property
    def _obstore(self) -> Any:
        return self._opened.get().obstore

    @property
    def _store(self) -> S3Store:
        return self._opened.get().store

    @contextmanager
    def failing(self, doing: str, key: str) -> Iterator[None]:
        """Turn obstore's errors into ours. Others, as those of a file that is sent, pass."""
        try:
            yield
        except self._opened.get().foreign as error:
            failed = failure(doing, key, self.name, error)
        except BaseException as error:
            # A bug of obstore's; its class is no Exception, and cannot be imported.
            if type(error).__name__ != "PanicException":
                raise
            failed = failure(doing, key, self.name, OSError("panic"))
        else:
            return
        # Out of the handler, so that no traceback shows obstore's text.
        raise failed

    def get(self, path: str, key: str) -> Body | None:
        """Begin to read an object; ``None`` when there is none."""
        result = self._get(path, key)
        return None if result is None else Body(self, key, result)

    def text(self, path: str, key: str) -> bytes | None:
        """Return a small object; ``None`` when there is none."""
        result = self._get(path, key)
        if result is None:
            return None
        with self.failing("read", key):
            return bytes(result.bytes())

    def size(self, path: str, key: str) -> int | None:
        """Return an object's size; ``None`` when there is none."""
        result = self._get(path, key, head=True)
        return None if result is None else result.meta["size"]

    def _get(self, path: str, key: str, *, head: bool = False) -> GetResult | None:
        with self.failing("read", key):
            try:
                found: GetResult | None = self._obstore.get(
                    self._store, path, options={"head": head}
                )
            except FileNotFoundError as error:
                if bucket_is_missing(error):
                    raise
                found = None
        return found

    def put(self, path: str, key: str, data: bytes, attributes: dict[str, str]) -> None:
        """Write a small object, whatever is there."""
        with self.failing("store", key):
            self._obstore.put(self._store, path, data, attributes=attributes, use_multipart=False)

    def put_parts(
        self, path: str, key: str, chunks: Iterable[bytes], attributes: dict[str, str]
    ) -> None:
        """Write a large object in parts. When ``chunks`` raises, the upload is aborted."""
        with self.failing("store", key):
            self._obstore.put(
                self._store,
                path,
                iter(chunks),
                attributes=attributes,
                use_multipart=True,
                chunk_size=PART,
                max_concurrency=_AT_ONCE,
            )

    def create(self, path: str, key: str, data: bytes, attributes: dict[str, str]) -> bool | None:
        """Write a small object if there is none.

        Returns:
            Whether it was written, as far as the server heeds conditions; ``None`` when it says
            that it knows none, and has written nothing.
        """
        if self._refuses:
            return None
        with self.failing("store", key):
            refused = self._refusal(path, data, attributes)
            if refused is None or self._exists(refused):
                return refused is None
            if not unconditional(refused):
                raise refused
        if not self.heeds:
            # Not asked again: obstore repeats what is answered with a 5xx.
            self._refuses, self.heeds = True, False
        return None

    def try_file(self, path: str, key: str, data: bytes, attributes: dict[str, str]) -> bool:
        """Write a file of at most one part if there is none.

        Returns:
            Whether it was. If not, look: something may be there, or the connection broke off, as
            it may when a server refuses a file before it has read all of it.
        """
        with self.failing("store", key):
            refused = self._refusal(path, data, attributes)
            if refused is None:
                return True
            if self._exists(refused) or unconditional(refused) or broke_off(refused):
                return False
            raise refused

    def probe(self, path: str, key: str, data: bytes, attributes: dict[str, str]) -> None:
        """See whether the server heeds conditions, unless that is known: write an object again.

        Args:
            path: What `create` has just written.
            key: The media's.
            data: The same bytes, so that nothing changes where the condition is ignored.
            attributes: The same.
        """
        if self.heeds is not None:
            return
        # Should it fail, the next save looks again; this one is done.
        with suppress(StorageError), self.failing("store", key):
            refused = self._refusal(path, data, attributes)
            if refused is None or self._exists(refused):
                # A conflict may be one with anything else.
                self.heeds = refused is not None and not conflicting(refused)

    def _refusal(self, path: str, data: bytes, attributes: dict[str, str]) -> Exception | None:
        """Write an object if there is none, or return what obstore says against it."""
        try:
            self._obstore.put(
                self._store, path, data, attributes=attributes, mode="create", use_multipart=False
            )
        except self._obstore.exceptions.BaseError as error:
            refused: Exception = error
            return refused
        return None

    def _exists(self, error: Exception) -> bool:
        return isinstance(error, self._obstore.exceptions.AlreadyExistsError)

    def list(self, path: str, key: str) -> dict[str, int]:
        """Return the objects below a path, with their sizes."""
        with self.failing("list", key):
            pages = self._obstore.list(self._store, path, chunk_size=_PAGE)
            return {each["path"]: each["size"] for page in pages for each in page}

    def paths(self, prefix: str) -> Iterator[str]:
        """Give the path of every object below a prefix, page by page."""
        with self.failing("list", "*"):
            pages = iter(self._obstore.list(self._store, prefix or None, chunk_size=_PAGE))
        while True:
            with self.failing("list", "*"):
                page = next(pages, ())
            if not page:
                return
            yield from (each["path"] for each in page)

    def delete(self, path: str, key: str) -> None:
        """Remove an object; one that is not there is none."""
        with self.failing("delete", key):
            self._obstore.delete(self._store, path)

    def sign(self, path: str, key: str, seconds: float) -> str:
        """Return a URL to read the object, valid for so long."""
        with self.failing("sign a URL of", key):
            url: str = self._obstore.sign(self._store, "GET", path, timedelta(seconds=seconds))
            return url
