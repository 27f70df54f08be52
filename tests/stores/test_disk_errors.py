"""Errors of the disk, and file systems that cannot do everything."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from typing import Any

import pytest

from charimg.errors import StorageError
from charimg.stores import _directories
from charimg.stores.disk import DiskMediaStore
from charimg.testing.conformance.media import make_upload

from .disk_files import KEY, home_of, image_bytes


def test_an_error_names_key_path_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    store = DiskMediaStore(tmp_path)
    with pytest.raises(StorageError) as caught:
        store.save(make_upload(KEY))
    assert str(caught.value) == (
        f"Cannot store media '{KEY}' at {home_of(tmp_path)}: No space left on device. "
        "Free some space and try again."
    )
    assert isinstance(caught.value.__cause__, OSError)


def test_an_error_without_number(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError

    with pytest.raises(StorageError, match=r": OSError\. Check the disk and the directory\."):
        DiskMediaStore(tmp_path).save(make_upload(KEY, source=Broken))


def test_errors_of_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DiskMediaStore(tmp_path)
    store.save(make_upload(KEY))

    def denied(self: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.raises(StorageError, match=r"Cannot read .*Let this process read and write there"):
        store.get(KEY)
    with pytest.raises(StorageError, match="Cannot read media"), store.open(KEY):
        pass


def test_an_error_in_the_middle_of_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DiskMediaStore(tmp_path)
    store.save(make_upload(KEY))
    monkeypatch.setattr("charimg.stores.disk.store.CHUNK", 10)

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().read(size)

    real = Path.open

    def opened(self: Path, *args: Any, **options: Any) -> Any:
        return Failing(b"x" * 100) if self.suffix == ".png" else real(self, *args, **options)

    monkeypatch.setattr(Path, "open", opened)
    with store.open(KEY) as chunks:
        assert next(chunks) == b"x" * 10
        with pytest.raises(StorageError, match=f"Cannot read media '{KEY}' at .*reference-.*: In"):
            next(chunks)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_that_cannot_flush_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def only_files(descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").is_dir():
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", only_files)
    store = DiskMediaStore(tmp_path)
    store.save(make_upload(KEY))
    assert store.get(KEY) is not None


def test_a_system_without_flushing_of_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_directories, "_CAN_SYNC_DIRECTORIES", False)
    real, opened = os.open, []

    def watched(path: Any, *args: Any, **options: Any) -> int:
        opened.append(Path(path).name)
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", watched)
    DiskMediaStore(tmp_path).save(make_upload(KEY, b"no image"))
    assert opened == []


def test_everything_is_flushed_before_it_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = []
    fsync, rename = os.fsync, Path.rename

    def flushed(descriptor: int) -> None:
        steps.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def renamed(self: Path, target: Path) -> Path:
        steps.append("PUBLISH")
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "rename", renamed)
    DiskMediaStore(tmp_path / "root").save(make_upload(KEY, image_bytes()))
    steps = ["<save>" if step.startswith(f"{KEY}~") else step for step in steps]
    shard = home_of(tmp_path).parent.name
    assert steps == [
        tmp_path.name,
        "root",
        f"reference-{KEY}.png",
        "_thumbnail.webp",
        "_media.json",
        "<save>",
        "root",
        "PUBLISH",
        shard,
    ]
