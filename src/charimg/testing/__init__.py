"""For tests of hosts: the simulator of the Character Library, conformance suites for own stores.

Nothing here needs a test framework. Names load when they are first used. The in-memory stores to
test with are those of `charimg.stores`.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# One line per name: where it lives.
_HOME = {
    "CharacterDirectoryContract": "conformance",
    "Contract": "conformance",
    "GenerationLedgerContract": "conformance",
    "GenerationLedgerMachine": "conformance",
    "MediaStoreContract": "conformance",
    "MediaStoreMachine": "conformance",
    "MetadataRepositoryContract": "conformance",
    "MetadataRepositoryMachine": "conformance",
    "SimulatedRequest": "simulator",
    "SimulatedResponse": "simulator",
    "Simulator": "simulator",
    "SimulatorServer": "server",
    "Switches": "simulator",
    "run_contract": "conformance",
    "serve": "server",
    "sync_view": "conformance",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
