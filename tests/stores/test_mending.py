"""What the stores name when they list, and how they put a file in the place of another."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from PIL import Image

from charimg.errors import InvalidArgument, StorageError
from charimg.models import Upload
from charimg.stores import DiskMediaStore
from charimg.stores.payload.wire import listed_key, stored_name
from charimg.stores.s3.names import Names, key_of
from charimg.testing.conformance.media import BrokenFile, make_upload

from .disk_files import KEY, files_below, home_of


def picture(color: str = "red") -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (40, 30), color).save(drawn, "PNG")
    return drawn.getvalue()


def uploaded(content: bytes, **changes: Any) -> Upload:
    return evolve(make_upload(KEY, content), **changes)


def test_the_disk_store_names_its_keys_and_the_paths_of_others(tmp_path: Path) -> None:
    assert list(DiskMediaStore(tmp_path / "none").list_keys()) == []
    store = DiskMediaStore(tmp_path)
    store.save(uploaded(picture()))
    home = home_of(tmp_path)
    with pytest.raises(StorageError):
        store.save(make_upload("other", source=BrokenFile))
    (tmp_path / ".incoming" / f"{KEY}~0123").mkdir()
    (tmp_path / "holiday.png").write_bytes(b"sun")
    (tmp_path / "empty").mkdir()
    (home.parent / ".notes").write_bytes(b"")
    (tmp_path / "elsewhere" / KEY).mkdir(parents=True)
    listed = sorted(store.list_keys())
    assert listed == sorted(
        ["./holiday.png", f"elsewhere/{KEY}", f"{home.parent.name}/.notes", KEY]
    )
    # A file that is cut off counts as absent, and is there all the same.
    next(home.glob("*.png")).write_bytes(b"")
    assert store.get(KEY) is None
    assert KEY in store.list_keys()


def test_a_directory_that_cannot_be_listed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(path: Path) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("charimg.stores.disk.store.names_in", fail)
    with pytest.raises(StorageError, match="Cannot list"):
        list(DiskMediaStore(tmp_path).list_keys())


def test_a_thumbnail_is_missed_only_where_there_was_one(tmp_path: Path) -> None:
    store = DiskMediaStore(tmp_path)
    media = store.save(uploaded(picture()))
    assert store.has_renditions(media)
    thumbnail = home_of(tmp_path) / "_thumbnail.webp"
    thumbnail.write_bytes(b"")
    assert not store.has_renditions(media)
    thumbnail.unlink()
    assert not store.has_renditions(media)
    assert store.has_renditions(evolve(media, id=media.key))
    assert store.has_renditions(store.replace(uploaded(picture())))


def test_a_file_is_put_in_place_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    store = DiskMediaStore(tmp_path)
    before = store.save(uploaded(picture()))
    # Of what is no image there is no thumbnail, and the old one would be of another file.
    after = store.replace(uploaded(b"no image"))
    assert after == store.get(KEY) != before
    assert not (home_of(tmp_path) / "_thumbnail.webp").exists()
    assert len(files_below(tmp_path)) == 2
    with pytest.raises(InvalidArgument):
        store.replace(evolve(uploaded(b"x"), filename="../x"))


def test_a_link_in_the_place_of_a_file_leads_nowhere(tmp_path: Path) -> None:
    store, elsewhere = DiskMediaStore(tmp_path / "files"), tmp_path / "elsewhere"
    media = store.save(uploaded(picture()))
    home = home_of(tmp_path / "files")
    home.rename(elsewhere)
    before = {path.name: path.read_bytes() for path in elsewhere.iterdir()}
    home.symlink_to(elsewhere)
    assert store.get(KEY) is None
    assert store.replace(uploaded(picture("blue"))) == store.get(KEY) != media
    assert not home.is_symlink()
    assert {path.name: path.read_bytes() for path in elsewhere.iterdir()} == before
    home.parent.rename(tmp_path / "bucket")
    home.parent.symlink_to(tmp_path / "bucket")
    with pytest.raises(StorageError, match="symbolic link"):
        store.replace(uploaded(picture()))


def test_a_replacement_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DiskMediaStore(tmp_path)
    media = store.save(uploaded(picture()))
    files = files_below(tmp_path)
    with pytest.raises(StorageError, match="announced"):
        store.replace(uploaded(b"x", sha256="0" * 64))

    def full(source: Path, target: Path) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("charimg.stores.disk.store.move_over", full)
    with pytest.raises(StorageError, match="Cannot replace"):
        store.replace(uploaded(b"other"))
    assert files_below(tmp_path) == files
    assert store.get(KEY) == media


@pytest.mark.parametrize("prefix", ["", "studio", "a/b"])
@pytest.mark.parametrize("key", [KEY, "Ünïcode key/with.dots", "_v-", "..", "a_41"])
def test_the_key_of_an_object_is_told_from_its_path(prefix: str, key: str) -> None:
    names = Names(prefix, key)
    for path in (names.sidecar, names.file("a" * 64, "x.png"), names.thumbnail("a" * 64)):
        assert key_of(prefix, path) == key
    assert key_of(prefix, f"{names.home}/else.txt") is None
    assert key_of(prefix, f"{names.home}_/_media.json") is None
    assert key_of(prefix, "holiday.png") is None


def test_files_of_others_in_payload_are_told_by_their_names() -> None:
    for suffix in ("", "-1", "-2"):
        assert listed_key(f"scene-{KEY}-000{suffix}.webp") == f"{KEY}-000"
    for name in ("holiday.png", "None", "scene.png", "scene-x.tiff"):
        assert listed_key(name) == f"./{name}"


def test_a_name_that_is_taken_is_not_sent_again() -> None:
    # Payload would count on from the last number, and the key could not be found by that.
    upload = make_upload(f"{KEY}-001", b"x")
    first = stored_name(upload)
    second = stored_name(upload, {first})
    third = stored_name(upload, {first, second})
    assert first == f"reference-{KEY}-001.png"
    assert (second, third) == (f"image-{KEY}-001.png", f"image-{KEY}-001-1.png")
    assert {listed_key(name) for name in (first, second, third)} == {f"{KEY}-001"}
    taken = {f"image-{KEY}-001{suffix}.png" for suffix in ("", "-1", "-2")} | {first}
    assert stored_name(upload, taken) == second
