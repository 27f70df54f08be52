"""A closed service refuses before it deletes or pays."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterReference,
    ConfigurationError,
    RemoteDelete,
    StorageError,
)
from charimg.testing import serve

from .mishaps import prompts, ready
from .world import LENA, URL

pytestmark = pytest.mark.anyio

CALLS: dict[str, Callable[[Any, str], Awaitable[Any]]] = {
    "put_character": lambda service, _: service.put_character(
        CharacterReference(id=LENA, name="Lena")
    ),
    "suggest_prompt": lambda service, _: service.suggest_prompt(LENA),
    "reference": lambda service, _: service.generate_reference(LENA, prompt="two"),
    "portfolio": lambda service, _: service.generate_portfolio(LENA),
    "scene": lambda service, _: service.generate_scene(LENA, "A scene."),
    "list_images": lambda service, _: service.list_images(LENA),
    "get_image": lambda service, image_id: service.get_image(LENA, image_id),
    "list_operations": lambda service, _: service.list_operations(LENA),
    "delete_image": lambda service, image_id: service.delete_image(LENA, image_id),
    "delete_all_images": lambda service, _: service.delete_all_images(LENA),
    "restore": lambda service, image_id: service.restore_reference(LENA, image_id),
    "retry": lambda service, image_id: service.retry_ingestion(LENA, image_id),
    "recover": lambda service, _: service.recover(),
    "candidates": lambda service, _: service.candidates("f" * 32),
    "fetch_candidate": lambda service, _: service.fetch_candidate("f" * 32, "m"),
    "settle": lambda service, _: service.settle("f" * 32),
    "verify": lambda service, _: service.verify(),
    "bring_back": lambda service, image_id: service.bring_back(LENA, image_id),
}


async def test_every_call_of_a_closed_service_is_refused() -> None:
    world = await ready()
    image = (await world.service.generate_reference(LENA, prompt="one")).image
    counts, requests = world.counts, len(world.simulator.requests)
    closed = world.assemble()
    await closed.aclose()
    await closed.aclose()
    for call in CALLS.values():
        with pytest.raises(ConfigurationError, match="service is closed"):
            await call(closed, image.id)
    assert (world.counts, len(world.simulator.requests)) == (counts, requests)
    assert await prompts(world) == ["one"]
    # What was handed in is still open, and still to be had.
    assert closed.library is not None
    assert closed.metadata is world.metadata


async def test_a_closed_downloader_is_noticed_before_anything_is_deleted_or_paid_for() -> None:
    world = await ready()
    await world.service.generate_reference(LENA, prompt="one")
    downloader = AsyncDownloader()
    await downloader.aclose()
    service = world.assemble(downloader=downloader)
    for name in ("reference", "portfolio", "scene"):
        with pytest.raises(ConfigurationError, match="downloader is closed"):
            await CALLS[name](service, "")
    assert world.counts == (1, 0, 0, 0)
    assert await prompts(world) == ["one"]


async def test_a_closed_client_is_noticed_before_anything_is_deleted() -> None:
    world = await ready()
    await world.service.generate_reference(LENA, prompt="one")
    library = AsyncCharacterLibrary(URL)
    await library.aclose()
    service = world.assemble(library=library)
    for name in ("reference", "portfolio", "scene", "delete_image", "delete_all_images", "recover"):
        (image,) = await world.images()
        with pytest.raises(ConfigurationError, match="is closed"):
            await CALLS[name](service, image.id)
    assert world.counts == (1, 0, 0, 0)
    assert await prompts(world) == ["one"]
    assert {each.remote_delete for each in await world.operations()} == {RemoteDelete.NOT_DUE}


async def test_with_stores_of_its_own(tmp_path: Path) -> None:
    with serve() as server:
        service = AsyncCharacterImageService.local(tmp_path, library=server.url)
        await service.aclose()
        for name in ("reference", "list_images", "recover"):
            with pytest.raises(ConfigurationError, match="service is closed"):
                await CALLS[name](service, "")
        assert server.simulator.counters.requests == 0
    assert list(tmp_path.iterdir()) == []


async def test_what_is_under_way_ends_well_and_closes_what_is_owned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serve() as server:
        db_id = server.simulator.add_character(name="Lena")
        service = AsyncCharacterImageService.local(tmp_path, library=server.url)
        await service.put_character(CharacterReference(id=LENA, name="Lena", library_db_id=db_id))
        save, seen = service.media.save, []

        async def closed_meanwhile(upload: Any, /) -> Any:
            await service.aclose()
            seen.append(upload.key)
            with pytest.raises(ConfigurationError, match="service is closed"):
                await service.recover()
            return await save(upload)

        monkeypatch.setattr(service.media, "save", closed_meanwhile)
        result = await service.generate_reference(LENA, prompt="one")
        assert seen == [result.image.key]
        said = [each for each in caplog.records if each.message == "service.closing"]
        assert [each.__dict__["character_ids"] for each in said] == [(LENA,)]
        with pytest.raises(StorageError, match="is closed"):
            await service.ledger.get("f" * 32)
        after = AsyncCharacterImageService.local(tmp_path, library=server.url)
        await after.generate_scene(LENA, "A scene.")
        assert (await after.list_images(LENA)).total == 2
        await after.aclose()


async def test_what_cannot_be_closed_takes_no_image_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = await ready()
    service, save = world.assemble(), world.media.save

    async def fail() -> None:
        raise StorageError("It cannot be closed.")

    async def closed_meanwhile(upload: Any, /) -> Any:
        await service.aclose()
        return await save(upload)

    service._underway.owned.push_async_callback(fail)
    monkeypatch.setattr(world.media, "save", closed_meanwhile)
    await service.generate_reference(LENA, prompt="one")
    assert "service.unclosed" in caplog.messages
    assert await prompts(world) == ["one"]


async def test_a_forked_child_waits_for_nobody_in_the_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await ready()
    ended: list[str] = []

    async def end() -> None:
        ended.append("closed")

    world.service._underway.owned.push_async_callback(end)
    async with world.service._underway.working(LENA):
        parent = os.getpid()
        with monkeypatch.context() as forked:
            forked.setattr(os, "getpid", lambda: parent + 1)
            await world.service.recover()
            assert ended == []
            await world.service.aclose()
            assert ended == ["closed"]


async def test_in_a_forked_child_nothing_of_the_parents_is_under_way() -> None:
    world = await ready()
    world.service._assembled.underway._process = 0
    await world.service.generate_reference(LENA, prompt="one")
    assert await prompts(world) == ["one"]
