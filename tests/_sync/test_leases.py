# Generated from tests/_async/test_leases.py by tools/unasync.py. Do not edit.
"""One operation at a time on each character, by its lease."""

from __future__ import annotations

import os
from typing import Any

import pytest

from charimg import CharacterLibraryError, GenerationInProgress, InvalidArgument, Timeouts

from .world import LENA, MAX, World


def test_a_held_lease_refuses_a_second_operation_and_sends_nothing() -> None:
    world = World()
    world.link()
    lease = world.ledger.acquire(LENA, owner="another", ttl=100)
    with pytest.raises(GenerationInProgress) as caught:
        world.service.generate_reference(LENA, prompt="one")
    assert caught.value.holder == "another"
    assert world.simulator.requests == []
    world.ledger.release(lease)
    world.service.generate_reference(LENA, prompt="one")


def test_the_lease_names_the_process_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may fork after it made its service, and the lease of a dead parent is free."""
    world = World()
    world.link()
    acquire, owners = world.ledger.acquire, []

    def watched(character_id: str, /, **options: Any) -> Any:
        owners.append(options["owner"])
        return acquire(character_id, **options)

    monkeypatch.setattr(world.ledger, "acquire", watched)
    world.service.generate_reference(LENA, prompt="one")
    parent = os.getpid()
    with monkeypatch.context() as forked:
        forked.setattr(os, "getpid", lambda: parent + 1)
        world.service.generate_reference(LENA, prompt="one")
    assert [owner.split(":")[1] for owner in owners] == [str(parent), str(parent + 1)]


def test_other_characters_do_not_wait() -> None:
    world = World()
    world.link(MAX, library_db_id=world.simulator.add_character(name="Max"))
    world.ledger.acquire(LENA, owner="another", ttl=100)
    world.service.generate_reference(MAX, prompt="one")
    assert len(world.images(MAX)) == 1


def test_the_lease_is_given_up_after_success_and_failure() -> None:
    world = World()
    world.link()
    world.simulator.switches.generation_errors = 1
    with pytest.raises(CharacterLibraryError):
        world.service.generate_reference(LENA, prompt="one")
    world.service.generate_reference(LENA, prompt="one")
    world.ledger.acquire(LENA, owner="another", ttl=100)


def test_the_lease_outlives_the_longest_generation() -> None:
    with pytest.raises(InvalidArgument, match="lease_seconds must exceed"):
        World(lease_seconds=Timeouts().generation)
    with pytest.raises(InvalidArgument, match="concurrency"):
        World(concurrency=0)
    assert World(lease_seconds=Timeouts().generation + 1)
