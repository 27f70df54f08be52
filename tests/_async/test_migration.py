"""Copying from one set of stores to another: whole, verified, resumable, the source only read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from charimg import (
    AsyncMigration,
    CharacterImage,
    CharacterNotFound,
    CharacterReference,
    ConfigurationError,
    GenerationInProgress,
    Media,
    MigratedImage,
    MigrationOutcome,
    PreconditionError,
    StorageError,
    Upload,
)
from charimg._assembly.embedded import async_embedded
from charimg._async import migration
from charimg.journal import Operation, OperationKind, OperationState
from charimg.stores import (
    AsyncMemoryCharacterDirectory,
    AsyncMemoryGenerationLedger,
    AsyncMemoryMediaStore,
    AsyncMemoryMetadataRepository,
)

from .world import LENA, AsyncWorld

pytestmark = pytest.mark.anyio


async def full_world() -> AsyncWorld:
    """Return a world with a reference, three shots of which one failed, and a scene."""
    world = AsyncWorld()
    await world.link()
    world.simulator.switches.change({"shots": 3})
    await world.service.generate_reference(LENA)
    world.simulator.switches.change({"file_errors": 1})
    await world.service.generate_portfolio(LENA)
    await world.service.generate_scene(LENA, "She reads a letter.")
    return world


async def bytes_of(store: Any, key: str) -> bytes:
    async with store.open(key) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def records(metadata: Any, character_id: str = LENA) -> list[CharacterImage]:
    return list((await metadata.list(character_id, limit=1000)).images)


class Wrapped:
    """A store that behaves as another but for what a test changes."""

    def __init__(self, store: Any, **changes: Any) -> None:
        self._store = store
        vars(self).update(changes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Stores:
    """A target, or a source, of which a test changes one store."""

    directory: Any
    media: Any
    metadata: Any
    ledger: Any

    def __init__(self, like: Any, **changes: Any) -> None:
        for name in ("directory", "media", "metadata", "ledger"):
            setattr(self, name, changes.get(name, getattr(like, name)))


async def test_everything_is_copied_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    world = await full_world()
    other = CharacterReference(id="tom", name="Tom")
    await world.directory.put(other)
    before = await records(world.metadata)
    target = async_embedded(tmp_path)
    told: list[MigratedImage] = []
    report = await AsyncMigration(source=world, target=target).run(on_image=told.append)
    assert report.characters == 1
    assert report.outcomes == {"copied": 5, "present": 0, "skipped": 0, "failed": 0}
    assert report.failures == ()
    assert report.operations == 3
    assert report.bytes == sum(each.media.size for each in before if each.media is not None)
    assert [(each.done, each.total) for each in told] == [(n, 5) for n in range(1, 6)]
    assert {each.character_id for each in told} == {LENA}
    after = await records(target.metadata)
    assert [evolve(each, media=None) for each in after] == [
        evolve(each, media=None) for each in before
    ]
    for old, new in zip(before, after, strict=True):
        if old.media is None or new.media is None:
            assert old.media is new.media
            continue
        assert evolve(new.media, id="", url=None, thumbnail_url=None) == evolve(
            old.media, id="", url=None, thumbnail_url=None
        )
        assert await bytes_of(target.media, new.key) == await world.bytes_of(old)
    assert await target.directory.list_all() == await world.directory.list_all()
    assert (await target.ledger.list(LENA)).operations == await world.operations()
    again = await AsyncMigration(source=world, target=target).run()
    assert again.outcomes == {"copied": 0, "present": 5, "skipped": 0, "failed": 0}
    assert again.operations == 0
    assert await records(target.metadata) == after
    assert await records(world.metadata) == before
    # Nobody's lease is left behind.
    for ledger in (world.ledger, target.ledger):
        await ledger.release(await ledger.acquire(LENA, owner="test", ttl=1))
    await target.database.aclose()


async def test_it_goes_over_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "_PAGE", 2)
    world = await full_world()
    target = Stores(
        world,
        media=AsyncMemoryMediaStore(),
        metadata=AsyncMemoryMetadataRepository(),
        ledger=AsyncMemoryGenerationLedger(),
    )
    for outcome in ("copied", "present"):
        report = await AsyncMigration(source=world, target=target).run()
        assert report.outcomes[outcome] == 5
    ledger: Any = target.ledger
    assert (await ledger.list(LENA)).operations == await world.operations()


async def test_a_run_that_was_broken_off_is_resumed(tmp_path: Path) -> None:
    world = await full_world()
    target = async_embedded(tmp_path)

    def stop(image: MigratedImage) -> None:
        if image.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await AsyncMigration(source=world, target=target).run(on_image=stop)
    assert len(await records(target.metadata)) == 2
    report = await AsyncMigration(source=world, target=target).run()
    assert report.outcomes == {"copied": 3, "present": 2, "skipped": 0, "failed": 0}
    await target.database.aclose()


async def test_files_move_while_the_records_stay(tmp_path: Path) -> None:
    world = await full_world()
    target = Stores(world, media=async_embedded(tmp_path).media)
    report = await AsyncMigration(source=world, target=target).run()
    assert report.outcomes["copied"] == 4
    for image in await records(world.metadata):
        if image.media is not None:
            media = await target.media.get(image.key)
            assert image.media.id == media.id
    again = await AsyncMigration(source=world, target=target).run()
    assert again.outcomes["copied"] == 0


async def test_records_move_while_the_files_stay() -> None:
    world = await full_world()
    target = Stores(world, metadata=AsyncMemoryMetadataRepository())
    report = await AsyncMigration(source=world, target=target).run([LENA])
    assert report.outcomes["copied"] == 5
    assert report.operations == 0, "the ledger is the same"
    assert len(await records(target.metadata)) == 5


async def test_characters_are_copied_once_and_never_overwritten() -> None:
    world = await full_world()
    await world.metadata.add(
        CharacterImage(key="x", character_id="gone", kind="scene", status="failed")
    )
    plain = Wrapped(world.directory)
    theirs = CharacterReference(id=LENA, name="Another")
    target = Stores(
        world,
        metadata=AsyncMemoryMetadataRepository(),
        directory=AsyncMemoryCharacterDirectory([theirs]),
    )
    await AsyncMigration(source=Stores(world, directory=plain), target=target).run()
    assert await target.directory.list_all() == (theirs,)
    for chosen in ([LENA], None):
        fresh: Any = AsyncMemoryCharacterDirectory()
        # A directory that cannot list is asked for the characters that have records.
        directory = Wrapped(None, get=world.directory.get)
        copying = AsyncMigration(
            source=Stores(world, directory=directory),
            target=Stores(world, metadata=AsyncMemoryMetadataRepository(), directory=fresh),
        )
        await copying.run(chosen)
        assert [each.id for each in await fresh.list_all()] == [LENA]
    copying = AsyncMigration(
        source=world,
        target=Stores(
            world, metadata=AsyncMemoryMetadataRepository(), directory=Wrapped(None, get=None)
        ),
    )
    assert (await copying.run()).characters == 2, "a read-only directory is left alone"


async def test_one_that_nobody_knows_is_refused_and_one_that_was_forgotten_goes() -> None:
    world = await full_world()
    target = Stores(
        world,
        directory=AsyncMemoryCharacterDirectory(),
        metadata=AsyncMemoryMetadataRepository(),
    )
    with pytest.raises(CharacterNotFound, match="'nobody'"):
        await AsyncMigration(source=world, target=target).run([LENA, "nobody"])
    assert await records(target.metadata) == []
    forgetful = Stores(world, directory=AsyncMemoryCharacterDirectory())
    report = await AsyncMigration(source=forgetful, target=target).run([LENA])
    assert report.outcomes["copied"] == len(await records(world.metadata)) > 0


async def test_what_is_refused() -> None:
    world = await full_world()
    target = Stores(world, metadata=AsyncMemoryMetadataRepository())
    mute = Wrapped(None, list=world.metadata.list)
    with pytest.raises(ConfigurationError, match="Name the characters"):
        await AsyncMigration(source=Stores(world, metadata=mute), target=target).run()
    lease = await world.ledger.acquire(LENA, owner="somebody", ttl=60)
    with pytest.raises(GenerationInProgress):
        await AsyncMigration(source=world, target=target).run()
    unfinished = Operation(
        id="op", kind=OperationKind.SCENE, character_id=LENA, state=OperationState.POSTING
    )
    await world.ledger.write(unfinished, lease=lease)
    await world.ledger.release(lease)
    with pytest.raises(PreconditionError, match="Run recover"):
        await AsyncMigration(source=world, target=target).run()
    assert await records(target.metadata) == []


async def test_a_repository_that_needs_media_gets_no_failed_image() -> None:
    world = await full_world()
    metadata = Wrapped(AsyncMemoryMetadataRepository(), requires_media=True)
    told: list[MigratedImage] = []
    report = await AsyncMigration(source=world, target=Stores(world, metadata=metadata)).run(
        on_image=told.append
    )
    assert report.outcomes == {"copied": 4, "present": 0, "skipped": 1, "failed": 0}
    assert [each.message for each in told if each.outcome == MigrationOutcome.SKIPPED] == [
        "The repository keeps no record without a file."
    ]


async def test_one_damaged_image_does_not_stop_the_others() -> None:
    world = await full_world()
    scene = (await records(world.metadata))[0]

    @asynccontextmanager
    async def damaged(key: str) -> AsyncIterator[Any]:
        async with world.media.open(key) as chunks:
            data = b"".join([chunk async for chunk in chunks])

        async def given() -> AsyncIterator[bytes]:
            yield data[:-1] + b"?" if key == scene.key else data

        yield given()

    target = Stores(world, metadata=AsyncMemoryMetadataRepository(), media=AsyncMemoryMediaStore())
    source = Stores(world, media=Wrapped(world.media, open=damaged))
    report = await AsyncMigration(source=source, target=target).run()
    assert report.outcomes == {"copied": 4, "present": 0, "skipped": 0, "failed": 1}
    (failure,) = report.failures
    assert failure.key == scene.key
    assert failure.bytes == 0
    assert "changed or damaged" in failure.message
    assert await target.media.get(scene.key) is None
    await world.media.delete(scene.key)
    report = await AsyncMigration(source=world, target=target).run()
    assert "no file under the key" in report.failures[0].message


async def test_what_changes_after_the_first_run_is_taken_over() -> None:
    world = await full_world()
    target = Stores(world, metadata=AsyncMemoryMetadataRepository(), media=AsyncMemoryMediaStore())
    await AsyncMigration(source=world, target=target).run()
    failed = next(each for each in await records(world.metadata) if each.media is None)
    retried = await world.service.retry_ingestion(LENA, failed.id)
    report = await AsyncMigration(source=world, target=target).run()
    assert report.outcomes == {"copied": 1, "present": 4, "skipped": 0, "failed": 0}
    found = await target.metadata.get(failed.id)
    assert found == evolve(retried.image, media=found.media)
    assert found.media is not None


async def test_what_was_retried_in_the_target_stays() -> None:
    world = await full_world()
    target: Any = Stores(
        world, metadata=AsyncMemoryMetadataRepository(), media=AsyncMemoryMediaStore()
    )
    await AsyncMigration(source=world, target=target).run()
    failed = next(each for each in await records(world.metadata) if each.media is None)
    there = world.assemble(media=target.media, metadata=target.metadata)
    await there.retry_ingestion(LENA, failed.id)
    report = await AsyncMigration(source=world, target=target).run()
    assert report.outcomes == {"copied": 0, "present": 5, "skipped": 0, "failed": 0}
    assert report.extra == 0
    assert (await target.metadata.get(failed.id)).status == "succeeded"


async def test_what_only_the_target_has_is_counted_and_stays() -> None:
    world = await full_world()
    target: Any = Stores(
        world, metadata=AsyncMemoryMetadataRepository(), media=AsyncMemoryMediaStore()
    )
    await AsyncMigration(source=world, target=target).run()
    scene = (await records(world.metadata))[0]
    await world.service.delete_image(LENA, scene.id)
    report = await AsyncMigration(source=world, target=target).run()
    assert report.extra == 1
    await world.service.delete_all_images(LENA)
    report = await AsyncMigration(source=world, target=target).run()
    assert (report.characters, report.extra) == (0, 5)
    mute = Stores(target, metadata=Wrapped(None, list=target.metadata.list))
    assert (await AsyncMigration(source=world, target=mute).run()).extra == 0
    assert await target.metadata.get(scene.id) is not None


async def test_what_lies_in_the_target_is_never_overwritten() -> None:
    world = await full_world()
    scene, shot = (await records(world.metadata))[:2]
    media, metadata = AsyncMemoryMediaStore(), AsyncMemoryMetadataRepository()
    await media.save(upload(scene.key, b"other bytes"))
    await metadata.add(evolve(shot, character_id="another", media=None))
    target = Stores(world, media=media, metadata=metadata)
    report = await AsyncMigration(source=world, target=target).run()
    assert sorted(each.message.partition(" the key")[0] for each in report.failures) == [
        "Another record has",
        "Other bytes are stored under",
    ]
    assert await bytes_of(media, scene.key) == b"other bytes"


async def test_a_target_that_does_not_give_back_what_it_took_is_found() -> None:
    world = await full_world()
    media = AsyncMemoryMediaStore()

    async def lying(upload: Upload) -> Media:
        return evolve(await media.save(upload), sha256="0" * 64)

    target = Stores(
        world, media=Wrapped(media, save=lying), metadata=AsyncMemoryMetadataRepository()
    )
    report = await AsyncMigration(source=world, target=target).run()
    assert report.outcomes["failed"] == 4
    assert "reads back" in report.failures[0].message


async def test_a_target_that_transcodes_is_believed_when_it_says_so() -> None:
    world = await full_world()
    media = AsyncMemoryMediaStore()

    async def transcoding(given: Upload) -> Media:
        return await media.save(upload(given.key, b"smaller"))

    target = Stores(
        world, media=Wrapped(media, save=transcoding), metadata=AsyncMemoryMetadataRepository()
    )
    for outcome in ("copied", "present"):
        report = await AsyncMigration(source=world, target=target).run()
        # The failed shot has no file, and is there after the first run.
        assert report.outcomes[outcome] == 5


async def test_a_store_that_fails_ends_the_run() -> None:
    world = await full_world()

    async def broken(upload: Upload) -> Media:
        raise StorageError("The disk is full.")

    target = Stores(
        world,
        media=Wrapped(AsyncMemoryMediaStore(), save=broken),
        metadata=AsyncMemoryMetadataRepository(),
    )
    with pytest.raises(StorageError, match="The disk is full"):
        await AsyncMigration(source=world, target=target).run()
    await world.ledger.release(await world.ledger.acquire(LENA, owner="test", ttl=1))


def upload(key: str, data: bytes) -> Upload:
    import hashlib
    import io

    return Upload(
        key=key,
        file=io.BytesIO(data),
        filename=f"{key}.png",
        mime_type="image/png",
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
