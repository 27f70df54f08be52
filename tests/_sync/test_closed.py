# Generated from tests/_async/test_closed.py by tools/unasync.py. Do not edit.
"""A closed service refuses before it deletes or pays."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from charimg import (
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    ConfigurationError,
    Downloader,
    RemoteDelete,
    StorageError,
)
from charimg.testing import serve

from .mishaps import prompts, ready
from .world import LENA, URL

CALLS: dict[str, Callable[[Any, str], Any]] = {
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


def test_every_call_of_a_closed_service_is_refused() -> None:
    world = ready()
    image = (world.service.generate_reference(LENA, prompt="one")).image
    counts, requests = world.counts, len(world.simulator.requests)
    closed = world.assemble()
    closed.close()
    closed.close()
    for call in CALLS.values():
        with pytest.raises(ConfigurationError, match="service is closed"):
            call(closed, image.id)
    assert (world.counts, len(world.simulator.requests)) == (counts, requests)
    assert prompts(world) == ["one"]
    # What was handed in is still open, and still to be had.
    assert closed.library is not None
    assert closed.metadata is world.metadata


def test_a_closed_downloader_is_noticed_before_anything_is_deleted_or_paid_for() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    downloader = Downloader()
    downloader.close()
    service = world.assemble(downloader=downloader)
    for name in ("reference", "portfolio", "scene"):
        with pytest.raises(ConfigurationError, match="downloader is closed"):
            CALLS[name](service, "")
    assert world.counts == (1, 0, 0, 0)
    assert prompts(world) == ["one"]


def test_a_closed_client_is_noticed_before_anything_is_deleted() -> None:
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    library = CharacterLibrary(URL)
    library.close()
    service = world.assemble(library=library)
    for name in ("reference", "portfolio", "scene", "delete_image", "delete_all_images", "recover"):
        (image,) = world.images()
        with pytest.raises(ConfigurationError, match="is closed"):
            CALLS[name](service, image.id)
    assert world.counts == (1, 0, 0, 0)
    assert prompts(world) == ["one"]
    assert {each.remote_delete for each in world.operations()} == {RemoteDelete.NOT_DUE}


def test_with_stores_of_its_own(tmp_path: Path) -> None:
    with serve() as server:
        service = CharacterImageService.local(tmp_path, library=server.url)
        service.close()
        for name in ("reference", "list_images", "recover"):
            with pytest.raises(ConfigurationError, match="service is closed"):
                CALLS[name](service, "")
        assert server.simulator.counters.requests == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_under_way_ends_well_and_closes_what_is_owned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with serve() as server:
        db_id = server.simulator.add_character(name="Lena")
        service = CharacterImageService.local(tmp_path, library=server.url)
        service.put_character(CharacterReference(id=LENA, name="Lena", library_db_id=db_id))
        save, seen = service.media.save, []

        def closed_meanwhile(upload: Any, /) -> Any:
            service.close()
            seen.append(upload.key)
            with pytest.raises(ConfigurationError, match="service is closed"):
                service.recover()
            return save(upload)

        monkeypatch.setattr(service.media, "save", closed_meanwhile)
        result = service.generate_reference(LENA, prompt="one")
        assert seen == [result.image.key]
        said = [each for each in caplog.records if each.message == "service.closing"]
        assert [each.__dict__["character_ids"] for each in said] == [(LENA,)]
        with pytest.raises(StorageError, match="is closed"):
            service.ledger.get("f" * 32)
        after = CharacterImageService.local(tmp_path, library=server.url)
        after.generate_scene(LENA, "A scene.")
        assert (after.list_images(LENA)).total == 2
        after.close()


def test_what_cannot_be_closed_takes_no_image_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = ready()
    service, save = world.assemble(), world.media.save

    def fail() -> None:
        raise StorageError("It cannot be closed.")

    def closed_meanwhile(upload: Any, /) -> Any:
        service.close()
        return save(upload)

    service._underway.owned.callback(fail)
    monkeypatch.setattr(world.media, "save", closed_meanwhile)
    service.generate_reference(LENA, prompt="one")
    assert "service.unclosed" in caplog.messages
    assert prompts(world) == ["one"]


def test_a_forked_child_waits_for_nobody_in_the_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = ready()
    ended: list[str] = []

    def end() -> None:
        ended.append("closed")

    world.service._underway.owned.callback(end)
    with world.service._underway.working(LENA):
        parent = os.getpid()
        with monkeypatch.context() as forked:
            forked.setattr(os, "getpid", lambda: parent + 1)
            world.service.recover()
            assert ended == []
            world.service.close()
            assert ended == ["closed"]


def test_in_a_forked_child_nothing_of_the_parents_is_under_way() -> None:
    world = ready()
    world.service._assembled.underway._process = 0
    world.service.generate_reference(LENA, prompt="one")
    assert prompts(world) == ["one"]
