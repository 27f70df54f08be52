# Generated from tests/_async/test_assembly.py by tools/unasync.py. Do not edit.
"""The embedded default: disk and SQLite below one directory."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from charimg import (
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    ConfigurationError,
    Downloader,
    DownloadLimits,
    Media,
    PromptSuggestion,
    TemplatePromptSuggester,
)
from charimg.stores import (
    PayloadCharacterDirectory,
    PayloadMediaStore,
    PayloadMetadataRepository,
    S3MediaStore,
)
from charimg.testing import Simulator

from ..patience import FAST
from .world import LENA, URL


def test_local_works_on_real_files_and_survives_a_restart(tmp_path: Path) -> None:
    simulator = Simulator(base_url=URL)
    client = httpx.Client(transport=simulator.transport())
    library = CharacterLibrary(URL, client=client)
    downloader = Downloader(client=client)
    character = CharacterReference(
        id=LENA, name="Lena", library_db_id=simulator.add_character(name="Lena")
    )
    with CharacterImageService.local(
        tmp_path / "new" / "data", library=library, downloader=downloader, job_policy=FAST
    ) as service:
        service.put_character(character)
        service.generate_reference(LENA)
        portfolio = service.generate_portfolio(LENA)
        assert len(portfolio.images) == 27
    with CharacterImageService.local(
        tmp_path / "new" / "data", library=library, downloader=downloader
    ) as service:
        images = [image for image in service.iter_images(LENA)]
        assert len(images) == 28
        for image in images:
            assert image.media is not None
            assert service.media.get(image.media.key) is not None
        assert (tmp_path / "new" / "data" / "charimg.sqlite").is_file()
        assert (service.recover()).operations == ()
    assert not client.is_closed
    client.close()


def test_local_takes_a_base_url_and_closes_what_it_made(tmp_path: Path) -> None:
    service = CharacterImageService.local(tmp_path, library="https://library.example/base/")
    assert service.library.base_url == "https://library.example/base"
    service.close()
    service.close()


@pytest.mark.heavy
def test_stores_on_servers_by_url_are_not_asked_before_they_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", "https://library.example")
    for name in ("CHARACTERS", "METADATA", "MEDIA"):
        monkeypatch.setenv(f"CHARIMG_{name}", "payload+https://cms.example")
    monkeypatch.setenv("PAYLOAD_API_KEY", "a-key")
    with CharacterImageService.from_env() as service:
        made = (service.directory, service.metadata, service.media)
        assert [type(each) for each in made] == [
            PayloadCharacterDirectory,
            PayloadMetadataRepository,
            PayloadMediaStore,
        ]
    monkeypatch.setenv("CHARIMG_METADATA", "sqlite:///charimg.sqlite")
    monkeypatch.setenv("CHARIMG_MEDIA", "s3://bucket?region=auto&endpoint=http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    with CharacterImageService.from_env() as service:
        assert type(service.media) is S3MediaStore


def test_from_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="CHARACTER_LIBRARY_API_URL"):
        CharacterImageService.from_env()
    monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", "https://library.example")
    with CharacterImageService.from_env() as service:
        assert service.library.base_url == "https://library.example"
        assert service.directory.get("nobody") is None
        assert service.ledger.unfinished() == ()
        assert (service.metadata.list("nobody")).total == 0
    assert (tmp_path / "charimg-data" / "charimg.sqlite").is_file()
    monkeypatch.setenv("CHARIMG_DIR", str(tmp_path / "elsewhere"))
    with CharacterImageService.from_env() as service:
        assert service.directory.get("nobody") is None
    assert (tmp_path / "elsewhere" / "charimg.sqlite").is_file()
    monkeypatch.setenv("CHARIMG_MEDIA_URL", "https://cdn.example/media/")
    with CharacterImageService.from_env() as service:
        media = service.media.locate(Media(id="k", key="k", filename="k.png", mime_type="", size=1))
    assert (media.url or "").startswith("https://cdn.example/media/")
    monkeypatch.setenv("CHARIMG_ALLOWED_ORIGINS", "http://127.0.0.1:1/a")
    with pytest.raises(ConfigurationError, match="CHARIMG_ALLOWED_ORIGINS is wrong"):
        CharacterImageService.from_env()
    with (
        Downloader() as mine,
        CharacterImageService.from_env(downloader=mine) as service,
    ):
        assert service._parts.downloader is mine
    monkeypatch.setenv("CHARIMG_ALLOWED_ORIGINS", " http://10.0.0.5:9000 https://b.internal\n")
    with CharacterImageService.from_env() as service:
        rules = service._parts.downloader._policy
    assert rules.exempt == {"http://10.0.0.5:9000", "https://b.internal"}
    monkeypatch.setenv("CHARIMG_FOREIGN", "keep")
    with CharacterImageService.from_env() as service:
        assert service._parts.downloader._limits == DownloadLimits(foreign="keep")
    monkeypatch.setenv("CHARIMG_FOREIGN", "drop")
    with pytest.raises(ConfigurationError, match="CHARIMG_FOREIGN is wrong"):
        CharacterImageService.from_env()
    monkeypatch.delenv("CHARIMG_FOREIGN")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHARIMG_DIR", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="not a directory"):
        CharacterImageService.from_env()


def test_from_env_takes_the_suggester_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", "https://library.example")
    monkeypatch.setenv("CHARIMG_DIR", str(tmp_path))
    monkeypatch.setenv("CHARIMG_SUGGESTER", "charimg:TemplatePromptSuggester")
    monkeypatch.setattr("charimg.TemplatePromptSuggester", _Fixed)
    mine = TemplatePromptSuggester()
    with CharacterImageService.from_env() as service:
        service.put_character(CharacterReference(id="tom", name="Tom"))
        assert (service.suggest_prompt("tom")).prompt == "Tom, as ever."
    with CharacterImageService.from_env(suggester=mine) as service:
        assert service._parts.suggester is mine
    monkeypatch.setenv("CHARIMG_SUGGESTER", "charimg")
    with pytest.raises(ConfigurationError, match="CHARIMG_SUGGESTER must be module:attribute"):
        CharacterImageService.from_env()


class _Fixed:
    def suggest(self, character: CharacterReference, /) -> PromptSuggestion:
        return PromptSuggestion(prompt=f"{character.name}, as ever.", template="fixed/1", facts={})
