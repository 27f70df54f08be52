"""Names who holds a lease, so that one left by a dead process of this machine can be told."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

__all__ = ["new_owner", "owner_is_dead"]


def _machine() -> str:
    """Return this host, as it has been since it booted: a pid means nothing beyond that."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        boot = "-"
    return f"{socket.gethostname()}/{boot}".replace(":", "_")


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; ``-`` where that is not told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "-"
    # The command name stands in parentheses and may hold spaces; the start time is field 22.
    return stat.rpartition(")")[2].split()[19]


def new_owner() -> str:
    """Return a name of this process, unique per call: ``host/boot:pid:start:random``."""
    pid = os.getpid()
    return f"{_machine()}:{pid}:{_started(pid)}:{secrets.token_hex(4)}"


def owner_is_dead(owner: str) -> bool:
    """Tell whether an owner is a process of this very machine that no longer lives.

    ``False`` whenever that is not certain, for example for another host's process.
    """
    parts = owner.split(":")
    if len(parts) != 4 or parts[0] != _machine() or not parts[1].isdigit():
        return False
    pid = int(parts[1])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    # The pid may have been given to a newer process.
    return _started(pid) != parts[2]
