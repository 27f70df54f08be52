"""Records, files and ledger are read against each other; what can be brought back is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from charimg import (
    CharacterImage,
    Finding,
    IngestionError,
    MediaAltered,
    StorageError,
    Upload,
    VerificationProgressed,
    VerificationReport,
    to_json,
)
from charimg.stores import (
    AsyncDiskMediaStore,
    AsyncMemoryGenerationLedger,
    AsyncMemoryMetadataRepository,
)

from .world import LENA, MAX, AsyncWorld

pytestmark = pytest.mark.anyio

DAMAGES: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    "gone": (lambda _: None, "lost"),
    "cut off": (lambda data: data[:-7], "lost altered"),
    "a bit flipped": (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "altered"),
}


def told(report: VerificationReport) -> list[tuple[str, str]]:
    """Return kind and outcome of each finding that a host need not expect."""
    return [(each.kind, each.outcome) for each in report.findings]


async def drawn(**options: Any) -> tuple[AsyncWorld, list[CharacterImage]]:
    """Return a world with a reference, a set and a scene, and the images."""
    world = AsyncWorld(**options)
    await world.link()
    await world.service.generate_reference(LENA, prompt="one")
    await world.service.generate_portfolio(LENA)
    await world.service.generate_scene(LENA, "two")
    return world, await world.images()


async def test_where_all_is_well_nothing_is_found_and_every_file_was_read() -> None:
    world, images = await drawn()
    events: list[VerificationProgressed] = []
    report = await world.service.verify(on_progress=events.append)
    assert told(report) == []
    assert (report.images, report.files) == (len(images), len(images))
    assert report.bytes == sum(image.metrics.bytes or 0 for image in images)
    assert [event.done for event in events[: len(images)]] == list(range(1, len(images) + 1))
    assert {event.total for event in events} == {len(images)}
    assert (events[-1].files, events[-1].finding) == (len(images), None)
    assert await world.service.verify(LENA, repair=True) == evolve(report, files=None)
    assert (await world.service.verify(MAX)).images == 0


async def test_an_image_that_never_had_a_file_is_no_damage() -> None:
    world, images = await drawn()
    world.simulator.switches.file_errors = 1
    with pytest.raises(IngestionError):
        await world.service.generate_scene(LENA, "three")
    report = await world.service.verify(repair=True)
    assert (report.images, report.findings) == (
        len(images) + (not world.metadata.requires_media),
        (),
    )


async def test_a_callback_that_fails_does_not_disturb_it() -> None:
    world, images = await drawn()

    def fail(event: VerificationProgressed) -> None:
        raise RuntimeError(event)

    assert (await world.service.verify(on_progress=fail)).images == len(images)


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_file_is_told_and_comes_back_byte_by_byte(damage: str) -> None:
    world, images = await drawn()
    change, kind = DAMAGES[damage]
    spoiled = images[:2]
    before = {image.key: await world.bytes_of(image) for image in images}
    counts = world.counts
    for image in spoiled:
        world.stores.spoil(image.key, change)

    report = await world.service.verify()
    assert [each.image_id for each in report.findings] == [image.id for image in spoiled]
    assert all(each.kind in kind and each.outcome == "told" for each in report.findings)
    assert report.unresolved == 2
    assert told(await world.service.verify(LENA)) == told(report)

    repaired = await world.service.verify(repair=True)
    assert [each.outcome for each in repaired.findings] == ["repaired", "repaired"]
    assert (repaired.repaired, repaired.unresolved) == (2, 0)
    assert told(await world.service.verify()) == []
    assert {image.key: await world.bytes_of(image) for image in images} == before
    assert [image.id for image in await world.images()] == [image.id for image in images]
    assert world.counts == counts
    await world.check()


async def test_a_thumbnail_that_is_gone_is_made_again() -> None:
    world, images = await drawn()
    image = images[0]
    thumbnails = world.stores.thumbnails(image.key)
    for path in thumbnails:
        world.stores.take_away(path)
    found = [("no-thumbnail", "told")] if thumbnails else []
    assert told(await world.service.verify()) == found
    report = await world.service.verify(LENA, repair=True)
    assert report.repaired == len(found)
    assert told(await world.service.verify()) == []
    assert all(path.stat().st_size for path in world.stores.thumbnails(image.key))
    assert len(world.stores.thumbnails(image.key)) == len(thumbnails)
    await world.check()


async def test_media_that_was_taken_out_of_its_record_comes_back() -> None:
    world, images = await drawn()
    image = images[0]
    data = await world.bytes_of(image)
    await world.stores.unhook(image)
    (emptied,) = [each for each in await world.images() if each.id == image.id]
    assert (emptied.media, emptied.status) == (None, "succeeded")
    assert told(await world.service.verify()) == [("lost", "told")]
    back = await world.service.bring_back(LENA, image.id)
    assert (back.id, back.key) == (image.id, image.key)
    assert back.media is not None
    assert back.media.url is not None
    assert back.media.alt == (image.media and image.media.alt)
    assert await world.bytes_of(back) == data
    assert told(await world.service.verify()) == []
    await world.check()


async def lost_scene(**changes: Any) -> tuple[AsyncWorld, CharacterImage, bytes]:
    """Return a world whose scene has no file, and a record with such changes."""
    world = AsyncWorld()
    await world.link()
    await world.service.generate_reference(LENA, prompt="one")
    image = (await world.service.generate_scene(LENA, "two")).image
    data = await world.bytes_of(image)
    image = await changed(world, image, **changes)
    world.stores.spoil(image.key, lambda _: None)
    return world, image, data


async def changed(world: AsyncWorld, image: CharacterImage, **changes: Any) -> CharacterImage:
    """Change what record and ledger know of an image."""
    op = await world.ledger.get(image.key.rpartition("-")[0])
    items = tuple(evolve(item, **changes) for item in op.items)
    lease = await world.ledger.acquire(LENA, owner="a test", ttl=1000)
    await world.ledger.write(evolve(op, items=items), lease=lease)
    await world.ledger.release(lease)
    updated: CharacterImage = await world.metadata.update(evolve(image, **changes))
    return updated


@pytest.mark.parametrize(
    "changes",
    [
        {"source_url": "http://library.test/api/media/file/gone.jpg"},
        {"source_url": None},
        {"external_id": None},
        {"external_id": "65f000000000000000000000"},
    ],
    ids=["dead url", "no url", "no media id", "unknown media id"],
)
async def test_a_file_comes_back_by_whatever_still_leads_to_it(changes: dict[str, Any]) -> None:
    world, image, data = await lost_scene(**changes)
    assert told(await world.service.verify(repair=True)) == [("lost", "repaired")]
    assert await world.bytes_of(image) == data


async def test_a_file_comes_back_by_its_name_where_its_host_and_its_document_changed() -> None:
    world, image, data = await lost_scene()
    name = (image.source_url or "").rpartition("/")[2]
    moved = {"source_url": f"http://library.test/old/{name}?signature=1", "external_id": None}
    await changed(world, image, **moved)
    assert told(await world.service.verify(repair=True)) == [("lost", "repaired")]
    assert await world.bytes_of(image) == data
    world.stores.spoil(image.key, lambda _: None)
    world.simulator.switches.media_closed = True
    assert told(await world.service.verify(repair=True)) == [("lost", "failed")]
    world.simulator.switches.media_closed = False
    service = world.assemble(media_documents=False)
    assert told(await service.verify(repair=True)) == [("lost", "failed")]


async def test_other_bytes_than_were_stored_are_never_taken() -> None:
    world, image, _ = await lost_scene()
    other = next(each for each in await world.images() if each.id != image.id)
    wrong = {"source_url": other.source_url, "external_id": other.external_id}
    await changed(world, image, **wrong)
    (finding,) = (await world.service.verify(repair=True)).findings
    assert (finding.kind, finding.outcome) == ("lost", "failed")
    assert "other bytes than were stored" in finding.message
    with pytest.raises(IngestionError) as caught:
        await world.service.bring_back(LENA, image.id)
    assert (caught.value.code, caught.value.image_id) == ("UNPROVEN", image.id)
    assert await world.media.get(image.key) is None


async def test_what_has_no_source_is_told_and_stays() -> None:
    world, image, _ = await lost_scene(source_url=None, external_id=None)
    (finding,) = (await world.service.verify(repair=True)).findings
    assert finding.outcome == "failed"
    assert "It has no source." in finding.message
    with pytest.raises(IngestionError) as caught:
        await world.service.bring_back(LENA, image.id)
    assert caught.value.code == "NO_SOURCE"


async def test_what_has_no_hash_is_told_and_stays() -> None:
    world, image, _ = await lost_scene()
    assert image.media is not None
    bare = evolve(
        image, media=evolve(image.media, sha256=None), metrics=evolve(image.metrics, sha256=None)
    )
    await world.metadata.update(bare)
    assert told(await world.service.verify(repair=True)) == [("lost", "failed")]
    with pytest.raises(IngestionError, match="no SHA-256") as caught:
        await world.service.bring_back(LENA, image.id)
    assert caught.value.code == "UNPROVEN"


async def test_the_library_out_of_reach_is_no_reason_to_touch_anything() -> None:
    world, image, data = await lost_scene()
    world.simulator.switches.down = True
    assert told(await world.service.verify(repair=True)) == [("lost", "failed")]
    world.simulator.switches.down = False
    assert told(await world.service.verify(repair=True)) == [("lost", "repaired")]
    assert await world.bytes_of(image) == data


async def test_a_record_without_a_hash_is_held_to_its_size() -> None:
    world = AsyncWorld()
    await world.link()
    image = (await world.service.generate_reference(LENA, prompt="one")).image
    assert image.media is not None
    bare = evolve(
        image, media=evolve(image.media, sha256=None), metrics=evolve(image.metrics, sha256=None)
    )
    await world.metadata.update(bare)
    assert told(await world.service.verify()) == []
    bare = evolve(bare, media=evolve(image.media, sha256=None, size=1))
    await world.metadata.update(bare)
    assert told(await world.service.verify()) == [("altered", "told")]


async def test_a_store_that_says_itself_that_a_file_was_altered_is_believed() -> None:
    world, images = await drawn()
    image = images[0]

    class Certain:
        """A store that says of a file, whatever was done, that it was altered."""

        def __init__(self, media: Any) -> None:
            self._media = media

        def __getattr__(self, name: str) -> Any:
            return getattr(self._media, name)

        def open(self, key: str) -> Any:
            if key == image.key:
                raise MediaAltered(f"{key} has other bytes.")
            return self._media.open(key)

    service = world.assemble(media=Certain(world.media))
    assert told(await service.verify()) == [("altered", "told")]
    report = await service.verify(repair=True)
    assert told(report) == [("altered", "failed")]
    assert "still not as its record says" in report.findings[0].message


async def test_one_image_is_brought_back_alone() -> None:
    world, images = await drawn()
    for image in images[:2]:
        world.stores.spoil(image.key, lambda _: None)
    back = await world.service.bring_back(LENA, images[1].id)
    assert back == await world.service.get_image(LENA, images[1].id)
    assert [each.image_id for each in (await world.service.verify()).findings] == [images[0].id]
    posts = len(world.simulator.requests)
    assert await world.service.bring_back(LENA, images[1].id) == back
    assert len(world.simulator.requests) == posts, "nothing is asked for a file that is well"


async def test_a_report_and_its_events_turn_into_json() -> None:
    world, image, _ = await lost_scene()
    events: list[VerificationProgressed] = []
    report = to_json(await world.service.verify(on_progress=events.append))
    assert report["unresolved"] == 1
    assert report["found"]["lost"] == 1
    (finding,) = report["findings"]
    assert finding["imageId"] == image.id
    assert finding["characterReference"] == LENA
    assert to_json(next(event for event in events if event.finding))["finding"] == finding


async def test_a_store_that_fails_for_one_file_does_not_end_it() -> None:
    world, images = await drawn()
    bad = images[0]

    class Failing:
        def __init__(self, store: Any) -> None:
            self._store = store

        def __getattr__(self, name: str) -> Any:
            return getattr(self._store, name)

        def open(self, key: str) -> Any:
            if key == bad.key:
                raise StorageError("The disk has a bad block.")
            return self._store.open(key)

    service = world.assemble(media=Failing(world.media))
    report = await service.verify(repair=True)
    assert told(report) == [("unreadable", "told")]
    assert report.findings[0].message == "The disk has a bad block."
    assert report.images == len(images)
    with pytest.raises(StorageError, match="bad block"):
        await service.bring_back(LENA, bad.id)
    assert await world.bytes_of(bad)


async def test_a_finding_says_whether_anything_is_left_to_do() -> None:
    def finding(kind: str, outcome: str) -> Finding:
        return Finding(kind=kind, outcome=outcome, message="")

    assert finding("foreign-file", "told").resolved
    assert finding("lost", "repaired").resolved
    assert finding("unknown-file", "removed").resolved
    assert not finding("lost", "failed").resolved


async def test_a_thumbnail_is_drawn_from_the_file_or_where_that_will_not_do_from_its_source(
    tmp_path: Path,
) -> None:
    world = AsyncWorld()
    await world.link()
    media = AsyncDiskMediaStore(tmp_path / "files", thumbnail_px=64)
    # Such a store has records of its own.
    service = world.assemble(
        media=media,
        metadata=AsyncMemoryMetadataRepository(),
        ledger=AsyncMemoryGenerationLedger(),
    )
    image = (await service.generate_reference(LENA, prompt="one")).image
    assert image.media is not None
    thumbnail = media.path(image.media).parent / "_thumbnail.webp"
    drawn_once = thumbnail.read_bytes()
    for requests in (0, 1):
        thumbnail.unlink()
        assert told(await service.verify()) == [("no-thumbnail", "told")]
        before = len(world.simulator.requests)
        if requests:
            # What it makes of its own file is another one, and so it is asked for anew.
            answers = iter(["0" * 64, image.media.sha256])

            async def sha256_of(_: Upload, answers: Any = answers) -> str:
                return str(next(answers))

            media.sha256_of = sha256_of  # type: ignore[method-assign]
        assert told(await service.verify(repair=True)) == [("no-thumbnail", "repaired")]
        assert thumbnail.read_bytes() == drawn_once
        assert len(world.simulator.requests) - before == requests
    assert [key async for key in media.list_keys()] == [image.key]
