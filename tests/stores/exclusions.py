"""Tests of the service that a combination of stores cannot run, each with the reason."""

from __future__ import annotations

__all__ = ["LEFT_OUT", "left_out"]

LEFT_OUT: dict[str, dict[str, str]] = {}


def left_out(name: str, combination: str) -> bool:
    """Whether the combination does not run the test."""
    return combination in LEFT_OUT.get(name, {})
