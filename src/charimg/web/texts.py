"""The texts of the images page, by key."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {
    "title": "Images",
    "index_title": "Characters",
    "index_ask": "Character id",
    "index_open": "Open",
    "index_empty": "There is no character yet. Add one with: charimg characters add",
}
