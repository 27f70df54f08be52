"""Opens the stores that settings name, each database and each client once."""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack
from typing import Self

from attrs import field, frozen

from ..protocols import (
    AsyncCharacterDirectory,
    AsyncGenerationLedger,
    AsyncMediaStore,
    AsyncMetadataRepository,
    CharacterDirectory,
    GenerationLedger,
    MediaStore,
    MetadataRepository,
)
from .backends import Opener
from .settings import StoreSettings

__all__ = ["AsyncStores", "Stores", "async_open_stores", "open_stores"]


@frozen(kw_only=True)
class Stores:
    """The four stores, and what has to be closed after use."""

    directory: CharacterDirectory
    media: MediaStore
    metadata: MetadataRepository
    ledger: GenerationLedger
    owned: ExitStack = field(factory=ExitStack, repr=False)

    def close(self) -> None:
        """Close databases and clients."""
        self.owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


@frozen(kw_only=True)
class AsyncStores:
    """The async twin of `Stores`."""

    directory: AsyncCharacterDirectory
    media: AsyncMediaStore
    metadata: AsyncMetadataRepository
    ledger: AsyncGenerationLedger
    owned: AsyncExitStack = field(factory=AsyncExitStack, repr=False)

    async def aclose(self) -> None:
        """Close databases and clients."""
        await self.owned.aclose()


def open_stores(settings: StoreSettings) -> Stores:
    """Make the stores. Nothing is connected to before the first use.

    Raises:
        ConfigurationError: A URL is wrong, or an extra is missing.
    """
    owned = ExitStack()
    opener = Opener(settings, "", lambda made: owned.callback(made.close))
    return Stores(
        directory=opener.characters(),
        media=opener.media(),
        metadata=opener.metadata(),
        ledger=opener.ledger(),
        owned=owned,
    )


def async_open_stores(settings: StoreSettings) -> AsyncStores:
    """Make the async stores. Nothing is connected to before the first use.

    Raises:
        ConfigurationError: A URL is wrong, or an extra is missing.
    """
    owned = AsyncExitStack()
    opener = Opener(settings, "Async", lambda made: owned.push_async_callback(made.aclose))
    return AsyncStores(
        directory=opener.characters(),
        media=opener.media(),
        metadata=opener.metadata(),
        ledger=opener.ledger(),
        owned=owned,
    )
