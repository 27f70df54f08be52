"""What the disk store adds to the contract: layout, URLs, thumbnails, errors of the disk."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

import charimg.stores.disk.thumbnails as thumbnails
from charimg._json import from_json
from charimg.errors import InvalidArgument, MediaNotFound, StorageConflict, StorageError
from charimg.models import Media, Upload
from charimg.stores import _directories
from charimg.stores.disk import AsyncDiskMediaStore, DiskMediaStore
from charimg.stores.disk.layout import Layout, check_name
from charimg.testing.conformance.media import make_upload

KEY = "018f00000000aabb-000"


def image_bytes(
    width: int = 800, height: int = 400, mode: str = "RGB", kind: str = "PNG", **options: Any
) -> bytes:
    image = Image.new(mode, (width, height), 1)
    image.paste(2, (0, 0, width // 2, height))
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def content_of(store: DiskMediaStore, key: str = KEY) -> bytes:
    with store.open(key) as chunks:
        return b"".join(chunks)


def files_below(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


def home_of(root: Path, key: str = KEY) -> Path:
    return root / hashlib.sha256(key.encode()).hexdigest()[:2] / key


# Where things lie


def test_an_image_is_one_directory(tmp_path: Path) -> None:
    store = DiskMediaStore(tmp_path)
    content = image_bytes()
    media = store.save(make_upload(KEY, content))
    home = home_of(tmp_path)
    name = f"reference-{KEY}.png"
    assert {path.name for path in home.iterdir()} == {name, "_media.json", "_thumbnail.webp"}
    assert (home / name).read_bytes() == content
    assert store.path(media) == home / name
    assert list((tmp_path / ".incoming").iterdir()) == []


def test_the_sidecar_holds_the_media_without_urls(tmp_path: Path) -> None:
    media = DiskMediaStore(tmp_path).save(make_upload(KEY, b"no image"))
    text = (home_of(tmp_path) / "_media.json").read_text(encoding="utf-8")
    assert from_json(Media, json.loads(text), what="it") == media
    assert "“Мира”" in text
    assert json.loads(text)["url"] is None


def test_nothing_is_made_before_the_first_save(tmp_path: Path) -> None:
    store = DiskMediaStore(tmp_path / "a" / "b")
    assert store.get(KEY) is None
    assert store.delete(KEY) is False
    assert not (tmp_path / "a").exists()
    store.save(make_upload(KEY))
    assert home_of(tmp_path / "a" / "b").is_dir()


def test_a_relative_directory_does_not_move_with_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = DiskMediaStore("media")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    store.save(make_upload(KEY))
    assert home_of(tmp_path / "media").is_dir()
    assert repr(store) == f"DiskMediaStore({str(tmp_path / 'media')!r})"
    assert repr(AsyncDiskMediaStore("x")).startswith("AsyncDiskMediaStore(")


# Names


BAD_NAMES = [
    "", ".", "..", "../x", "a/b", "a\\b", "/etc/passwd", "a\x00b", ".hidden", "_media.json", "a.",
    "a~b", "a b", "ü", "a\n", "C:x", "x" * 129, "-a", 7, None,
]  # fmt: skip


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_names_that_could_lead_elsewhere_are_refused(tmp_path: Path, name: Any) -> None:
    store = DiskMediaStore(tmp_path / "store")
    bad_key = evolve(make_upload(KEY), key=name)
    bad_name = evolve(make_upload(KEY), filename=name)
    media = DiskMediaStore(tmp_path / "other").save(make_upload(KEY))
    calls: list[Callable[[], object]] = [
        lambda: store.save(bad_key),
        lambda: store.save(bad_name),
        lambda: store.get(name),
        lambda: store.delete(name),
        lambda: store.open(name).__enter__(),
        lambda: store.locate(evolve(media, key=name)),
        lambda: store.locate(evolve(media, filename=name)),
        lambda: store.path(evolve(media, filename=name)),
    ]
    for call in calls:
        with pytest.raises(InvalidArgument, match="of the disk store: use 1 to 128 letters"):
            call()
    assert not (tmp_path / "store").exists()


@given(st.text(max_size=140) | st.text(alphabet="aZ0._-~/\\", max_size=140))
@example("a..b")
@example("x" * 128)
def test_a_name_that_is_accepted_stays_below_the_root(name: str) -> None:
    root = Path("/root/of/store")
    layout = Layout(root, None)
    try:
        check_name(name, "key")
    except InvalidArgument:
        return
    assert layout.home(name) == Path(os.path.normpath(layout.home(name)))
    assert layout.home(name).parent.parent == root
    assert layout.fresh(name).parent == root / ".incoming"
    assert layout.left_by(name, layout.fresh(name).name)
    assert not layout.left_by(name, layout.fresh(f"{name}x").name)
    assert not layout.left_by(f"{name}x", layout.fresh(name).name)


def test_a_negative_size_of_thumbnails_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="thumbnail_px must be 0 or more, not -1"):
        DiskMediaStore(tmp_path, thumbnail_px=-1)


# URLs


def test_file_urls(tmp_path: Path) -> None:
    store = DiskMediaStore(tmp_path / "ä b")
    media = store.locate(store.save(make_upload(KEY, image_bytes())))
    assert media.url == store.path(media).as_uri()
    assert media.thumbnail_url == (home_of(tmp_path / "ä b") / "_thumbnail.webp").as_uri()


@pytest.mark.parametrize("base_url", ["https://cdn.example/m", "https://cdn.example/m/", ""])
def test_urls_below_a_base(tmp_path: Path, base_url: str) -> None:
    store = DiskMediaStore(tmp_path, base_url=base_url)
    media = store.locate(store.save(make_upload(KEY, image_bytes())))
    home = f"{base_url.rstrip('/')}/{home_of(tmp_path).parent.name}/{KEY}"
    assert media.url == f"{home}/reference-{KEY}.png"
    assert media.thumbnail_url == f"{home}/_thumbnail.webp"


def test_a_located_media_can_be_read_where_it_says(tmp_path: Path) -> None:
    store = DiskMediaStore(tmp_path, base_url="/media")
    content = image_bytes()
    media = store.locate(store.save(make_upload(KEY, content)))
    assert media.url is not None
    assert (tmp_path / media.url.removeprefix("/media/")).read_bytes() == content


def test_no_thumbnail_no_url(tmp_path: Path) -> None:
    store = DiskMediaStore(tmp_path)
    media = store.locate(store.save(make_upload(KEY, b"no image")))
    assert (media.id, media.thumbnail_url) == (KEY, None)


# Thumbnails


@pytest.mark.parametrize(
    ("mode", "kind", "mime"),
    [
        ("RGB", "PNG", "RGB"),
        ("RGBA", "PNG", "RGBA"),
        ("P", "PNG", "RGB"),
        ("L", "PNG", "RGB"),
        ("LA", "PNG", "RGBA"),
        ("CMYK", "JPEG", "RGB"),
        ("RGB", "WEBP", "RGB"),
        ("P", "GIF", "RGB"),
    ],
)
def test_thumbnails_of_every_mode(tmp_path: Path, mode: str, kind: str, mime: str) -> None:
    store = DiskMediaStore(tmp_path, thumbnail_px=100)
    media = store.save(make_upload(KEY, image_bytes(mode=mode, kind=kind)))
    assert media.id == f"{KEY}~t"
    with Image.open(home_of(tmp_path) / "_thumbnail.webp") as thumbnail:
        assert (thumbnail.format, thumbnail.size) == ("WEBP", (100, 50))
    # The media itself keeps what was uploaded.
    assert (media.width, media.mime_type) == (640, "image/png")


def test_a_small_image_is_not_enlarged(tmp_path: Path) -> None:
    DiskMediaStore(tmp_path).save(make_upload(KEY, image_bytes(30, 20)))
    with Image.open(home_of(tmp_path) / "_thumbnail.webp") as thumbnail:
        assert thumbnail.size == (30, 20)


def test_a_thumbnail_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    DiskMediaStore(tmp_path).save(make_upload(KEY, image_bytes(kind="JPEG", exif=exif)))
    with Image.open(home_of(tmp_path) / "_thumbnail.webp") as thumbnail:
        assert thumbnail.size == (160, 320)


@pytest.mark.parametrize("content", [b"no image", b"", image_bytes()[:200]])
def test_what_cannot_be_drawn_is_stored_all_the_same(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store = DiskMediaStore(tmp_path)
    with caplog.at_level(logging.INFO, "charimg"):
        store.save(make_upload(KEY, content))
    assert content_of(store) == content
    assert not (home_of(tmp_path) / "_thumbnail.webp").exists()
    assert [record.message for record in caplog.records] == ["thumbnail.skipped"]


def test_a_bomb_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "_MAX_PIXELS", 800 * 400 - 1)
    store = DiskMediaStore(tmp_path)
    assert store.save(make_upload(KEY, image_bytes())).id == KEY
    assert store.save(make_upload("k2", image_bytes(799, 400))).id == "k2~t"


def test_thumbnails_can_be_switched_off(tmp_path: Path) -> None:
    store = DiskMediaStore(tmp_path, thumbnail_px=0)
    assert store.save(make_upload(KEY, image_bytes())).id == KEY
    assert len(files_below(tmp_path)) == 2


def test_without_pillow_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = image_bytes()
    monkeypatch.setitem(sys.modules, "PIL", None)
    store = DiskMediaStore(tmp_path)
    media = store.save(make_upload(KEY, content))
    assert store.locate(media).thumbnail_url is None
    assert content_of(store) == content


# What is announced is checked


@pytest.mark.parametrize(
    "changes", [{"size": 5}, {"sha256": "0" * 64}], ids=lambda changes: next(iter(changes))
)
def test_a_file_that_is_not_what_was_announced_is_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    store = DiskMediaStore(tmp_path)
    with pytest.raises(StorageError, match=f"'{KEY}' was announced with .* Nothing was stored"):
        store.save(evolve(make_upload(KEY, b"abcd"), **changes))
    assert store.get(KEY) is None
    assert files_below(tmp_path) == set()


def test_the_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    upload = make_upload(KEY, b"abcd")
    upload.file.seek(3)
    DiskMediaStore(tmp_path).save(upload)
    assert content_of(DiskMediaStore(tmp_path)) == b"abcd"


# What was damaged behind the store's back


def no_sidecar(home: Path) -> None:
    (home / "_media.json").unlink()


def empty_sidecar(home: Path) -> None:
    (home / "_media.json").write_bytes(b"")


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


class Interrupting(io.BytesIO):
    """A source during whose reading something else happens."""

    action: Callable[[], object]

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        if not chunk:
            self.action()
        return chunk


def interrupted(action: Callable[[], object], content: bytes = b"slow") -> Upload:
    upload = make_upload(KEY, content, source=Interrupting)
    assert isinstance(upload.file, Interrupting)
    upload.file.action = action
    return upload


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


# Errors of the disk


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
    assert opened == [f"reference-{KEY}.png", "_media.json"]


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
        "root",
    ]


# The async store


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.anyio
async def test_a_cancelled_save_is_not_abandoned(tmp_path: Path, anyio_backend: str) -> None:
    import anyio
    from anyio.from_thread import run_sync

    store = AsyncDiskMediaStore(tmp_path)
    with anyio.CancelScope() as scope:
        # The cancellation comes while the thread is at work; it finishes first.
        await store.save(interrupted(lambda: run_sync(scope.cancel)))
        await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    media = await store.get(KEY)
    assert media is not None
    assert store.path(media).read_bytes() == b"slow"


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
@pytest.mark.anyio
async def test_async_chunks(
    tmp_path: Path, anyio_backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charimg.stores.disk.store.CHUNK", 10)
    store = AsyncDiskMediaStore(tmp_path, base_url="https://cdn.example", thumbnail_px=0)
    media = await store.save(make_upload(KEY, b"x" * 25))
    async with store.open(KEY) as chunks:
        assert [len(chunk) async for chunk in chunks] == [10, 10, 5]
    async with store.open(KEY) as chunks:
        async for _ in chunks:
            break
    assert str(store.locate(media).url).startswith("https://cdn.example/")
    with pytest.raises(MediaNotFound):
        async with store.open("other"):
            pass
    assert await store.delete(KEY) is True
