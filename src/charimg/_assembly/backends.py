"""Which classes a settings URL leads to, loaded when they are needed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .. import stores
from .places import Place
from .settings import StoreSettings

__all__ = ["Opener"]

API_KEY = "PAYLOAD_API_KEY"
_NAMES = {"sqlite": "Sqlite", "postgresql": "Postgres", "payload": "Payload"}


class Opener:
    """Makes the stores of one mode; places that are equal share one database or client.

    Args:
        settings: Where everything is kept.
        prefix: What the class names begin with: nothing, or ``Async``.
        owned: Told of every database and client that has to be closed after use.
    """

    def __init__(
        self, settings: StoreSettings, prefix: str, owned: Callable[[Any], object]
    ) -> None:
        self._settings = settings
        self._prefix = prefix
        self._owned = owned
        self._shared: dict[Place, Any] = {}

    def characters(self) -> Any:
        """Make the character directory."""
        return self._store(self._settings.characters, "CharacterDirectory")

    def metadata(self) -> Any:
        """Make the metadata repository."""
        return self._store(self._settings.metadata, "MetadataRepository")

    def ledger(self) -> Any:
        """Make the ledger."""
        return self._store(self._settings.ledger, "GenerationLedger")

    def media(self) -> Any:
        """Make the media store."""
        place = self._settings.media
        if place.backend == "file":
            disk = self._class("DiskMediaStore")
            return disk(place.path, base_url=self._settings.media_url)
        if place.backend == "s3":
            return self._class("S3MediaStore").from_url(place.url)
        return self._store(place, "MediaStore")

    def _store(self, place: Place, port: str) -> Any:
        if place not in self._shared:
            self._shared[place] = made = self._base(place)
            self._owned(made)
        return self._class(_NAMES[place.backend] + port)(self._shared[place])

    def _base(self, place: Place) -> Any:
        if place.backend == "sqlite":
            # One class serves both modes.
            return stores.SqliteDatabase(place.path)
        if place.backend == "postgresql":
            return self._class("PostgresDatabase").from_url(place.url)
        key = os.environ.get(API_KEY) or None
        return self._class("PayloadClient").from_url(place.url, api_key=key)

    def _class(self, name: str) -> Any:
        return getattr(stores, self._prefix + name)
