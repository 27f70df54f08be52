"""For tests of hosts: the simulator of the Character Library, conformance suites for own stores.

Nothing here needs a test framework. Names load when they are first used. The in-memory stores to
test with are those of `charimg.stores`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conformance import CharacterDirectoryContract as CharacterDirectoryContract
    from .conformance import Contract as Contract
    from .conformance import GenerationLedgerContract as GenerationLedgerContract
    from .conformance import GenerationLedgerMachine as GenerationLedgerMachine
    from .conformance import MediaStoreContract as MediaStoreContract
    from .conformance import MediaStoreMachine as MediaStoreMachine
    from .conformance import MetadataRepositoryContract as MetadataRepositoryContract
    from .conformance import MetadataRepositoryMachine as MetadataRepositoryMachine
    from .conformance import run_contract as run_contract
    from .conformance import sync_view as sync_view
    from .server import SimulatorServer as SimulatorServer
    from .server import serve as serve
    from .simulator import SimulatedRequest as SimulatedRequest
    from .simulator import SimulatedResponse as SimulatedResponse
    from .simulator import Simulator as Simulator
    from .simulator import Switches as Switches

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

__all__ = [
    "CharacterDirectoryContract",
    "Contract",
    "GenerationLedgerContract",
    "GenerationLedgerMachine",
    "MediaStoreContract",
    "MediaStoreMachine",
    "MetadataRepositoryContract",
    "MetadataRepositoryMachine",
    "SimulatedRequest",
    "SimulatedResponse",
    "Simulator",
    "SimulatorServer",
    "Switches",
    "run_contract",
    "serve",
    "sync_view",
]


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{module}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
