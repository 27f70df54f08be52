"""What every store does with an upload: its bytes are proved once, its thumbnail is kept."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from attrs import evolve

from charimg import InvalidArgument, StorageError
from charimg._decoding import worker
from charimg._spool import Spool
from charimg.models import Upload
from charimg.stores import (
    AsyncDiskMediaStore,
    AsyncMemoryMediaStore,
    AsyncS3MediaStore,
    DiskMediaStore,
    MemoryMediaStore,
    S3MediaStore,
)
from charimg.stores import _uploads as uploads
from charimg.testing.conformance.media import make_upload

from .disk_files import KEY, home_of, image_bytes
from .s3.test_s3_objects import home, in_memory

# Whatever a store is given as one, it keeps.
DRAWN = b"RIFF, as drawn in the sandbox"


def spooled(content: bytes, *, seal: bool = True, size: int = 1) -> Spool:
    file = Spool(size)
    file.write(content)
    if seal:
        file.seal()
    return file


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the stores hash."""
    found: list[bytes] = []

    class Digest:
        def __init__(self) -> None:
            self._digest = hashlib.sha256()

        def update(self, data: bytes) -> None:
            found.append(data)
            self._digest.update(data)

        def hexdigest(self) -> str:
            return self._digest.hexdigest()

    monkeypatch.setattr(uploads, "hashlib", type("Hashlib", (), {"sha256": Digest}))
    return found


def read(upload: Upload) -> bytes:
    return b"".join(uploads.chunks_of(upload))


def test_what_was_hashed_as_it_was_written_is_not_hashed_again(hashed: list[bytes]) -> None:
    upload = make_upload(KEY, b"abcd")
    assert read(upload) == b"abcd"
    assert hashed == [b"abcd"]
    hashed.clear()
    for size in (1, 100):
        with spooled(b"abcd", size=size) as file:
            file.seek(2)
            assert read(evolve(upload, file=file)) == b"abcd"
    assert hashed == []
    with spooled(b"abcd", seal=False) as file:
        assert read(evolve(upload, file=file)) == b"abcd"
    assert hashed == [b"abcd"]


@pytest.mark.parametrize("source", [io.BytesIO, spooled])
@pytest.mark.parametrize("content", [b"abc", b"abcde", b"abce"])
def test_other_bytes_than_were_announced_are_refused(source: Any, content: bytes) -> None:
    upload = make_upload(KEY, b"abcd")
    with source(content) as file, pytest.raises(StorageError, match="Nothing was stored"):
        read(evolve(upload, file=file))


def test_a_longer_file_is_not_read_to_its_end() -> None:
    class Endless(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return b"x"

    with pytest.raises(StorageError, match="gave 5 bytes"):
        read(evolve(make_upload(KEY, b"abcd"), file=Endless()))


def test_a_whole_file_is_read_and_proved_at_once(hashed: list[bytes]) -> None:
    content = bytes(range(256)) * 4000
    upload = make_upload(KEY, content)
    upload.file.seek(7)
    assert uploads.whole_of(upload) == content
    assert hashed == [content]
    for other in (content[1:], content + b"x", content[::-1]):
        with pytest.raises(StorageError, match="Nothing was stored"):
            uploads.whole_of(evolve(upload, file=io.BytesIO(other)))


def test_a_file_that_gives_little_at_a_time_is_read_to_its_end() -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 3))

    assert uploads.whole_of(make_upload(KEY, b"0123456789", source=Slow)) == b"0123456789"


# Thumbnails, in every store the same


class _Made:
    """A store, blocking or not, and how to look at the thumbnail that it keeps."""

    def __init__(self, store: Any, look: Callable[[Upload], bytes]) -> None:
        self.store = store
        self.look = look

    def call(self, name: str, upload: Upload) -> Any:
        method = getattr(self.store, name)
        if type(self.store).__name__.startswith("Async"):
            return anyio.run(method, upload)
        return method(upload)


def disk(cls: Any, root: Path, thumbnail_px: int) -> _Made:
    def look(upload: Upload) -> bytes:
        path = home_of(root) / "_thumbnail.webp"
        return path.read_bytes() if path.exists() else b""

    return _Made(cls(root, thumbnail_px=thumbnail_px), look)


def memory(cls: Any, root: Path, thumbnail_px: int) -> _Made:
    store = cls(thumbnail_px=thumbnail_px)
    return _Made(store, lambda upload: store.thumbnail(upload.key))


def s3(cls: Any, root: Path, thumbnail_px: int) -> _Made:
    options = {"region": "us-east-1", "public_url": "https://cdn.example"}
    store = in_memory(cls("images", thumbnail_px=thumbnail_px, **options))

    def look(upload: Upload) -> bytes:
        path = f"{home(upload.file.getvalue(), KEY)}/_thumbnail.webp"  # type: ignore[attr-defined]
        text = store._bucket.text(path, KEY)
        return b"" if text is None else bytes(text)

    return _Made(store, look)


KINDS = [
    *((disk, DiskMediaStore), (disk, AsyncDiskMediaStore)),
    *((memory, MemoryMediaStore), (memory, AsyncMemoryMediaStore)),
    *((s3, S3MediaStore), (s3, AsyncS3MediaStore)),
]


@pytest.fixture(params=KINDS, ids=lambda kind: kind[1].__name__)
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., _Made]:
    make, cls = request.param
    return lambda thumbnail_px=64: make(cls, tmp_path, thumbnail_px)


@pytest.mark.parametrize("method", ["save", "replace"])
def test_the_thumbnail_that_comes_along_is_kept(
    made: Callable[..., _Made], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_WORKERS", None)  # nobody is asked
    kept = made()
    assert kept.store.thumbnail_px == 64
    upload = evolve(make_upload(KEY, image_bytes()), thumbnail=DRAWN)
    media = kept.call(method, upload)
    assert kept.look(upload) == DRAWN
    assert media.id == f"{KEY}~t"
    located = kept.store.locate(media)
    assert located.thumbnail_url is not None
    assert located.thumbnail_url != located.url


@pytest.mark.parametrize("method", ["save", "replace"])
def test_where_none_could_be_drawn_there_is_none(
    made: Callable[..., _Made], method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "_WORKERS", None)
    kept = made()
    upload = evolve(make_upload(KEY, image_bytes()), thumbnail=b"")
    media = kept.call(method, upload)
    assert (media.id, kept.look(upload)) == (KEY, b"")
    assert kept.store.locate(media).thumbnail_url is None


def test_none_is_kept_where_none_is_wanted(made: Callable[..., _Made]) -> None:
    kept = made(0)
    assert kept.store.thumbnail_px == 0
    upload = evolve(make_upload(KEY, image_bytes()), thumbnail=DRAWN)
    assert kept.call("save", upload).id == KEY
    assert kept.look(upload) == b""


@pytest.mark.parametrize("method", ["save", "replace"])
def test_of_one_that_nobody_has_drawn_the_sandbox_draws_it(
    made: Callable[..., _Made], method: str
) -> None:
    from PIL import Image

    kept = made()
    upload = make_upload(KEY, image_bytes())
    media = kept.call(method, upload)
    assert media.id == f"{KEY}~t"
    with Image.open(io.BytesIO(kept.look(upload))) as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (64, 32))
    other = make_upload("other", b"no image")
    media = kept.call(method, other)
    assert media.id == "other"


@pytest.mark.parametrize("cls", [MemoryMediaStore, AsyncMemoryMediaStore])
def test_memory_keeps_none_unless_it_is_told(cls: Any) -> None:
    assert cls().thumbnail_px == 0
    assert cls().thumbnail("nobody") == b""
    with pytest.raises(InvalidArgument, match="thumbnail_px must be 0 or more, not -1"):
        cls(thumbnail_px=-1)
