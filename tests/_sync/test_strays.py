# Generated from tests/_async/test_strays.py by tools/unasync.py. Do not edit.
"""Files without a record: what is told, what may go, and what is none because it is under way."""

from __future__ import annotations

from collections.abc import Iterator
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
from .world import LENA, MAX, World

GONE = "02" + "0" * 30
_HOUR = timedelta(hours=1)


def scene() -> tuple[World, CharacterImage]:
    """Return a world with a reference and a scene."""
    world = ready()
    world.service.generate_reference(LENA, prompt="one")
    return world, (world.service.generate_scene(LENA, "two")).image


def save(world: World, key: str) -> None:
    world.media.save(upload(key, filename=f"scene-{key}.png"))


def findings(world: World, character_id: str | None = None, **how: Any) -> list[Finding]:
    return list((world.service.verify(character_id, **how)).findings)


@pytest.mark.parametrize("character_id", [None, LENA])
@pytest.mark.parametrize("all_go", [False, True])
def test_a_file_that_was_removed_and_came_back_is_told_then_goes(
    all_go: bool, character_id: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, image = scene()
    if all_go:
        world.service.delete_all_images(LENA)
    else:
        world.service.delete_image(LENA, image.id)
    save(world, image.key)
    # What was removed just now may be on its way out.
    assert findings(world, character_id) == []
    monkeypatch.setattr("charimg._sync.strays._SKEW", -_HOUR)
    (found,) = findings(world, character_id)
    assert (found.kind, found.outcome, found.key) == ("unknown-file", "told", image.key)
    assert found.character_id == LENA
    assert world.media.get(image.key) is not None
    (removed,) = findings(world, character_id, repair=True)
    assert removed == evolve(found, outcome="removed")
    assert findings(world, character_id) == []
    world.check()


def test_a_file_that_its_operation_never_settled_goes() -> None:
    world, _ = scene()
    key = f"{GONE}-000"
    item = OperationItem(key=key, index=0)
    left_behind(world, id=GONE, kind="scene", state=OperationState.FAILED, items=(item,))
    save(world, key)
    (found,) = findings(world, LENA)
    assert "ended without it" in found.message
    report = world.service.verify(repair=True)
    assert (report.removed, report.unresolved) == (1, 0)
    world.check()


def test_a_file_whose_record_something_else_deleted_is_told_and_stays() -> None:
    world, image = scene()
    data = world.bytes_of(image)
    world.metadata.delete(image.id)
    for character_id in (None, LENA):
        (found,) = findings(world, character_id, repair=True)
        assert (found.kind, found.outcome) == ("unknown-file", "told")
        assert "never removed it" in found.message
    assert world.bytes_of(image) == data


def test_files_that_the_ledger_does_not_know_are_told_and_stay() -> None:
    world, image = scene()
    foreign, unknown = "holiday", f"{GONE}-000"
    odd = f"{image.key[:-3]}777"
    for key in (foreign, unknown, odd):
        save(world, key)
    for repair in (False, True):
        report = world.service.verify(repair=repair)
        assert {each.kind for each in report.findings} == {"foreign-file", "unknown-file"}
        assert {each.outcome for each in report.findings} == {"told"}
        assert {each.key for each in report.findings if each.kind == "unknown-file"} == {
            unknown,
            odd,
        }
        assert (report.unresolved, report.removed) == (2, 0)
    for key in (foreign, unknown, odd):
        assert world.media.get(key) is not None
    assert findings(world, LENA) == []


def test_what_a_repair_left_that_was_broken_off_goes() -> None:
    world, image = scene()
    save(world, f"{image.key}-trial")
    (found,) = findings(world)
    assert (found.kind, found.outcome) == ("unknown-file", "told")
    (removed,) = findings(world, repair=True)
    assert removed.outcome == "removed"
    world.check()


def test_an_operation_that_is_open_is_told_and_its_file_is_none_of_these() -> None:
    world, _ = scene()
    key = f"{GONE}-000"
    item = OperationItem(key=key, index=0)
    op = left_behind(world, id=GONE, kind="scene", state=OperationState.RECEIVED, items=(item,))
    save(world, key)
    for character_id in (None, LENA):
        (found,) = findings(world, character_id, repair=True)
        assert (found.kind, found.operation_id) == ("open-operation", op.id)
        assert "received" in found.message
    assert world.media.get(key) is not None
    assert findings(world, MAX) == []


def test_a_generation_that_runs_meanwhile_is_not_disturbed_and_not_mistaken() -> None:
    world, old = scene()
    world.stores.spoil(old.key, lambda _: None)
    seen: list[Finding] = []
    verify = world.service.verify

    class Looked:
        """A repository that is verified, and repaired, between a file and its record."""

        def __init__(self, metadata: Any) -> None:
            self._metadata = metadata

        def __getattr__(self, name: str) -> Any:
            return getattr(self._metadata, name)

        def add(self, image: CharacterImage) -> Any:
            for character_id in (None, LENA):
                seen.extend((verify(character_id, repair=True)).findings)
            with pytest.raises(GenerationInProgress):
                world.service.bring_back(LENA, old.id)
            return self._metadata.add(image)

    service = world.assemble(metadata=Looked(world.metadata))
    image = (service.generate_scene(LENA, "three")).image
    assert [(each.kind, each.outcome) for each in seen] == [
        ("lost", "told"),
        ("open-operation", "told"),
    ] * 2
    assert "Another operation" in seen[0].message
    assert world.bytes_of(image)
    assert (world.service.verify(repair=True)).repaired == 1
    assert findings(world) == []
    world.check()


def test_what_is_deleted_while_it_is_looked_at_is_no_damage() -> None:
    world, image = scene()

    class Late:
        """A repository whose image is deleted after it was listed."""

        def __init__(self, metadata: Any) -> None:
            self._metadata = metadata

        def __getattr__(self, name: str) -> Any:
            return getattr(self._metadata, name)

        def list(self, *args: Any, **options: Any) -> ImagePage:
            page: ImagePage = self._metadata.list(*args, **options)
            if options.get("limit") != 1 and self._metadata.get(image.id) is not None:
                world.service.delete_image(LENA, image.id)
            return page

    service = world.assemble(metadata=Late(world.metadata))
    report = service.verify(repair=True)
    assert (report.images, report.findings) == (2, ())
    world.check()


def test_what_comes_in_while_it_is_looked_at_is_known() -> None:
    world, _ = scene()

    class Late:
        """A store that has a new image when it lists its files."""

        def __init__(self, media: Any) -> None:
            self._media = media

        def __getattr__(self, name: str) -> Any:
            return getattr(self._media, name)

        def list_keys(self) -> Iterator[str]:
            keys = self._media.list_keys()
            world.service.generate_scene(LENA, "three")
            yield (world.images())[0].key
            for key in keys:
                yield f"{key}"

    report = world.assemble(media=Late(world.media)).verify(repair=True)
    assert (report.images, report.findings) == (2, ())
    world.check()


def test_a_stray_that_becomes_known_before_it_goes_stays() -> None:
    world, image = scene()
    world.service.delete_image(LENA, image.id)
    save(world, image.key)
    media = world.media.get(image.key)

    class Late:
        """A ledger that has the record back before it gives the lease."""

        def __init__(self, ledger: Any) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ledger, name)

        def acquire(self, *args: Any, **options: Any) -> Any:
            world.metadata.add(evolve(image, media=media))
            return self._ledger.acquire(*args, **options)

    service = world.assemble(ledger=Late(world.ledger))
    assert (service.verify(LENA, repair=True)).removed == 0
    assert world.media.get(image.key) is not None


def test_a_stray_stays_while_somebody_works_on_its_character() -> None:
    world, image = scene()
    world.service.delete_image(LENA, image.id)
    save(world, image.key)
    lease = world.ledger.acquire(LENA, owner="another", ttl=1000)
    (found,) = findings(world, repair=True)
    assert (found.kind, found.outcome) == ("unknown-file", "told")
    assert "Another operation" in found.message
    world.ledger.release(lease)

    class Stubborn:
        """A store that does not delete."""

        def __init__(self, media: Any) -> None:
            self._media = media
            self.locked = True

        def __getattr__(self, name: str) -> Any:
            return getattr(self._media, name)

        def delete(self, key: str) -> bool:
            if self.locked:
                raise StorageError(f"Media {key} is locked.")
            return False

    stubborn = Stubborn(world.media)
    service = world.assemble(media=stubborn)
    (found,) = (service.verify(repair=True)).findings
    assert (found.outcome, found.message.endswith("is locked.")) == ("failed", True)
    # Somebody else was faster.
    stubborn.locked = False
    assert (service.verify(repair=True)).findings == ()


class Bare:
    """A store that has the port's methods, and no others."""

    concurrent_safe = False

    def __init__(self, media: Any) -> None:
        self.save, self.open, self.get = media.save, media.open, media.get
        self.delete, self.locate = media.delete, media.locate


def test_a_store_with_the_bare_port_is_mended_by_it() -> None:
    world, image = scene()
    reference = next(each for each in world.images() if each.id != image.id)
    data = [world.bytes_of(each) for each in (image, reference)]
    save(world, "holiday")
    world.stores.spoil(image.key, lambda _: None)
    world.stores.spoil(reference.key, lambda data: data[:-1] + b"?")
    service = world.assemble(media=Bare(world.media))
    report = service.verify(repair=True)
    assert [(each.kind, each.outcome) for each in report.findings] == [
        ("lost", "repaired"),
        ("altered", "repaired"),
    ]
    assert report.files is None
    assert [world.bytes_of(each) for each in (image, reference)] == data


def test_a_store_that_changes_what_it_takes_in_is_found_out() -> None:
    world, image = scene()
    world.stores.spoil(image.key, lambda _: None)

    class Changing(Bare):
        def save(self, given: Any) -> Any:
            return world.media.save(upload(given.key, filename=given.filename))

    bare: Any = Changing.__new__(Changing)
    bare.open, bare.get, bare.delete = world.media.open, world.media.get, world.media.delete
    bare.locate = world.media.locate
    with pytest.raises(StorageError, match="not kept"):
        world.assemble(media=bare).bring_back(LENA, image.id)


def test_who_the_characters_are_is_asked_where_it_can_be_told() -> None:
    world, image = scene()
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
    assert (service.verify()).unresolved == 1
    service = world.assemble(metadata=Unlisted(world.metadata), directory=Unlisted(world.directory))
    with pytest.raises(ConfigurationError, match="Name the character"):
        service.verify()
    assert (service.verify(LENA)).unresolved == 1


def test_a_report_keeps_the_first_findings_and_tells_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("charimg._sync.verification._KEPT", 1)
    world, _ = scene()
    for image in world.images():
        world.stores.spoil(image.key, lambda _: None)
    events: list[VerificationProgressed] = []
    report = world.service.verify(on_progress=events.append)
    assert (len(report.findings), report.found["lost"], report.unresolved) == (1, 2, 2)
    assert sum(event.finding is not None for event in events) == 2


def test_only_an_image_of_the_character_that_had_a_file_is_brought_back() -> None:
    world, image = scene()
    world.link(MAX, library_db_id=world.simulator.add_character(name="Max"))
    with pytest.raises(ImageNotFound):
        world.service.bring_back(LENA, "nothing")
    with pytest.raises(ImageMismatch):
        world.service.bring_back(MAX, image.id)
    world.simulator.switches.file_errors = 9
    with pytest.raises(Exception, match="500"):
        world.service.generate_scene(LENA, "three")
    failed = next(each for each in world.images() if each.status == "failed")
    with pytest.raises(ImageMismatch, match="retry_ingestion"):
        world.service.bring_back(LENA, failed.id)


def test_an_image_that_is_deleted_before_its_turn_is_not_brought_back() -> None:
    world, image = scene()
    world.stores.spoil(image.key, lambda _: None)

    class Late:
        """A ledger that gives the lease once the image is gone."""

        def __init__(self, ledger: Any) -> None:
            self._ledger = ledger

        def __getattr__(self, name: str) -> Any:
            return getattr(self._ledger, name)

        def acquire(self, *args: Any, **options: Any) -> Any:
            world.metadata.delete(image.id)
            return self._ledger.acquire(*args, **options)

    service = world.assemble(ledger=Late(world.ledger))
    report = service.verify(repair=True)
    assert report.repaired == 0
    assert world.media.get(image.key) is None
    with pytest.raises(ImageNotFound):
        service.bring_back(LENA, image.id)


def test_everything_is_read_over_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("verification", "strays"):
        monkeypatch.setattr(f"charimg._sync.{name}._PAGE", 1)
    world, image = scene()
    world.service.generate_portfolio(LENA)
    world.service.delete_image(LENA, image.id)
    save(world, image.key)
    (found,) = findings(world, LENA, repair=True)
    assert (found.key, found.outcome) == (image.key, "removed")
    report = world.service.verify()
    expected = world.shots + 1
    assert (report.images, report.files, report.findings) == (expected, expected, ())
