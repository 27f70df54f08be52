"""Any sequence of calls: embedded stores answer as a plain model does, broken ones are caught."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from charimg.journal import Lease, Operation
from charimg.models import CharacterImage, ImagePage, Media, Upload
from charimg.stores import (
    AsyncDiskMediaStore,
    AsyncMemoryGenerationLedger,
    AsyncMemoryMediaStore,
    AsyncMemoryMetadataRepository,
    AsyncSqliteMetadataRepository,
    DiskMediaStore,
    MemoryGenerationLedger,
    MemoryMediaStore,
    MemoryMetadataRepository,
    SqliteDatabase,
    SqliteGenerationLedger,
    SqliteMetadataRepository,
)
from charimg.testing import (
    GenerationLedgerMachine,
    MediaStoreMachine,
    MetadataRepositoryMachine,
    run_contract,
)


class TestMemoryMetadata(MetadataRepositoryMachine):
    def make(self) -> Any:
        return MemoryMetadataRepository()


class TestMemoryMetadataOnTrio(MetadataRepositoryMachine):
    backend = "trio"
    examples = 20

    def make(self) -> Any:
        return AsyncMemoryMetadataRepository()


class TestSqliteMetadata(MetadataRepositoryMachine):
    store: Any = SqliteMetadataRepository

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = tmp_path / "charimg.sqlite"
        self.databases: list[SqliteDatabase] = []

    def make(self) -> Any:
        self.databases.append(SqliteDatabase(self.path))
        return self.store(self.databases[-1])

    def reopen(self, made: Any) -> Any:
        return self.make()

    def dispose(self, made: Any) -> None:
        self.databases.pop().close()


class TestSqliteMetadataOnAsyncio(TestSqliteMetadata):
    backend = "asyncio"
    examples = 20
    store = AsyncSqliteMetadataRepository


class TestMemoryMedia(MediaStoreMachine):
    def make(self) -> Any:
        return MemoryMediaStore()


class TestMemoryMediaOnTrio(MediaStoreMachine):
    backend = "trio"
    examples = 20

    def make(self) -> Any:
        return AsyncMemoryMediaStore()


class TestDiskMedia(MediaStoreMachine):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "media"

    def make(self) -> Any:
        return DiskMediaStore(self.directory)

    def reopen(self, made: Any) -> Any:
        return self.make()


class TestDiskMediaOnAsyncio(TestDiskMedia):
    backend = "asyncio"
    examples = 20

    def make(self) -> Any:
        return AsyncDiskMediaStore(self.directory)


class TestMemoryLedger(GenerationLedgerMachine):
    now = 1_700_000_000.0

    def make(self) -> Any:
        return MemoryGenerationLedger(clock=lambda: self.now)

    def advance(self, seconds: float) -> None:
        self.now += seconds


class TestMemoryLedgerOnTrio(TestMemoryLedger):
    backend = "trio"
    examples = 20

    def make(self) -> Any:
        return AsyncMemoryGenerationLedger(clock=lambda: self.now)


class TestSqliteLedger(TestSqliteMetadata, GenerationLedgerMachine):
    examples = 40
    now = 1_700_000_000.0
    test_any_sequence_of_calls = GenerationLedgerMachine.test_any_sequence_of_calls

    def store(self, database: SqliteDatabase) -> Any:
        return SqliteGenerationLedger(database, clock=lambda: self.now)

    def advance(self, seconds: float) -> None:
        self.now += seconds


# Faults that no single question shows: each needs several calls in one order.


class RemembersKeys(MemoryMetadataRepository):
    """Gives the old record back when a deleted key is added again after an update."""

    def __init__(self) -> None:
        super().__init__()
        self.old: dict[str, CharacterImage] = {}

    def update(self, image: CharacterImage, /) -> CharacterImage:
        self.old[image.id] = updated = super().update(image)
        return updated

    def add(self, image: CharacterImage, /) -> CharacterImage:
        return super().add(self.old.get(image.key, image))


class StaleFilter(MemoryMetadataRepository):
    """Filters by the kind that a record had first."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, str] = {}

    def add(self, image: CharacterImage, /) -> CharacterImage:
        self.first.setdefault(image.key, image.kind)
        return super().add(image)

    def list(self, character_id: str, /, *, kind: str | None = None, **rest: Any) -> ImagePage:
        before = MemoryMetadataRepository()
        now = {image.id: image for image in self._images.values()}
        for image in now.values():
            before.add(evolve(image, kind=self.first[image.key]))
        page = before.list(character_id, kind=kind, **rest)
        return evolve(page, images=tuple(now[image.id] for image in page.images))


class LostPlace(MemoryMetadataRepository):
    """Begins anew when the record that the cursor stands on is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, str] = {}

    def list(self, *args: Any, cursor: str | None = None, **options: Any) -> ImagePage:
        if cursor is not None and self.get(self.places[cursor]) is None:
            cursor = None
        page = super().list(*args, cursor=cursor, **options)
        if page.next_cursor is not None:
            self.places[page.next_cursor] = page.images[-1].id
        return page


class GivesIdsAgain(MemoryMetadataRepository):
    """Counts on from the highest id that is left."""

    def add(self, image: CharacterImage, /) -> CharacterImage:
        for first in self._images.values():
            if first.key == image.key:
                return first
        number = f"{max(map(int, self._images), default=0) + 1:06}"
        stored = evolve(super().add(evolve(image, key=number)), key=image.key)
        self._images[number] = stored
        return stored


@pytest.mark.parametrize("broken", [RemembersKeys, StaleFilter, LostPlace, GivesIdsAgain])
def test_a_broken_repository_is_caught(broken: Any) -> None:
    class Suite(MetadataRepositoryMachine):
        shrink = False

        def make(self) -> Any:
            return broken()

    assert "The contract says: " in str(run_contract(Suite())["test_any_sequence_of_calls"])


def test_a_repository_that_gives_ids_again_and_says_so_is_fine() -> None:
    class Suite(MetadataRepositoryMachine):
        reuses_ids = True

        def make(self) -> Any:
            return GivesIdsAgain()

    assert run_contract(Suite()) == {}


class SaveAfterDelete(MemoryMediaStore):
    """Brings the first bytes back when a deleted key is saved again."""

    def __init__(self) -> None:
        super().__init__()
        self.first: dict[str, Any] = {}

    def save(self, upload: Upload, /) -> Media:
        media = super().save(upload)
        file = self._files[upload.key]
        data = self.first.setdefault(upload.key, file.data)
        self._files[upload.key] = evolve(file, data=data)
        return media


class BreaksTheFirst(MemoryMediaStore):
    """Loses what is there when a second save of the key breaks off."""

    def save(self, upload: Upload, /) -> Media:
        stored = self.get(upload.key)
        self._files.pop(upload.key, None)
        media = super().save(upload)
        if stored is not None:
            file = self._files[upload.key]
            self._files[upload.key] = evolve(file, media=stored, data=self.kept[upload.key])
            return stored
        self.kept = {**getattr(self, "kept", {}), upload.key: self._files[upload.key].data}
        return media


@pytest.mark.parametrize("broken", [SaveAfterDelete, BreaksTheFirst])
def test_a_broken_media_store_is_caught(broken: Any) -> None:
    class Suite(MediaStoreMachine):
        shrink = False

        def make(self) -> Any:
            return broken()

    assert "The contract says: " in str(run_contract(Suite())["test_any_sequence_of_calls"])


class OldLeaseAfterRelease(MemoryGenerationLedger):
    """Lets an earlier lease write again once the latest was given up."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.earlier: dict[str, Lease] = {}

    def acquire(self, character_id: str, /, *, owner: str, ttl: float) -> Lease:
        before = self._leases.get(character_id)
        lease = super().acquire(character_id, owner=owner, ttl=ttl)
        if before is not None:
            self.earlier[character_id] = before
        return lease

    def release(self, lease: Lease, /) -> None:
        held = self._holds(lease)
        super().release(lease)
        if held and lease.character_id in self.earlier:
            self._leases[lease.character_id] = self.earlier.pop(lease.character_id)


class NeverUnfinishedAgain(MemoryGenerationLedger):
    """Does not tell of an operation that was over once and is written as unfinished again."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.over: set[str] = set()

    def write(self, operation: Operation, /, *, lease: Lease) -> None:
        super().write(operation, lease=lease)
        self.over |= {operation.id} if operation.finished else set()

    def unfinished(self, character_id: str | None = None, /) -> tuple[Operation, ...]:
        return tuple(each for each in super().unfinished(character_id) if each.id not in self.over)


@pytest.mark.parametrize("broken", [OldLeaseAfterRelease, NeverUnfinishedAgain])
def test_a_broken_ledger_is_caught(broken: Any) -> None:
    class Suite(GenerationLedgerMachine):
        shrink = False
        now = 1_700_000_000.0

        def make(self) -> Any:
            return broken(clock=lambda: self.now)

        def advance(self, seconds: float) -> None:
            self.now += seconds

    assert "The contract says: " in str(run_contract(Suite())["test_any_sequence_of_calls"])
