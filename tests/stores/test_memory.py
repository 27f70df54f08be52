"""What the memory stores add to the contracts of the ports."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

import charimg.stores
from charimg.errors import (
    CharacterNotFound,
    GenerationInProgress,
    InvalidArgument,
    LeaseLost,
    StorageError,
)
from charimg.models import CharacterReference
from charimg.stores.memory import (
    AsyncMemoryCharacterDirectory,
    AsyncMemoryGenerationLedger,
    AsyncMemoryMediaStore,
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    MemoryMediaStore,
    MemoryMetadataRepository,
)
from charimg.testing.conformance.ledger import make_operation
from charimg.testing.conformance.media import make_upload
from charimg.testing.conformance.records import make_image

DB_ID = "0123456789abcdef01234567"


def test_names_load_when_they_are_used() -> None:
    assert charimg.stores.MemoryMediaStore is MemoryMediaStore
    assert set(charimg.stores.__all__) <= set(dir(charimg.stores))
    with pytest.raises(AttributeError, match="has no attribute 'Nonsense'"):
        _ = charimg.stores.Nonsense


def test_the_directory_is_a_book_of_characters() -> None:
    tom, mira = CharacterReference(id="tom", name="Tom"), CharacterReference(id="mira", name="Mira")
    directory = MemoryCharacterDirectory([tom])
    directory.put(mira)
    assert directory.list_all() == (mira, tom)
    directory.put(evolve(tom, name="Thomas"))
    assert directory.get("tom") == evolve(tom, name="Thomas")
    assert directory.remove("tom") is True
    assert directory.remove("tom") is False
    assert directory.list_all() == (mira,)


def test_link_sets_both_ids_and_keeps_the_rest() -> None:
    mira = CharacterReference(id="mira", name="Mira", traits={"age": 34})
    directory = MemoryCharacterDirectory([mira])
    linked = evolve(mira, library_db_id=DB_ID, library_character_id="slug")
    assert directory.link("mira", library_db_id=DB_ID, library_character_id="slug") == linked
    assert directory.get("mira") == linked
    assert directory.linked(DB_ID) == (linked,)
    assert directory.linked("e" * 24) == ()
    assert directory.link("mira", library_db_id=None) == mira
    with pytest.raises(CharacterNotFound, match="'nobody'"):
        directory.link("nobody", library_db_id=DB_ID)


@pytest.mark.anyio
async def test_the_async_directory_does_the_same() -> None:
    mira = CharacterReference(id="mira", name="Mira")
    directory = AsyncMemoryCharacterDirectory()
    await directory.put(mira)
    linked = await directory.link("mira", library_db_id=DB_ID, library_character_id="slug")
    assert await directory.list_all() == await directory.linked(DB_ID) == (linked,)
    assert await directory.remove("mira") is True
    assert await directory.get("mira") is None


def test_traits_are_copies() -> None:
    traits: dict[str, Any] = {"hair": {"color": "auburn"}, "marks": ("a", "b")}
    directory = MemoryCharacterDirectory([CharacterReference(id="x", name="X", traits=traits)])
    traits["hair"]["color"] = "green"
    first = directory.get("x")
    assert first is not None
    assert first.traits == {"hair": {"color": "auburn"}, "marks": ["a", "b"]}
    first.traits["hair"]["color"] = "blue"
    directory.list_all()[0].traits["marks"].append("c")
    again = directory.get("x")
    assert again is not None
    assert again.traits == {"hair": {"color": "auburn"}, "marks": ["a", "b"]}


def test_options_are_copies() -> None:
    ledger = MemoryGenerationLedger()
    lease = ledger.acquire("c", owner="a", ttl=60)
    options: dict[str, Any] = {"deep": ["x"]}
    ledger.write(make_operation("op", "c", options=options), lease=lease)
    options["deep"].append("y")
    for read in (ledger.get("op"), ledger.unfinished()[0], ledger.list("c").operations[0]):
        assert read is not None
        assert read.options == {"deep": ["x"]}
        read.options["deep"].append("z")


@pytest.mark.parametrize(
    "changes", [{"size": 5}, {"sha256": "0" * 64}], ids=lambda changes: next(iter(changes))
)
def test_a_file_that_is_not_what_was_announced_is_refused(changes: dict[str, Any]) -> None:
    store = MemoryMediaStore()
    with pytest.raises(StorageError, match=r"'k' was announced with .* Nothing was stored"):
        store.save(evolve(make_upload("k", b"abcd"), **changes))
    assert store.get("k") is None
    assert store.keys() == set()


def test_a_stored_key_does_not_read_the_file_again() -> None:
    store = MemoryMediaStore()
    first = store.save(make_upload("k", b"abcd"))
    closed = io.BytesIO(b"")
    closed.close()
    assert store.save(evolve(make_upload("k"), file=closed)) == first


def test_urls_are_safe() -> None:
    media = MemoryMediaStore().save(make_upload("a/b c"))
    located = MemoryMediaStore().locate(media)
    assert (located.url, located.thumbnail_url) == ("memory:a%2Fb%20c", None)


def test_keys_of_the_async_store() -> None:
    assert AsyncMemoryMediaStore().keys() == set()


def test_ten_thousand_records_page_through_without_gap_or_double() -> None:
    repository = MemoryMetadataRepository()
    for number in range(10_000):
        repository.add(make_image(f"k{number:05}", "c", minute=number // 7))
    found: list[str] = []
    cursor = None
    while True:
        page = repository.list("c", limit=1_000, cursor=cursor)
        found += [image.key for image in page.images]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == [f"k{number:05}" for number in reversed(range(10_000))]


@given(
    minutes=st.lists(st.integers(0, 3), max_size=12),
    limit=st.integers(1, 5),
)
def test_pages_join_to_the_whole(minutes: list[int], limit: int) -> None:
    repository = MemoryMetadataRepository()
    for number, minute in enumerate(minutes):
        repository.add(make_image(f"k{number}", "c", minute=minute))
    found: list[str] = []
    cursor = None
    for page_number in itertools.count():
        assert page_number <= len(minutes)
        page = repository.list("c", limit=limit, cursor=cursor)
        found += [image.key for image in page.images]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == [image.key for image in repository.list("c", limit=1_000).images]
    assert len(found) == len(minutes)


def test_a_cursor_of_another_listing_is_refused() -> None:
    repository, ledger = MemoryMetadataRepository(), MemoryGenerationLedger()
    lease = ledger.acquire("c", owner="a", ttl=60)
    for number in range(2):
        repository.add(make_image(f"k{number}", "c"))
        ledger.write(make_operation(f"o{number}", "c"), lease=lease)
    with pytest.raises(InvalidArgument):
        repository.list("c", cursor=ledger.list("c", limit=1).next_cursor)
    with pytest.raises(InvalidArgument):
        ledger.list("c", cursor=repository.list("c", limit=1).next_cursor)


def test_who_holds_the_lease_and_for_how_long() -> None:
    now = [1_000.0]
    ledger = MemoryGenerationLedger(clock=lambda: now[0])
    lease = ledger.acquire("c", owner="host:7", ttl=30)
    assert lease.expires_at == datetime.fromtimestamp(1_030, UTC)
    now[0] += 10
    with pytest.raises(
        GenerationInProgress, match=r"'c' is running, or was broken off\..* 20 s"
    ) as caught:
        ledger.acquire("c", owner="host:8", ttl=30)
    assert (caught.value.holder, caught.value.expires_in) == ("host:7", 20.0)
    now[0] += 20
    assert ledger.acquire("c", owner="host:8", ttl=30).token == lease.token + 1


@pytest.mark.anyio
async def test_the_async_ledger_takes_a_clock_too() -> None:
    ledger = AsyncMemoryGenerationLedger(clock=lambda: 5.0)
    lease = await ledger.acquire("c", owner="a", ttl=1)
    assert lease.expires_at == datetime.fromtimestamp(6, UTC)


def test_a_lease_on_another_character_cannot_write() -> None:
    ledger = MemoryGenerationLedger()
    lease = ledger.acquire("a", owner="x", ttl=60)
    ledger.acquire("b", owner="x", ttl=60)
    with pytest.raises(InvalidArgument, match="of character 'b', but the lease is on 'a'"):
        ledger.write(make_operation("op", "b"), lease=lease)
    with pytest.raises(LeaseLost):
        ledger.write(make_operation("op", "c"), lease=evolve(lease, character_id="c"))
    assert ledger.get("op") is None


def _at_once(call: Callable[[int], Any]) -> list[Any]:
    def caught(number: int) -> Any:
        try:
            return call(number)
        except GenerationInProgress as error:
            return error

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(caught, range(40)))


def test_one_of_many_threads_gets_the_lease() -> None:
    ledger = MemoryGenerationLedger()
    results = _at_once(lambda number: ledger.acquire("c", owner=str(number), ttl=60))
    assert sum(not isinstance(result, GenerationInProgress) for result in results) == 1


def test_one_of_many_threads_adds_the_record() -> None:
    repository = MemoryMetadataRepository()
    results = _at_once(lambda number: repository.add(make_image("k", "c", prompt=str(number))))
    assert len({result.prompt for result in results}) == 1
    assert repository.list("c").total == 1


@pytest.mark.anyio
async def test_async_chunks() -> None:
    store = AsyncMemoryMediaStore()
    await store.save(make_upload("k", b"x" * 100_000))
    async with store.open("k") as chunks:
        assert [len(chunk) async for chunk in chunks] == [65_536, 34_464]
