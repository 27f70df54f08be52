"""Suites that any implementation of a port can run: every sentence of the port is a test.

With pytest, subclass a contract and give it your store::

    class TestMyStore(MediaStoreContract):
        def make(self):
            return MyStore(...)

An async implementation runs the same suite: set ``backend`` to ``"asyncio"`` or ``"trio"``. `make`
then runs inside the event loop, and may be a coroutine function. Fixtures work as in any test
class. Without pytest, `run_contract` runs every test and returns the failures.

A machine (`MetadataRepositoryMachine`, `MediaStoreMachine`, `GenerationLedgerMachine`) makes the
same calls in any order and compares every answer with a plain model. It needs Hypothesis.

Every test uses new random keys and characters, so `make` may return a store that already holds
other data, a shared test database for example. What a test writes stays there.
"""

from __future__ import annotations

from .base import Contract, run_contract
from .directory import CharacterDirectoryContract
from .ledger import GenerationLedgerContract
from .machines import GenerationLedgerMachine, MediaStoreMachine, MetadataRepositoryMachine
from .media import MediaStoreContract
from .metadata import MetadataRepositoryContract
from .views import sync_view

__all__ = [
    "CharacterDirectoryContract",
    "Contract",
    "GenerationLedgerContract",
    "GenerationLedgerMachine",
    "MediaStoreContract",
    "MediaStoreMachine",
    "MetadataRepositoryContract",
    "MetadataRepositoryMachine",
    "run_contract",
    "sync_view",
]
