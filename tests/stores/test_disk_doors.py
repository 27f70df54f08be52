"""Who else on the machine gets at the files, and what leads out of the store's directory."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from charimg import CharacterImageService
from charimg.errors import MediaNotFound, StorageError
from charimg.stores import SqliteCharacterDirectory, SqliteDatabase
from charimg.stores.disk import DiskMediaStore
from charimg.testing.conformance.media import make_upload
from charimg.web.answers import answer

from .disk_files import KEY, content_of, home_of, image_bytes


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(root: Path) -> dict[str, str]:
    """Return who may do what, for everything from a directory on."""
    return {
        path.relative_to(root.parent).as_posix(): f"{stat.S_IMODE(path.stat().st_mode):o}"
        for path in (root, *root.rglob("*"))
    }


def test_everything_is_its_owner_s_alone(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "data"
    with CharacterImageService.local(root, library="http://library.test") as service:
        assert service.directory.get("nobody") is None
        service.media.save(make_upload(KEY, image_bytes()))
        found = modes(tmp_path / "deep")
    assert {f"deep/data/charimg.sqlite{end}" for end in ("", "-wal", "-shm")} <= found.keys()
    assert any(name.endswith("_thumbnail.webp") for name in found)
    for name, mode in found.items():
        assert mode == ("700" if (tmp_path / name).is_dir() else "600"), name


@pytest.mark.parametrize(("given", "below", "file"), [(0o755, "755", "644"), (0o750, "750", "640")])
def test_media_may_be_read_by_whom_their_directory_lets_in(
    tmp_path: Path, given: int, below: str, file: str
) -> None:
    """As for a web server: the directory's own mode is the setting."""
    root = tmp_path / "media"
    root.mkdir()
    root.chmod(given)
    DiskMediaStore(root).save(make_upload(KEY, image_bytes()))
    home = home_of(root)
    found = modes(home.parent)
    assert {found[home.parent.name], found[f"{home.parent.name}/{KEY}"]} == {below}
    assert {mode for name, mode in found.items() if name.count("/") == 2} == {file}
    assert len(found) == 5
    assert f"{stat.S_IMODE((root / '.incoming').stat().st_mode):o}" == "700"


def test_a_database_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "charimg.sqlite"
    path.touch()
    path.chmod(0o660)
    with SqliteDatabase(path) as database:
        assert SqliteCharacterDirectory(database).get("nobody") is None
        assert {*modes(tmp_path).values()} >= {"660"}
        assert "600" not in modes(tmp_path).values()


SECRET = b"root:x:0:0:"


def stored(tmp_path: Path) -> tuple[DiskMediaStore, Path, Path]:
    """Return a store with an image, its directory, and a directory outside of the store."""
    store = DiskMediaStore(tmp_path / "media", base_url="")
    store.save(make_upload(KEY, image_bytes()))
    outside = tmp_path / "outside"
    outside.mkdir()
    return store, home_of(tmp_path / "media"), outside


def served(store: DiskMediaStore, home: Path, name: str) -> int:
    return answer(store, "GET", f"/{home.parent.name}/{KEY}/{name}", None).status


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    store, home, outside = stored(tmp_path)
    file = home / f"reference-{KEY}.png"
    secret = outside / "secret"
    secret.write_bytes(SECRET.ljust(file.stat().st_size, b"."))
    assert served(store, home, file.name) == 200
    file.unlink()
    file.symlink_to(secret)
    assert store.get(KEY) is None
    assert served(store, home, file.name) == 404
    with pytest.raises(MediaNotFound), store.open(KEY):
        pass
    store.save(make_upload(KEY, image_bytes()))
    assert content_of(store) == image_bytes()
    assert secret.read_bytes().startswith(SECRET)


def test_a_link_in_the_place_of_a_thumbnail_or_a_sidecar_is_not_followed(tmp_path: Path) -> None:
    store, home, outside = stored(tmp_path)
    for name in ("_thumbnail.webp", "_media.json"):
        path = home / name
        moved = path.rename(outside / name)
        path.symlink_to(moved)
        assert served(store, home, "_thumbnail.webp") == 404
    assert store.get(KEY) is None


def test_a_link_in_the_place_of_an_image_s_directory_is_removed_and_what_it_leads_to_stays(
    tmp_path: Path,
) -> None:
    store, home, outside = stored(tmp_path)
    moved = home.rename(outside / "home")
    names = sorted(path.name for path in moved.iterdir())
    home.symlink_to(moved)
    assert store.get(KEY) is None
    assert served(store, home, f"reference-{KEY}.png") == 404
    assert store.delete(KEY) is True
    assert not home.is_symlink()
    home.symlink_to(moved)
    store.save(make_upload(KEY, image_bytes()))
    assert content_of(store) == image_bytes()
    assert sorted(path.name for path in moved.iterdir()) == names


def test_a_link_in_the_place_of_a_shard_is_refused(tmp_path: Path) -> None:
    store, home, outside = stored(tmp_path)
    moved = home.parent.rename(outside / "moved")
    home.parent.symlink_to(moved)
    before = sorted(moved.rglob("*"))
    for work in (store.get, store.delete, lambda key: store.save(make_upload(key))):
        with pytest.raises(StorageError, match="symbolic link"):
            work(KEY)
    assert served(store, home, f"reference-{KEY}.png") == 503
    assert sorted(moved.rglob("*")) == before


def test_a_link_in_the_place_of_what_comes_in_is_refused(tmp_path: Path) -> None:
    store, _, outside = stored(tmp_path)
    incoming = tmp_path / "media" / ".incoming"
    moved = incoming.rename(outside / "moved")
    (moved / f"{KEY}~left").mkdir()
    incoming.symlink_to(moved)
    for work in (store.delete, lambda _: store.save(make_upload("another"))):
        with pytest.raises(StorageError, match="symbolic link"):
            work(KEY)
    assert content_of(store) == image_bytes()
    assert [path.name for path in moved.iterdir()] == [f"{KEY}~left"]


def test_the_directory_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "media").symlink_to(tmp_path / "disk")
    store = DiskMediaStore(tmp_path / "media")
    store.save(make_upload(KEY, image_bytes()))
    assert content_of(store) == image_bytes()
    assert store.delete(KEY) is True
