"""The embedded default: disk and SQLite below one directory."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterReference,
    ConfigurationError,
    DownloadLimits,
    Media,
    PromptSuggestion,
    TemplatePromptSuggester,
)
from charimg.stores import (
    AsyncPayloadCharacterDirectory,
    AsyncPayloadMediaStore,
    AsyncPayloadMetadataRepository,
    AsyncS3MediaStore,
)
from charimg.testing import Simulator

from ..patience import FAST
from .world import LENA, URL

pytestmark = pytest.mark.anyio


async def test_local_works_on_real_files_and_survives_a_restart(tmp_path: Path) -> None:
    simulator = Simulator(base_url=URL)
    client = httpx.AsyncClient(transport=simulator.transport())
    library = AsyncCharacterLibrary(URL, client=client)
    downloader = AsyncDownloader(client=client)
    character = CharacterReference(
        id=LENA, name="Lena", library_db_id=simulator.add_character(name="Lena")
    )
    async with AsyncCharacterImageService.local(
        tmp_path / "new" / "data", library=library, downloader=downloader, job_policy=FAST
    ) as service:
        await service.put_character(character)
        await service.generate_reference(LENA)
        portfolio = await service.generate_portfolio(LENA)
        assert len(portfolio.images) == 27
    async with AsyncCharacterImageService.local(
        tmp_path / "new" / "data", library=library, downloader=downloader
    ) as service:
        images = [image async for image in service.iter_images(LENA)]
        assert len(images) == 28
        for image in images:
            assert image.media is not None
            assert await service.media.get(image.media.key) is not None
        assert (tmp_path / "new" / "data" / "charimg.sqlite").is_file()
        assert (await service.recover()).operations == ()
    assert not client.is_closed
    await client.aclose()


async def test_local_takes_a_base_url_and_closes_what_it_made(tmp_path: Path) -> None:
    service = AsyncCharacterImageService.local(tmp_path, library="https://library.example/base/")
    assert service.library.base_url == "https://library.example/base"
    await service.aclose()
    await service.aclose()


@pytest.mark.heavy
async def test_stores_on_servers_by_url_are_not_asked_before_they_are_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", "https://library.example")
    for name in ("CHARACTERS", "METADATA", "MEDIA"):
        monkeypatch.setenv(f"CHARIMG_{name}", "payload+https://cms.example")
    monkeypatch.setenv("PAYLOAD_API_KEY", "a-key")
    async with AsyncCharacterImageService.from_env() as service:
        made = (service.directory, service.metadata, service.media)
        assert [type(each) for each in made] == [
            AsyncPayloadCharacterDirectory,
            AsyncPayloadMetadataRepository,
            AsyncPayloadMediaStore,
        ]
    monkeypatch.setenv("CHARIMG_METADATA", "sqlite:///charimg.sqlite")
    monkeypatch.setenv("CHARIMG_MEDIA", "s3://bucket?region=auto&endpoint=http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    async with AsyncCharacterImageService.from_env() as service:
        assert type(service.media) is AsyncS3MediaStore


async def test_from_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="CHARACTER_LIBRARY_API_URL"):
        AsyncCharacterImageService.from_env()
    monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", "https://library.example")
    async with AsyncCharacterImageService.from_env() as service:
        assert service.library.base_url == "https://library.example"
        assert await service.directory.get("nobody") is None
        assert await service.ledger.unfinished() == ()
        assert (await service.metadata.list("nobody")).total == 0
    assert (tmp_path / "charimg-data" / "charimg.sqlite").is_file()
    monkeypatch.setenv("CHARIMG_DIR", str(tmp_path / "elsewhere"))
    async with AsyncCharacterImageService.from_env() as service:
        assert await service.directory.get("nobody") is None
    assert (tmp_path / "elsewhere" / "charimg.sqlite").is_file()
    monkeypatch.setenv("CHARIMG_MEDIA_URL", "https://cdn.example/media/")
    async with AsyncCharacterImageService.from_env() as service:
        media = service.media.locate(Media(id="k", key="k", filename="k.png", mime_type="", size=1))
    assert (media.url or "").startswith("https://cdn.example/media/")
    monkeypatch.setenv("CHARIMG_ALLOWED_ORIGINS", "http://127.0.0.1:1/a")
    with pytest.raises(ConfigurationError, match="CHARIMG_ALLOWED_ORIGINS is wrong"):
        AsyncCharacterImageService.from_env()
    async with (
        AsyncDownloader() as mine,
        AsyncCharacterImageService.from_env(downloader=mine) as service,
    ):
        assert service._parts.downloader is mine
    monkeypatch.setenv("CHARIMG_ALLOWED_ORIGINS", " http://10.0.0.5:9000 https://b.internal\n")
    async with AsyncCharacterImageService.from_env() as service:
        rules = service._parts.downloader._policy
    assert rules.exempt == {"http://10.0.0.5:9000", "https://b.internal"}
    monkeypatch.setenv("CHARIMG_FOREIGN", "keep")
    async with AsyncCharacterImageService.from_env() as service:
        assert service._parts.downloader._limits == DownloadLimits(foreign="keep")
    monkeypatch.setenv("CHARIMG_FOREIGN", "drop")
    with pytest.raises(ConfigurationError, match="CHARIMG_FOREIGN is wrong"):
        AsyncCharacterImageService.from_env()
    monkeypatch.delenv("CHARIMG_FOREIGN")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHARIMG_DIR", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="not a directory"):
        AsyncCharacterImageService.from_env()


async def test_from_env_takes_the_suggester_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", "https://library.example")
    monkeypatch.setenv("CHARIMG_DIR", str(tmp_path))
    monkeypatch.setenv("CHARIMG_SUGGESTER", "charimg:TemplatePromptSuggester")
    monkeypatch.setattr("charimg.TemplatePromptSuggester", _Fixed)
    mine = TemplatePromptSuggester()
    async with AsyncCharacterImageService.from_env() as service:
        await service.put_character(CharacterReference(id="tom", name="Tom"))
        assert (await service.suggest_prompt("tom")).prompt == "Tom, as ever."
    async with AsyncCharacterImageService.from_env(suggester=mine) as service:
        assert service._parts.suggester is mine
    monkeypatch.setenv("CHARIMG_SUGGESTER", "charimg")
    with pytest.raises(ConfigurationError, match="CHARIMG_SUGGESTER must be module:attribute"):
        AsyncCharacterImageService.from_env()


class _Fixed:
    def suggest(self, character: CharacterReference, /) -> PromptSuggestion:
        return PromptSuggestion(prompt=f"{character.name}, as ever.", template="fixed/1", facts={})
