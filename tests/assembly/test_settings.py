"""What the environment says of the stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from charimg import ConfigurationError, DownloadLimits
from charimg._assembly.places import Place
from charimg._assembly.settings import StoreSettings, download_limits, media_url
from charimg._assembly.stores import open_stores
from charimg.stores import DiskMediaStore, SqliteGenerationLedger, SqliteMetadataRepository


def sqlite(path: str) -> Place:
    return Place(backend="sqlite", path=Path(path))


def test_without_variables_everything_is_below_one_directory() -> None:
    found = StoreSettings.from_env()
    assert found.by_role == {
        "metadata": sqlite("charimg-data/charimg.sqlite"),
        "media": Place(backend="file", path=Path("charimg-data/media")),
        "ledger": sqlite("charimg-data/charimg.sqlite"),
        "characters": sqlite("charimg-data/charimg.sqlite"),
    }
    assert StoreSettings.from_env(Path("x")).metadata == sqlite("x/charimg.sqlite")


def test_characters_and_ledger_follow_the_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARIMG_METADATA", "postgresql://host/db")
    found = StoreSettings.from_env()
    assert found.metadata == found.ledger == found.characters
    assert found.metadata == Place(backend="postgresql", url="postgresql://host/db")
    assert found.media.backend == "file"
    monkeypatch.setenv("CHARIMG_LEDGER", "sqlite:///ledger.sqlite")
    monkeypatch.setenv("CHARIMG_CHARACTERS", "sqlite:///people.sqlite")
    found = StoreSettings.from_env()
    assert found.ledger == sqlite("ledger.sqlite")
    assert found.characters == sqlite("people.sqlite")


def test_a_cms_keeps_media_and_characters_and_no_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARIMG_METADATA", "payload+https://cms.example")
    found = StoreSettings.from_env(Path("x"))
    assert found.media == found.metadata == found.characters
    assert found.ledger == sqlite("x/charimg.sqlite")
    monkeypatch.setenv("CHARIMG_MEDIA", "s3://bucket")
    with pytest.raises(ConfigurationError, match="its media must be in Payload, too"):
        StoreSettings.from_env()


def test_a_path_of_the_site(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARIMG_MEDIA_URL", "/media/")
    with pytest.raises(ConfigurationError, match="set SITE_URL"):
        media_url()
    monkeypatch.setenv("SITE_URL", "ftp://x")
    with pytest.raises(ConfigurationError, match="SITE_URL must be an http or https URL"):
        media_url()
    monkeypatch.setenv("SITE_URL", "https://studio.example/")
    assert media_url() == "https://studio.example/media/"
    assert StoreSettings.from_env().media_url == "https://studio.example/media/"
    monkeypatch.setenv("CHARIMG_MEDIA_URL", "https://cdn.example/m")
    assert media_url() == "https://cdn.example/m"


def test_equal_places_share_one_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHARIMG_MEDIA", f"file://{tmp_path}/files")
    monkeypatch.setenv("CHARIMG_LEDGER", f"sqlite:///{tmp_path}/ledger.sqlite")
    with open_stores(StoreSettings.from_env(tmp_path)) as stores:
        assert isinstance(stores.media, DiskMediaStore)
        assert isinstance(stores.metadata, SqliteMetadataRepository)
        assert isinstance(stores.ledger, SqliteGenerationLedger)
        assert stores.ledger.unfinished() == ()
        assert stores.directory.get("nobody") is None
        assert stores.metadata._database is stores.directory._database  # type: ignore[attr-defined]
        assert stores.ledger._database is not stores.metadata._database
    for name in ("ledger.sqlite", "charimg.sqlite"):
        assert (tmp_path / name).is_file()
        # A database that was closed has no files beside it.
        assert not (tmp_path / f"{name}-wal").exists()


def test_a_move_leaves_what_nobody_names() -> None:
    here = StoreSettings.from_env(Path("x"))
    s3 = Place(backend="s3", url="s3://bucket")
    assert here.moved(media=s3).by_role == {**here.by_role, "media": s3}
    database = Place(backend="postgresql", url="postgresql://host/db")
    moved = here.moved(metadata=database)
    assert moved.metadata == moved.ledger == moved.characters == database
    assert moved.media == here.media
    moved = here.moved(metadata=database, ledger=here.ledger, characters=here.characters)
    assert moved.by_role == {**here.by_role, "metadata": database}
    assert here.moved(directory=Path("y")).by_role == StoreSettings.from_env(Path("y")).by_role


def test_a_move_to_a_cms(monkeypatch: pytest.MonkeyPatch) -> None:
    here = StoreSettings.from_env(Path("x"))
    cms = Place(backend="payload", url="payload+https://cms.example")
    with pytest.raises(ConfigurationError, match="give the same"):
        here.moved(metadata=cms)
    moved = here.moved(metadata=cms, media=cms)
    assert moved.characters == cms
    assert moved.ledger == here.ledger


def test_the_limits_that_can_refuse_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    assert download_limits() == DownloadLimits()
    monkeypatch.setenv("CHARIMG_FOREIGN", " refuse ")
    monkeypatch.setenv("CHARIMG_FORMATS", "png  gif\n")
    monkeypatch.setenv("CHARIMG_MAX_BYTES", "1000000")
    monkeypatch.setenv("CHARIMG_MAX_PIXELS", "2000000")
    wanted = DownloadLimits(
        foreign="refuse", formats={"png", "gif"}, max_bytes=1_000_000, max_pixels=2_000_000
    )
    assert download_limits() == wanted
    assert download_limits("keep").foreign == "keep"
    monkeypatch.setenv("CHARIMG_MAX_PIXELS", " ")
    assert download_limits().max_pixels == DownloadLimits().max_pixels


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("CHARIMG_FOREIGN", "drop", "CHARIMG_FOREIGN is wrong: .* clean, refuse, keep"),
        ("CHARIMG_FORMATS", "svg", "CHARIMG_FORMATS is wrong: .* avif, gif, jpeg, png, webp"),
        ("CHARIMG_MAX_BYTES", "64 MiB", "CHARIMG_MAX_BYTES is wrong"),
        ("CHARIMG_MAX_PIXELS", "0", "CHARIMG_MAX_PIXELS is wrong: .* at least 1"),
    ],
)
def test_limits_that_make_no_sense(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, words: str
) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationError, match=words):
        download_limits()


def test_an_option_that_makes_no_sense() -> None:
    with pytest.raises(ConfigurationError, match="--foreign is wrong"):
        download_limits("drop")
