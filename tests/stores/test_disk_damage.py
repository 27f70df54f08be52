"""What was damaged behind the disk store's back, and what others do at the same time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from charimg.errors import MediaNotFound, StorageConflict, StorageError
from charimg.stores.disk import DiskMediaStore
from charimg.testing.conformance.media import make_upload

from .disk_files import KEY, content_of, empty_sidecar, files_below, home_of, interrupted


def no_sidecar(home: Path) -> None:
    (home / "_media.json").unlink()


def odd_sidecar(home: Path) -> None:
    (home / "_media.json").write_bytes(b"\xff{")


def other_sidecar(home: Path) -> None:
    (home / "_media.json").write_text('{"key": 7}')


def leading_away(home: Path) -> None:
    sidecar = json.loads((home / "_media.json").read_text())
    (home / "_media.json").write_text(json.dumps({**sidecar, "filename": "../../../etc/passwd"}))


def cut_off(home: Path) -> None:
    path = home / f"reference-{KEY}.png"
    path.write_bytes(path.read_bytes()[:10])


def no_file(home: Path) -> None:
    (home / f"reference-{KEY}.png").unlink()


def nothing_left(home: Path) -> None:
    for path in home.iterdir():
        path.unlink()


DAMAGES = [
    no_sidecar, empty_sidecar, odd_sidecar, other_sidecar, leading_away, cut_off, no_file,
    nothing_left,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_counts_as_absent_and_is_repaired(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    store = DiskMediaStore(tmp_path)
    store.save(make_upload(KEY))
    damage(home_of(tmp_path))
    assert store.get(KEY) is None
    with pytest.raises(MediaNotFound, match=KEY), store.open(KEY):
        pass
    store.save(make_upload(KEY, b"again"))
    assert content_of(store) == b"again"
    damage(home_of(tmp_path))
    assert store.delete(KEY) is True
    assert files_below(tmp_path) == set()
    assert store.delete(KEY) is False


def test_damage_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = DiskMediaStore(tmp_path)
    store.save(make_upload(KEY))
    cut_off(home_of(tmp_path))
    store.get(KEY)
    empty_sidecar(home_of(tmp_path))
    store.get(KEY)
    broken = [record for record in caplog.records if record.message == "media.broken"]
    assert [record.__dict__["key"] for record in broken] == [KEY, KEY]


def test_keys_that_the_file_system_cannot_tell_apart(tmp_path: Path) -> None:
    store = DiskMediaStore(tmp_path)
    store.save(make_upload("KEY"))
    # As a file system that ignores case would find it.
    home_of(tmp_path, "key").parent.mkdir(exist_ok=True)
    home_of(tmp_path, "KEY").rename(home_of(tmp_path, "key"))
    for call in (store.get, lambda key: store.save(make_upload(key))):
        with pytest.raises(StorageConflict, match="'key' and 'KEY' share one directory"):
            call("key")


def test_a_file_that_goes_while_it_is_looked_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DiskMediaStore(tmp_path)
    media = store.save(make_upload(KEY))
    monkeypatch.setattr(store, "get", lambda key: media)
    no_file(home_of(tmp_path))
    with pytest.raises(MediaNotFound, match=KEY), store.open(KEY):
        pass


def test_a_file_in_the_place_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    store = DiskMediaStore(tmp_path / "store")
    assert store.get(KEY) is None
    assert store.delete(KEY) is False
    with pytest.raises(StorageError, match=f"Cannot store media '{KEY}' at .*: Not a directory"):
        store.save(make_upload(KEY))


# Two at once


def test_of_two_saves_the_first_to_finish_stays(tmp_path: Path) -> None:
    store, other = DiskMediaStore(tmp_path), DiskMediaStore(tmp_path)
    upload = interrupted(lambda: other.save(make_upload(KEY, b"fast")))
    media = store.save(upload)
    assert media == store.get(KEY)
    assert media.size == 4
    assert content_of(store) == b"fast"
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_of_two_saves_the_one_whose_rename_comes_second_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DiskMediaStore(tmp_path)
    monkeypatch.setattr(store, "_sweep", lambda key: False)
    other = DiskMediaStore(tmp_path)
    # Without its sweep, the other leaves this save's directory alone until the rename.
    monkeypatch.setattr(other, "_sweep", lambda key: False)
    media = store.save(interrupted(lambda: other.save(make_upload(KEY, b"fast"))))
    assert media == other.get(KEY)
    assert content_of(store) == b"fast"
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_a_delete_during_a_save_ends_it(tmp_path: Path) -> None:
    store, other = DiskMediaStore(tmp_path), DiskMediaStore(tmp_path)
    found = []
    with pytest.raises(StorageError, match=f"Cannot store media '{KEY}'"):
        store.save(interrupted(lambda: found.append(other.delete(KEY))))
    assert found == [True]
    assert store.get(KEY) is None
    assert files_below(tmp_path) == set()


def test_of_two_deletes_one_finds_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, other = DiskMediaStore(tmp_path), DiskMediaStore(tmp_path)
    store.save(make_upload(KEY))
    real = Path.rename
    results = []

    def rename(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", real)
        results.append(other.delete(KEY))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    results.append(store.delete(KEY))
    assert results == [True, False]


def test_of_two_sweeps_one_finds_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, other = DiskMediaStore(tmp_path), DiskMediaStore(tmp_path)
    (tmp_path / ".incoming" / f"{KEY}~1").mkdir(parents=True)
    real = Path.rename
    results = []

    def rename(self: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "rename", real)
        results.append(other.delete(KEY))
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    results.append(store.delete(KEY))
    assert results == [True, False]
