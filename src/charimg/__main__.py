"""``python -m charimg`` is the ``charimg`` command."""

from __future__ import annotations

from .cli import main

main()
