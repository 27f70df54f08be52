"""The texts of the images page, by key."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {"title": "Images"}
