# Generated from tests/_async/test_leases.py by tools/unasync.py. Do not edit.
"""One operation at a time on each character, by its lease."""

from __future__ import annotations

import os
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import pytest

from charimg import (
    CharacterLibraryError,
    GenerationInProgress,
    InvalidArgument,
    StorageError,
    Timeouts,
    _owner,
)

from .mishaps import prompts
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
        forked.setattr(_owner, "os", SimpleNamespace(**{**vars(os), "getpid": lambda: parent + 1}))
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


class _FullDisk:
    """A ledger whose disk is full from a step on: it can still be read."""

    def __init__(self, ledger: Any, state: str) -> None:
        self._ledger = ledger
        self._state = state
        self.full = False
        self.releases: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ledger, name)

    def release(self, lease: Any, /) -> None:
        self.releases.append(lease.character_id)
        if self.full:
            raise StorageError("The disk is full.")
        self._ledger.release(lease)

    def write(self, op: Any, /, *, lease: Any) -> None:
        self.full = self.full or op.state == self._state
        if self.full:
            raise StorageError("The disk is full.")
        self._ledger.write(op, lease=lease)


@pytest.mark.parametrize("state", ["started", "posting", "received", "done"])
def test_a_full_disk_locks_no_character(state: str) -> None:
    world = World()
    world.link()
    disk = _FullDisk(world.ledger, state)
    with pytest.raises(StorageError, match="full"):
        world.assemble(ledger=disk).generate_reference(LENA, prompt="one")
    assert disk.releases == [LENA] * 3
    # The lease stands, and this process knows that nobody works under it.
    paid = world.counts[0]
    report = world.service.recover(LENA)
    assert len(report.operations) == (state != "started")
    assert prompts(world) == (["one"] if paid else [])
    world.service.generate_scene(LENA, "A scene.") if paid else None
    assert world.counts[0] == paid
    world.check()


def test_a_lease_that_could_not_be_given_up_is_with_the_next_work_or_the_end() -> None:
    """Other processes and machines do not know that nobody works under it."""
    world = World()
    world.link(MAX, library_db_id=world.simulator.add_character(name="Max"))
    world.link()
    disk = _FullDisk(world.ledger, "done")
    service = world.assemble(ledger=disk)
    with ExitStack() as stack:
        stack.callback(service.close)
        with pytest.raises(StorageError):
            service.generate_reference(LENA, prompt="one")
        with pytest.raises(StorageError):
            service.generate_reference(MAX, prompt="one")
        assert disk.releases == [*[LENA] * 3, LENA, *[MAX] * 3]
        disk.full = False
    assert disk.releases[7:] == [LENA, MAX]
    world.service.recover()
    assert disk.releases[9:] == []


def test_a_lease_that_was_taken_all_the_same_locks_no_character(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    world.link()
    acquire = world.ledger.acquire

    def unheard(character_id: str, /, **options: Any) -> Any:
        acquire(character_id, **options)
        raise StorageError("The connection broke.")

    with monkeypatch.context() as broken:
        broken.setattr(world.ledger, "acquire", unheard)
        with pytest.raises(StorageError):
            world.service.generate_reference(LENA, prompt="one")
    world.service.generate_reference(LENA, prompt="one")
