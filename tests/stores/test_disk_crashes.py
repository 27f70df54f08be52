"""The disk store when the process dies, or the disk fails, before any step of its work."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from charimg.errors import StorageError
from charimg.stores.disk import DiskMediaStore
from charimg.testing.conformance.media import make_upload

from .disk_files import KEY, content_of, empty_sidecar, files_below, home_of, image_bytes

CONTENT = image_bytes(64, 64)
# Everything that changes the disk. Path methods call these.
CALLS = ("mkdir", "rename", "fsync", "unlink", "rmdir", "open")
WRITING = ("x", "w")


class Crash(BaseException):
    """The process is gone: nothing that comes later in it happens either."""


class Trap:
    """Stops before the n-th change of the disk."""

    def __init__(self, at: int, error: Callable[[], BaseException], *, dead: bool) -> None:
        self.at = at
        self.error = error
        self.dead = dead
        self.count = 0

    def step(self) -> None:
        self.count += 1
        if self.count == self.at or (self.dead and self.count > self.at):
            raise self.error()


@contextmanager
def trapped(trap: Trap) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            real = getattr(os, name)

            def call(*args: Any, real: Any = real, **options: Any) -> Any:
                trap.step()
                return real(*args, **options)

            patch.setattr(os, name, call)
        real_open = Path.open

        def path_open(self: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
            if mode[0] in WRITING:
                trap.step()
            return real_open(self, mode, *args, **options)

        patch.setattr(Path, "open", path_open)
        yield


def crashed(at: int) -> Trap:
    return Trap(at, Crash, dead=True)


def failing(at: int) -> Trap:
    return Trap(at, lambda: OSError(errno.EIO, os.strerror(errno.EIO)), dead=False)


def fresh(root: Path) -> None:
    """Begin without the directory."""


def stored(root: Path) -> None:
    """Begin with the image stored."""
    DiskMediaStore(root).save(make_upload(KEY, CONTENT))


def damaged(root: Path) -> None:
    """Begin with a damaged image."""
    stored(root)
    empty_sidecar(home_of(root))


def littered(root: Path) -> None:
    """Begin with what an earlier crash left."""
    with pytest.raises(Crash), trapped(crashed(14)):
        DiskMediaStore(root).save(make_upload(KEY, CONTENT))
    assert files_below(root)


def save(root: Path) -> None:
    DiskMediaStore(root).save(make_upload(KEY, CONTENT))


def delete(root: Path) -> None:
    DiskMediaStore(root).delete(KEY)


SCENES = [
    (fresh, save),
    (damaged, save),
    (littered, save),
    (stored, delete),
    (damaged, delete),
    (littered, delete),
]


def leftovers(root: Path) -> list[str]:
    return [path.name for path in (root / ".incoming").glob("*")]


def check_whole_or_absent(root: Path) -> None:
    store = DiskMediaStore(root)
    if store.get(KEY) is not None:
        assert content_of(store) == CONTENT
        assert (home_of(root) / "_thumbnail.webp").exists()


def steps_of(root: Path, begin: Callable[[Path], None], act: Callable[[Path], None]) -> int:
    begin(root)
    trap = crashed(10**9)
    with trapped(trap):
        act(root)
    return trap.count


@pytest.mark.parametrize(("begin", "act"), SCENES)
@pytest.mark.parametrize("repair", [save, delete])
def test_a_crash_leaves_the_whole_image_or_something_to_repair(
    tmp_path: Path,
    begin: Callable[[Path], None],
    act: Callable[[Path], None],
    repair: Callable[[Path], None],
) -> None:
    steps = steps_of(tmp_path / "all", begin, act)
    assert steps >= 3
    for at in range(1, steps + 1):
        root = tmp_path / str(at)
        begin(root)
        with trapped(crashed(at)), pytest.raises(Crash):
            act(root)
        check_whole_or_absent(root)
        repair(root)
        assert leftovers(root) == []
        if repair is save:
            assert content_of(DiskMediaStore(root)) == CONTENT
        else:
            assert files_below(root) == set()
            assert DiskMediaStore(root).delete(KEY) is False


@pytest.mark.parametrize("begin", [fresh, damaged, littered])
def test_a_save_that_fails_leaves_nothing_visible(
    tmp_path: Path, begin: Callable[[Path], None]
) -> None:
    steps = steps_of(tmp_path / "all", begin, save)
    failed = 0
    for at in range(1, steps + 1):
        root = tmp_path / str(at)
        begin(root)
        store = DiskMediaStore(root)
        error = None
        try:
            with trapped(failing(at)):
                save(root)
        except StorageError as caught:
            error = caught
        if error is None:
            # The sweep after the save failed: no failure of the save.
            assert content_of(store) == CONTENT
        else:
            failed += 1
            assert f"Cannot store media '{KEY}'" in str(error)
            assert store.get(KEY) is None, f"step {at} of {steps}"
            if begin is fresh:
                assert files_below(root) == set()
        save(root)
        assert content_of(store) == CONTENT
        assert leftovers(root) == []
    assert failed > 10


@pytest.mark.parametrize("begin", [stored, damaged, littered])
def test_a_delete_that_fails_can_be_repeated(tmp_path: Path, begin: Callable[[Path], None]) -> None:
    steps = steps_of(tmp_path / "all", begin, delete)
    for at in range(1, steps + 1):
        root = tmp_path / str(at)
        begin(root)
        with trapped(failing(at)), pytest.raises(StorageError, match=f"Cannot delete .*'{KEY}'"):
            delete(root)
        check_whole_or_absent(root)
        delete(root)
        assert files_below(root) == set()
        assert leftovers(root) == []


def test_a_crash_of_a_delete_never_brings_the_image_back(tmp_path: Path) -> None:
    # Once the directory was moved away, whatever happens next: it stays away.
    steps = steps_of(tmp_path / "all", stored, delete)
    seen = []
    for at in range(1, steps + 1):
        root = tmp_path / str(at)
        stored(root)
        with pytest.raises(Crash), trapped(crashed(at)):
            delete(root)
        seen.append(DiskMediaStore(root).get(KEY) is not None)
    assert seen == sorted(seen, reverse=True)
    assert seen.count(True) == 2, "mkdir of .incoming (there already), then the rename itself"


def test_the_process_is_told_to_stop_after_publishing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The flush after the rename fails, and so does taking it back: the save still says so.
    real = Path.rename

    def once(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", refused)
        monkeypatch.setattr(os, "fsync", refused)
        return real(self, target)

    def refused(*args: object) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(Path, "rename", once)
    with pytest.raises(StorageError, match="Cannot store media"):
        save(tmp_path)
    monkeypatch.undo()
    check_whole_or_absent(tmp_path)
    save(tmp_path)
    assert content_of(DiskMediaStore(tmp_path)) == CONTENT
