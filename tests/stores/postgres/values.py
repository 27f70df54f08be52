"""Short records and operations."""

from __future__ import annotations

from typing import Any

from charimg import CharacterImage, Operation


def image(key: str, **changes: Any) -> CharacterImage:
    fields: dict[str, Any] = {"character_id": "mira", "kind": "scene", "status": "failed"}
    return CharacterImage(key=key, **{**fields, **changes})


def operation(operation_id: str, **changes: Any) -> Operation:
    return Operation(id=operation_id, **{"kind": "scene", "character_id": "mira", **changes})
