"""How a contract is asked whether it catches a broken store."""

from __future__ import annotations

from typing import Any

from charimg.errors import CharimgError
from charimg.models import Media
from charimg.stores.memory import MemoryMediaStore
from charimg.testing import run_contract
from charimg.testing.conformance import Contract


def suite_of(contract: type[Contract], make: Any) -> Any:
    return type("Suite", (contract,), {"make": lambda self: make(), "many": 60})()


def failures_of(contract: type[Contract], make: Any) -> dict[str, Exception]:
    return run_contract(suite_of(contract, make))


def caught(contract: type[Contract], make: Any, test: str) -> bool:
    """Tell whether that test alone catches it: by what it demands, or by what the store refuses.

    Any other exception is a mistake in the store that is made to be broken.
    """
    try:
        getattr(suite_of(contract, make), test)()
    except (AssertionError, CharimgError):
        return True
    return False


class Hidden:
    """What a store no longer tells, but still has."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: list[str] = []

    def delete(self, key: str, /) -> bool:
        deleted: bool = super().delete(key)  # type: ignore[misc]
        self.hidden += [key] * deleted
        return deleted


class NoUrl(MemoryMediaStore):
    def locate(self, media: Media, /) -> Media:
        return media
