"""Files without a record: what is told, what may go, and what is none because it is under way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from charimg import (
    CharacterImage,
    ConfigurationError,
    Finding,
    GenerationInProgress,
    ImageMismatch,
    ImageNotFound,
    ImagePage,
    OperationItem,
    OperationState,
    StorageError,
    VerificationProgressed,
)

from ..stores.payload.pictures import upload
from .mishaps import left_behind, ready
from .world import LENA, MAX, AsyncWorld

pytestmark = pytest.mark.anyio

GONE = "02" + "0" * 30
_HOUR = timedelta(hours=1)


async def scene() -> tuple[AsyncWorld, CharacterImage]:
    """Return a world with a reference and a scene."""
    world = await ready()
    await world.service.generate_reference(LENA, prompt="one")
    return world, (await world.service.generate_scene(LENA, "two")).image


async def save(world: AsyncWorld, key: str) -> None:
    await world.media.save(upload(key, filename=f"scene-{key}.png"))


async def findings(world: AsyncWorld, character_id: str | None = None, **how: Any) -> list[Finding]:
    return list((await world.service.verify(character_id, **how)).findings)


@pytest.mark.parametrize("character_id", [None, LENA])
@pytest.mark.parametrize("all_go", [False, True])
async def test_a_file_that_was_removed_and_came_back_is_told_then_goes(
    all_go: bool, character_id: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, image = await scene()
    if all_go:
        await world.service.delete_all_images(LENA)
    else:
        await world.service.delete_image(LENA, image.id)
    await save(world, image.key)
    # What was removed just now may be on its way out.
    assert await findings(world, character_id) == []
    monkeypatch.setattr("charimg._async.strays._SKEW", -_HOUR)
    (found,) = await findings(world, character_id)
    assert (found.kind, found.outcome, found.key) == ("unknown-file", "told", image.key)
    assert found.character_id == LENA
    assert await world.media.get(image.key) is not None
    (removed,) = await findings(world, character_id, repair=True)
    assert removed == evolve(found, outcome="removed")
    assert await findings(world, character_id) == []
    await world.check()


async def test_a_file_that_its_operation_never_settled_goes() -> None:
    world, _ = await scene()
    key = f"{GONE}-000"
    item = OperationItem(key=key, index=0)
    await left_behind(world, id=GONE, kind="scene", state=OperationState.FAILED, items=(item,))
    await save(world, key)
    (found,) = await findings(world, LENA)
    assert "ended without it" in found.message
    report = await world.service.verify(repair=True)
    assert (report.removed, report.unresolved) == (1, 0)
    await world.check()


async def test_a_file_whose_record_something_else_deleted_is_told_and_stays() -> None:
    world, image = await scene()
    data = await world.bytes_of(image)
    await world.metadata.delete(image.id)
    for character_id in (None, LENA):
        (found,) = await findings(world, character_id, repair=True)
        assert (found.kind, found.outcome) == ("unknown-file", "told")
        assert "never removed it" in found.message
    assert await world.bytes_of(image) == data


async def test_files_that_the_ledger_does_not_know_are_told_and_stay() -> None:
    world, image = await scene()
    foreign, unknown = "holiday", f"{GONE}-000"
    odd = f"{image.key[:-3]}777"
    for key in (foreign, unknown, odd):
        await save(world, key)
    for repair in (False, True):
        report = await world.service.verify(repair=repair)
        assert {each.kind for each in report.findings} == {"foreign-file", "unknown-file"}
        assert {each.outcome for each in report.findings} == {"told"}
        assert {each.key for each in report.findings if each.kind == "unknown-file"} == {
            unknown,
            odd,
        }
        assert (report.unresolved, report.removed) == (2, 0)
    for key in (foreign, unknown, odd):
        assert await world.media.get(key) is not None
    assert await findings(world, LENA) == []


async def test_what_a_repair_left_that_was_broken_off_goes() -> None:
    world, image = await scene()
    await save(world, f"{image.key}-trial")
    (found,) = await findings(world)
    assert (found.kind, found.outcome) == ("unknown-file", "told")
    (removed,) = await findings(world, repair=True)
    assert removed.outcome == "removed"
    await world.check()


async def test_an_operation_that_is_open_is_told_and_its_file_is_none_of_these() -> None:
    world, _ = await scene()
    key = f"{GONE}-000"
    item = OperationItem(key=key, index=0)
    op = await left_behind(
        world, id=GONE, kind="scene", state=OperationState.RECEIVED, items=(item,)
    )
    await save(world, key)
    for character_id in (None, LENA):
        (found,) = await findings(world, character_id, repair=True)
        assert (found.kind, found.operation_id) == ("open-operation", op.id)
        assert "received" in found.message
    assert await world.media.get(key) is not None
    assert await findings(world, MAX) == []


async def test_a_generation_that_runs_meanwhile_is_not_disturbed_and_not_mistaken() -> None:
    world, old = await scene()
    world.stores.spoil(old.key, lambda _: None)
    seen: list[Finding] = []
    verify = world.service.verify

    class Looked:
        """A repository that is verified, and repaired, between a file and its record."""

        def __init__(self, metadata: Any) -> None:
            self._metadata = metadata

        def __getattr__(self, name: str) -> Any:
            return getattr(self._metadata, name)

        async def add(self, image: CharacterImage) -> Any:
            for character_id in (None, LENA):
                seen.extend((await verify(character_id, repair=True)).findings)
            with pytest.raises(GenerationInProgress):
                await world.service.bring_back(LENA, old.id)
            return await self._metadata.add(image)

    service = world.assemble(metadata=Looked(world.metadata))
    image = (await service.generate_scene(LENA, "three")).image
    assert [(each.kind, each.outcome) for each in seen] == [
        ("lost", "told"),
        ("open-operation", "told"),
    ] * 2
    assert "Another operation" in seen[0].message
    assert await world.bytes_of(image)
    assert (await world.service.verify(repair=True)).repaired == 1
    assert await findings(world) == []
    await world.check()


async def test_what_is_deleted_while_it_is_looked_at_is_no_damage() -> None:
    world, image = await scene()

    class Late:
        """A repository whose image is deleted after it was listed."""

        def __init__(self, metadata: Any) -> None:
            self._metadata = metadata

        def __getattr__(self, name: str) -> Any:
            return getattr(self._metadata, name)

        async def list(self, *args: Any, **options: Any) -> ImagePage:
            page: ImagePage = await self._metadata.list(*args, **options)
            if options.get("limit") != 1 and await self._metadata.get(image.id) is not None:
                await world.service.delete_image(LENA, image.id)
            return page

    service = world.assemble(metadata=Late(world.metadata))
    report = await service.verify(repair=True)
    assert (report.images, report.findings) == (2, ())
    await world.check()


async def test_what_comes_in_while_it_is_looked_at_is_known() -> None:
    world, _ = await scene()

    class Late:
        """A store that has a new image when it lists its files."""

        def __init__(self, media: Any) -> None:
            self._media = media

        def __getattr__(self, name: str) -> Any:
            return getattr(self._media, name)

        async def list_keys(self) -> AsyncIterator[str]:
            keys = self._media.list_keys()
            await world.service.generate_scene(LENA, "three")
            yield (await world.images())[0].key
            async for key in keys:
                yield f"{key}"

    report = await world.assemble(media=Late(world.media)).verify(repair=True)
    assert (report.images, report.findings) == (2, ())
    await world.check()


async def test_a_stray_that_becomes_known_before_it_goes_stays() -> None:
    world, image = await scene()
    await world.service.delete_image(LENA, image.id)
    await save(world, image.key)
    media = await world.media.get(image.key)

    class Late:
        """A ledger that has the record back before it gives the lease."""

        def __init__(self, ledger: Any) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ledger, name)

        async def acquire(self, *args: Any, **options: Any) -> Any:
            await world.metadata.add(evolve(image, media=media))
            return await self._ledger.acquire(*args, **options)

    service = world.assemble(ledger=Late(world.ledger))
    assert (await service.verify(LENA, repair=True)).removed == 0
    assert await world.media.get(image.key) is not None


async def test_a_stray_stays_while_somebody_works_on_its_character() -> None:
    world, image = await scene()
    await world.service.delete_image(LENA, image.id)
    await save(world, image.key)
    lease = await world.ledger.acquire(LENA, owner="another", ttl=1000)
    (found,) = await findings(world, repair=True)
    assert (found.kind, found.outcome) == ("unknown-file", "told")
    assert "Another operation" in found.message
    await world.ledger.release(lease)

    class Stubborn:
        """A store that does not delete."""

        def __init__(self, media: Any) -> None:
            self._media = media
            self.locked = True

        def __getattr__(self, name: str) -> Any:
            return getattr(self._media, name)

        async def delete(self, key: str) -> bool:
            if self.locked:
                raise StorageError(f"Media {key} is locked.")
            return False

    stubborn = Stubborn(world.media)
    service = world.assemble(media=stubborn)
    (found,) = (await service.verify(repair=True)).findings
    assert (found.outcome, found.message.endswith("is locked.")) == ("failed", True)
    # Somebody else was faster.
    stubborn.locked = False
    assert (await service.verify(repair=True)).findings == ()


class Bare:
    """A store that has the port's methods, and no others."""

    concurrent_safe = False

    def __init__(self, media: Any) -> None:
        self.save, self.open, self.get = media.save, media.open, media.get
        self.delete, self.locate = media.delete, media.locate


async def test_a_store_with_the_bare_port_is_mended_by_it() -> None:
    world, image = await scene()
    reference = next(each for each in await world.images() if each.id != image.id)
    data = [await world.bytes_of(each) for each in (image, reference)]
    await save(world, "holiday")
    world.stores.spoil(image.key, lambda _: None)
    world.stores.spoil(reference.key, lambda data: data[:-1] + b"?")
    service = world.assemble(media=Bare(world.media))
    report = await service.verify(repair=True)
    assert [(each.kind, each.outcome) for each in report.findings] == [
        ("lost", "repaired"),
        ("altered", "repaired"),
    ]
    assert report.files is None
    assert [await world.bytes_of(each) for each in (image, reference)] == data


async def test_a_store_that_changes_what_it_takes_in_is_found_out() -> None:
    world, image = await scene()
    world.stores.spoil(image.key, lambda _: None)

    class Changing(Bare):
        async def save(self, given: Any) -> Any:
            return await world.media.save(upload(given.key, filename=given.filename))

    bare: Any = Changing.__new__(Changing)
    bare.open, bare.get, bare.delete = world.media.open, world.media.get, world.media.delete
    bare.locate = world.media.locate
    with pytest.raises(StorageError, match="not kept"):
        await world.assemble(media=bare).bring_back(LENA, image.id)


async def test_who_the_characters_are_is_asked_where_it_can_be_told() -> None:
    world, image = await scene()
    world.stores.spoil(image.key, lambda _: None)

    class Unlisted:
        """A port that cannot tell what it holds."""

        def __init__(self, port: Any) -> None:
            self._port = port

        def __getattr__(self, name: str) -> Any:
            if name in ("character_ids", "list_all"):
                raise AttributeError(name)
            return getattr(self._port, name)

    service = world.assemble(metadata=Unlisted(world.metadata))
    assert (await service.verify()).unresolved == 1
    service = world.assemble(metadata=Unlisted(world.metadata), directory=Unlisted(world.directory))
    with pytest.raises(ConfigurationError, match="Name the character"):
        await service.verify()
    assert (await service.verify(LENA)).unresolved == 1


async def test_a_report_keeps_the_first_findings_and_tells_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("charimg._async.verification._KEPT", 1)
    world, _ = await scene()
    for image in await world.images():
        world.stores.spoil(image.key, lambda _: None)
    events: list[VerificationProgressed] = []
    report = await world.service.verify(on_progress=events.append)
    assert (len(report.findings), report.found["lost"], report.unresolved) == (1, 2, 2)
    assert sum(event.finding is not None for event in events) == 2


async def test_only_an_image_of_the_character_that_had_a_file_is_brought_back() -> None:
    world, image = await scene()
    await world.link(MAX, library_db_id=world.simulator.add_character(name="Max"))
    with pytest.raises(ImageNotFound):
        await world.service.bring_back(LENA, "nothing")
    with pytest.raises(ImageMismatch):
        await world.service.bring_back(MAX, image.id)
    world.simulator.switches.file_errors = 9
    with pytest.raises(Exception, match="500"):
        await world.service.generate_scene(LENA, "three")
    failed = next(each for each in await world.images() if each.status == "failed")
    with pytest.raises(ImageMismatch, match="retry_ingestion"):
        await world.service.bring_back(LENA, failed.id)


async def test_an_image_that_is_deleted_before_its_turn_is_not_brought_back() -> None:
    world, image = await scene()
    world.stores.spoil(image.key, lambda _: None)

    class Late:
        """A ledger that gives the lease once the image is gone."""

        def __init__(self, ledger: Any) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ledger, name)

        async def acquire(self, *args: Any, **options: Any) -> Any:
            await world.metadata.delete(image.id)
            return await self._ledger.acquire(*args, **options)

    service = world.assemble(ledger=Late(world.ledger))
    report = await service.verify(repair=True)
    assert report.repaired == 0
    assert await world.media.get(image.key) is None
    with pytest.raises(ImageNotFound):
        await service.bring_back(LENA, image.id)


async def test_everything_is_read_over_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("verification", "strays"):
        monkeypatch.setattr(f"charimg._async.{name}._PAGE", 1)
    world, image = await scene()
    await world.service.generate_portfolio(LENA)
    await world.service.delete_image(LENA, image.id)
    await save(world, image.key)
    (found,) = await findings(world, LENA, repair=True)
    assert (found.key, found.outcome) == (image.key, "removed")
    report = await world.service.verify()
    expected = world.shots + 1
    assert (report.images, report.files, report.findings) == (expected, expected, ())
