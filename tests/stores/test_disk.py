"""What the disk store adds to the contract: layout, URLs, thumbnails, its async form."""

from __future__ import annotations

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

import charimg.stores.disk.store as disk_store
from charimg._decoding import thumbnails
from charimg._json import from_json
from charimg.errors import InvalidArgument, MediaNotFound, StorageError
from charimg.models import Media
from charimg.stores import _directories
from charimg.stores.disk import AsyncDiskMediaStore, DiskMediaStore
from charimg.stores.disk.layout import Layout, check_name
from charimg.testing.conformance.media import make_upload

from .disk_files import KEY, content_of, files_below, home_of, image_bytes, interrupted

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


def test_the_name_of_a_directory_is_flushed_once_and_again_when_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[Path] = []
    for module in (disk_store, _directories):
        monkeypatch.setattr(module, "sync_directory", flushed.append)
    store = DiskMediaStore(tmp_path)
    store.save(make_upload(KEY))
    # Of the directory of saves, and of the shelf.
    assert flushed.count(tmp_path) == 2
    store.delete(KEY)
    store.save(make_upload(KEY))
    assert flushed.count(tmp_path) == 2
    store.delete(KEY)
    shelf = home_of(tmp_path).parent
    # It keeps its inode from being given to the next one.
    shelf.rename(tmp_path / "aside")
    store.save(make_upload(KEY))
    assert flushed.count(tmp_path) == 3
    assert flushed.count(shelf) == 5
    # Whoever has made it may not have come to flushing it.
    another = DiskMediaStore(tmp_path)
    for _ in range(2):
        another.delete(KEY)
        another.save(make_upload(KEY))
        assert flushed.count(tmp_path) == 4


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
        with pytest.raises(InvalidArgument, match=r"use 1 to 128 letters|must be str"):
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
