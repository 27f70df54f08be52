"""The sync store."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path
from typing import IO

from attrs import evolve

from ..._arguments import checked
from ..._json import from_json, to_json
from ..._plain import logger
from ...errors import MediaNotFound, StorageConflict, StorageError
from ...models import Media, Upload
from .._directories import make_directory, sync_directory
from .._uploads import check_side, chunks_of, has_thumbnail, stored, thumbnail_of
from .files import (
    CHUNK,
    file_size,
    mode_of,
    move,
    move_over,
    names_in,
    read_whole,
    readable_errors,
    refuse_link,
    remove_directory,
    write_in,
)
from .layout import SIDECAR, THUMBNAIL, Layout, check_name

__all__ = ["DiskMediaStore", "open_file", "read_chunk"]

_log = logger("charimg.stores.disk")


@checked
class DiskMediaStore:
    """A `MediaStore` of files below one directory.

    Safe for several threads and processes. Every save and removal is on the disk when it returns.
    Keys and file names are letters, digits, dots, hyphens and underscores (at most 128); others are
    refused with `InvalidArgument`. The directory itself may be a symbolic link; one inside of it is
    not followed.

    Args:
        directory: Where the files go; made by the first save, for its owner alone. What is stored
            in it may be read by whom the directory itself lets in: ``chmod`` it where a web server
            serves it. The whole of it must lie on one file system.
        base_url: What a web server serves the directory under, e.g. ``https://cdn.example/media``.
            Without it, URLs are ``file://``.
        thumbnail_px: The longest side of a thumbnail in pixels; 0 keeps none. Thumbnails need
            Pillow (``pip install 'charimg[images]'``); without it there are none.

    Attributes:
        thumbnail_px: The same.

    Raises:
        InvalidArgument: ``thumbnail_px`` is negative.
    """

    concurrent_safe = True

    def __init__(
        self,
        directory: str | PathLike[str],
        *,
        base_url: str | None = None,
        thumbnail_px: int = 320,
    ) -> None:
        self._layout = Layout(Path(directory).absolute(), base_url)
        self.thumbnail_px: int = check_side(thumbnail_px)
        self._flushed: dict[Path, int] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._layout.root)!r})"

    def save(self, upload: Upload, /) -> Media:
        """See `MediaStore.save`.

        Raises:
            InvalidArgument: The key or the file name is not safe.
            StorageError: The disk failed, or ``upload.file`` does not hold what ``upload.size`` and
                ``upload.sha256`` say; nothing is visible under the key.
        """
        home = self._layout.home(upload.key)
        check_name(upload.filename, "file name")
        with readable_errors("store", upload.key, home):
            media = self._read(upload.key) or self._save(upload, home)
        # Whatever else came in under this key has lost. No reason to fail a save that is done.
        with suppress(OSError):
            self._sweep(upload.key)
        return media

    @contextmanager
    def open(self, key: str, /) -> Iterator[Iterator[bytes]]:
        """See `MediaStore.open`."""
        path, file = open_file(self, key)
        with file:
            yield iter(lambda: read_chunk(file, key, path), b"")

    def get(self, key: str, /) -> Media | None:
        """See `MediaStore.get`.

        A file that was cut off or taken away behind the store's back counts as absent.
        """
        with readable_errors("read", key, self._layout.home(key)):
            return self._read(key)

    def delete(self, key: str, /) -> bool:
        """See `MediaStore.delete`."""
        home = self._layout.home(key)
        with readable_errors("delete", key, home):
            found = self._remove(key, home)
            return self._sweep(key) or found

    def locate(self, media: Media, /) -> Media:
        """See `MediaStore.locate`. There is a ``thumbnail_url`` if one was drawn at the save.

        Raises:
            InvalidArgument: The media's key or file name is not safe, so it is none of this store.
        """
        layout = self._layout
        return evolve(
            media,
            url=layout.url(media, check_name(media.filename, "file name")),
            thumbnail_url=layout.url(media, THUMBNAIL) if has_thumbnail(media) else None,
        )

    def urls_by(self) -> str:
        """See `PermanentMediaStore.urls_by`."""
        return self._layout.base_url

    def path(self, media: Media, /) -> Path:
        """Return where the file lies, without looking whether it does."""
        return self._layout.home(media.key) / check_name(media.filename, "file name")

    def list_keys(self) -> Iterator[str]:
        """See `ListableMediaStore.list_keys`. What saves are preparing is left out."""
        root = self._layout.root
        for folder in self._listed(root):
            if root / folder == self._layout.incoming:
                continue
            names = self._listed(root / folder)
            if not names and not (root / folder).is_dir():
                yield f"./{folder}"
            for name in names:
                yield name if self._layout.is_home(folder, name) else f"{folder}/{name}"

    def has_renditions(self, media: Media, /) -> bool:
        """See `RepairableMediaStore.has_renditions`."""
        if not has_thumbnail(media):
            return True
        home = self._layout.home(media.key)
        with readable_errors("read", media.key, home):
            return bool(file_size(home / THUMBNAIL))

    def sha256_of(self, upload: Upload, /) -> str:
        """See `RepairableMediaStore.sha256_of`."""
        return upload.sha256

    def replace(self, upload: Upload, /) -> Media:
        """See `RepairableMediaStore.replace`.

        Raises:
            InvalidArgument: The key or the file name is not safe.
            StorageError: As `save`.
        """
        home = self._layout.home(upload.key)
        check_name(upload.filename, "file name")
        with readable_errors("replace", upload.key, home):
            mode = mode_of(self._layout.root)
            self._make_incoming()
            fresh = self._layout.fresh(upload.key)
            try:
                media = self._fill(fresh, upload, mode)
                refuse_link(home.parent)
                if home.is_symlink() or not home.is_dir():
                    # Nothing is written into where a link leads.
                    self._remove(upload.key, home)
                make_directory(home, mode)
                # The sidecar comes last: until then a reader finds what it tells of, or nothing.
                for name in (upload.filename, THUMBNAIL, SIDECAR):
                    if not move_over(fresh / name, home / name):
                        (home / name).unlink(missing_ok=True)
                sync_directory(home)
                self._flush_name(home.parent)
            finally:
                self._discard(fresh)
        return media

    def _listed(self, path: Path) -> list[str]:
        with readable_errors("list", "*", path):
            return sorted(names_in(path))

    def _read(self, key: str) -> Media | None:
        home = self._layout.home(key)
        refuse_link(home.parent)
        text = None if home.is_symlink() else read_whole(home / SIDECAR)
        if text is None:
            return None
        try:
            media = from_json(Media, json.loads(text), what=f"the sidecar of media {key!r}")
            name = check_name(media.filename, "file name")
        except (ValueError, StorageError):
            _log.warning("media.broken", extra={"key": key})
            return None
        if media.key != key:
            raise StorageConflict(
                f"Media {key!r} and {media.key!r} share one directory, because this file system "
                "does not tell upper from lower case. Use keys that differ otherwise."
            )
        if file_size(home / name) != media.size:
            _log.warning("media.broken", extra={"key": key})
            return None
        return media

    def _save(self, upload: Upload, home: Path) -> Media:
        layout = self._layout
        mode = mode_of(layout.root)
        self._make_incoming()
        fresh = layout.fresh(upload.key)
        try:
            media = self._fill(fresh, upload, mode)
            flushed = make_directory(home.parent, mode)
            # A directory without a readable image in it would stand in the way for ever.
            if os.path.lexists(home) and self._read(upload.key) is None:
                self._remove(upload.key, home)
            fresh.rename(home)
        except OSError:
            self._discard(fresh)
            # Someone else may have stored the key meanwhile, and swept this save away.
            first = self._read(upload.key)
            if first is None:
                raise
            return first
        except BaseException:
            self._discard(fresh)
            raise
        try:
            sync_directory(home.parent)
            self._flush_name(home.parent, done=flushed)
        except BaseException:
            # It might not outlive a power cut, and the caller will hear that it failed.
            with suppress(OSError):
                move(home, fresh)
            self._discard(fresh)
            raise
        return media

    def _make_incoming(self) -> None:
        make_directory(self._layout.incoming)
        refuse_link(self._layout.incoming)

    def _flush_name(self, path: Path, *, done: bool = False) -> None:
        """Flush the directory above, which may be one that a broken save made and did not flush."""
        inode = path.stat().st_ino
        if self._flushed.get(path) != inode:
            if not done:
                sync_directory(path.parent)
            self._flushed[path] = inode

    def _fill(self, fresh: Path, upload: Upload, mode: int) -> Media:
        fresh.mkdir(mode)
        # The directory's own bits, but those to enter it.
        mode &= 0o666
        write_in(fresh / upload.filename, chunks_of(upload), mode)
        thumbnail = thumbnail_of(upload, self.thumbnail_px)
        if thumbnail:
            write_in(fresh / THUMBNAIL, [thumbnail], mode)
        media = stored(upload, thumbnail=bool(thumbnail))
        sidecar = json.dumps(to_json(media), ensure_ascii=False, indent=1)
        write_in(fresh / SIDECAR, [sidecar.encode()], mode)
        sync_directory(fresh)
        return media

    def _remove(self, key: str, home: Path) -> bool:
        """Take the media out of sight at once, then remove it; tell whether it was there."""
        refuse_link(home.parent)
        if not os.path.lexists(home):
            return False
        doomed = self._layout.fresh(key)
        self._make_incoming()
        if not move(home, doomed):
            return False
        sync_directory(home.parent)
        remove_directory(doomed)
        return True

    def _sweep(self, key: str) -> bool:
        """Remove what broken saves and removals left under the key; tell whether there was any."""
        incoming = self._layout.incoming
        refuse_link(incoming)
        found = False
        for name in names_in(incoming):
            if self._layout.left_by(key, name):
                # Moved first: a save that is still writing there fails at its next step.
                doomed = self._layout.fresh(key)
                if move(incoming / name, doomed):
                    remove_directory(doomed)
                    found = True
        return found

    def _discard(self, fresh: Path) -> None:
        # The error that led here is the one to raise; the next save or delete tries again.
        with suppress(OSError):
            remove_directory(fresh)


def open_file(store: DiskMediaStore, key: str) -> tuple[Path, IO[bytes]]:
    """Open the media's file for reading; both modes begin with it.

    Raises:
        MediaNotFound: Nothing is stored under the key.
    """
    media = store.get(key)
    if media is not None:
        path = store.path(media)
        with readable_errors("read", key, path), suppress(FileNotFoundError):
            return path, path.open("rb")
    raise MediaNotFound(
        f"There is no media under the key {key!r} in {store!r}. It was deleted, or never stored."
    )


def read_chunk(file: IO[bytes], key: str, path: Path) -> bytes:
    """Return the next bytes, or none at the end."""
    with readable_errors("read", key, path):
        return file.read(CHUNK)
