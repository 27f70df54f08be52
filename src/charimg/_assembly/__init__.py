"""Puts stores together: the embedded default, and what settings and the environment name."""

from __future__ import annotations
