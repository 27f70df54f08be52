"""One operation at a time on each character, by its lease."""

from __future__ import annotations

import os
from typing import Any

import pytest

from charimg import CharacterLibraryError, GenerationInProgress, InvalidArgument, Timeouts

from .world import LENA, MAX, AsyncWorld

pytestmark = pytest.mark.anyio


async def test_a_held_lease_refuses_a_second_operation_and_sends_nothing() -> None:
    world = AsyncWorld()
    await world.link()
    lease = await world.ledger.acquire(LENA, owner="another", ttl=100)
    with pytest.raises(GenerationInProgress) as caught:
        await world.service.generate_reference(LENA, prompt="one")
    assert caught.value.holder == "another"
    assert world.simulator.requests == []
    await world.ledger.release(lease)
    await world.service.generate_reference(LENA, prompt="one")


async def test_the_lease_names_the_process_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may fork after it made its service, and the lease of a dead parent is free."""
    world = AsyncWorld()
    await world.link()
    acquire, owners = world.ledger.acquire, []

    async def watched(character_id: str, /, **options: Any) -> Any:
        owners.append(options["owner"])
        return await acquire(character_id, **options)

    monkeypatch.setattr(world.ledger, "acquire", watched)
    await world.service.generate_reference(LENA, prompt="one")
    parent = os.getpid()
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: parent + 1)
        await world.service.generate_reference(LENA, prompt="one")
    assert [owner.split(":")[1] for owner in owners] == [str(parent), str(parent + 1)]


async def test_other_characters_do_not_wait() -> None:
    world = AsyncWorld()
    await world.link(MAX, library_db_id=world.simulator.add_character(name="Max"))
    await world.ledger.acquire(LENA, owner="another", ttl=100)
    await world.service.generate_reference(MAX, prompt="one")
    assert len(await world.images(MAX)) == 1


async def test_the_lease_is_given_up_after_success_and_failure() -> None:
    world = AsyncWorld()
    await world.link()
    world.simulator.switches.generation_errors = 1
    with pytest.raises(CharacterLibraryError):
        await world.service.generate_reference(LENA, prompt="one")
    await world.service.generate_reference(LENA, prompt="one")
    await world.ledger.acquire(LENA, owner="another", ttl=100)


async def test_the_lease_outlives_the_longest_generation() -> None:
    with pytest.raises(InvalidArgument, match="lease_seconds must exceed"):
        AsyncWorld(lease_seconds=Timeouts().generation)
    with pytest.raises(InvalidArgument, match="concurrency"):
        AsyncWorld(concurrency=0)
    assert AsyncWorld(lease_seconds=Timeouts().generation + 1)
