"""The ``charimg`` command. Needs the extra ``cli`` (typer and rich)."""

from __future__ import annotations

import sys
from importlib.util import find_spec

__all__ = ["main"]

_NEEDED = ("typer", "rich")


def main() -> None:
    """Run the command with the process's own arguments, and exit with its code."""
    if any(find_spec(name) is None for name in _NEEDED):
        sys.stderr.write("The charimg command needs more packages: pip install 'charimg[cli]'\n")
        raise SystemExit(2)
    try:
        from .app import app

        app(prog_name="charimg")
    except KeyboardInterrupt:
        # Before a command began, or after it ended; within, it tells what to do.
        raise SystemExit(130) from None
