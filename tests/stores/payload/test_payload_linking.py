"""The link to the Character Library, kept in Payload's own documents."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.servers.payload import PayloadServer

from charimg import (
    AsyncLinkableCharacterDirectory,
    CharacterNotFound,
    LinkableCharacterDirectory,
    StorageError,
)
from charimg.stores import (
    AsyncPayloadCharacterDirectory,
    AsyncPayloadClient,
    PayloadCharacterDirectory,
    PayloadClient,
    PayloadOptions,
)
from charimg.stores.payload import characters

KINDS = (
    "sqlite",
    "sqlite-uuid",
    *(
        pytest.param(kind, marks=pytest.mark.long)
        for kind in ("postgres", "postgres-uuid", "mongo")
    ),
)
ONE, TWO = "a" * 24, "b" * 24


@pytest.mark.parametrize("kind", KINDS)
def test_both_ids_are_kept_and_the_rest_stays(
    kind: str, payload_of: Callable[[str], PayloadServer]
) -> None:
    cms = payload_of(kind)
    mira = cms.character("Mira", generationMetadata={"bamlData": {"hair": "red"}})
    with PayloadClient(cms.url, api_key=cms.api_key) as client:
        directory = PayloadCharacterDirectory(client)
        assert isinstance(directory, LinkableCharacterDirectory)
        linked = directory.link(mira, library_db_id=ONE, library_character_id="mira-1")
        assert (linked.library_db_id, linked.library_character_id) == (ONE, "mira-1")
        assert (linked.name, linked.traits) == ("Mira", {"hair": "red"})
        assert directory.get(mira) == linked
        # A slug that belongs to another character of the Library does not stay.
        anew = directory.link(mira, library_db_id=TWO, library_character_id=None)
        assert (anew.library_db_id, anew.library_character_id) == (TWO, None)
        for unknown in ("999", "0" * 24, "00000000-0000-4000-8000-000000000000", "tom"):
            with pytest.raises(CharacterNotFound):
                directory.link(unknown, library_db_id=ONE, library_character_id=None)


@pytest.mark.anyio
async def test_the_async_twin_does_the_same(server: PayloadServer) -> None:
    async with AsyncPayloadClient(server.url, api_key=server.api_key) as client:
        directory = AsyncPayloadCharacterDirectory(client)
        assert isinstance(directory, AsyncLinkableCharacterDirectory)
        mira = server.character("Mira")
        linked = await directory.link(mira, library_db_id=ONE, library_character_id="mira-1")
        assert await directory.get(mira) == linked
        assert linked in await directory.linked(ONE)


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_linked_is_found_without_reading_all(
    kind: str, payload_of: Callable[[str], PayloadServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    cms = payload_of(kind)
    ours, theirs = "c" * 24, "d" * 24
    with PayloadClient(cms.url, api_key=cms.api_key) as client:
        directory = PayloadCharacterDirectory(client)
        ids = [cms.character(name) for name in ("Mira", "Tom", "Zed")]
        for each, db_id in zip(ids, (ours, theirs, ours), strict=True):
            directory.link(each, library_db_id=db_id, library_character_id=None)
        with monkeypatch.context() as patch:
            patch.setattr(characters, "list_all", None)
            found = directory.linked(ours)
            assert {each.id for each in found} == {ids[0], ids[2]}
            assert {each.library_db_id for each in found} == {ours}
            assert directory.linked("e" * 24) == ()
    # Where no field can be asked for, nobody is overlooked.
    options = PayloadOptions(library_db_id=("remoteId",))
    with PayloadClient(cms.url, api_key=cms.api_key, options=options) as client:
        assert PayloadCharacterDirectory(client).linked(ours) == ()


def test_a_collection_without_the_field_is_told(server: PayloadServer) -> None:
    options = PayloadOptions(library_db_id=("remoteId",))
    with (
        PayloadClient(server.url, api_key=server.api_key, options=options) as client,
        pytest.raises(StorageError, match="none of the fields remoteId"),
    ):
        PayloadCharacterDirectory(client).link(
            server.character(), library_db_id=ONE, library_character_id=None
        )
