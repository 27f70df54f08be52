"""Names who holds a lease, so that one left by a dead process of this machine can be told."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

__all__ = ["abandon", "forget", "new_owner", "owner_is_dead"]

# On Windows, signal 0 is no question but Ctrl+C.
_CAN_ASK = os.name == "posix"
_UNKNOWN = "-"
_abandoned: set[str] = set()
"""Names that nobody in this process works under any more, though a lease may still have them."""


def _machine() -> str:
    """Return where a pid means something: this host since it booted, and this container on it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        pids = str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        boot = pids = _UNKNOWN
    return f"{socket.gethostname()}/{boot}/{pids}".replace(":", "_")


def _started(pid: int) -> str:
    """Return when a process started, in clock ticks since boot; ``-`` where that is not told."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return _UNKNOWN
    # The command name stands in parentheses and may hold spaces; the start time is field 22.
    state, *fields = stat.rpartition(")")[2].split()
    # One that has ended, but that its parent has not looked after yet, works on nothing. A killed
    # one looks like that when its first thread has ended; another may still be moving a file.
    return "ended" if state in "ZX" and threads <= 1 else fields[18]


def new_owner() -> str:
    """Return a name of this process, unique per call: ``host/boot/pids:pid:start:random``."""
    pid = os.getpid()
    return f"{_machine()}:{pid}:{_started(pid)}:{secrets.token_hex(4)}"


def abandon(owner: str) -> None:
    """Note that this process works no more under a name that it has given."""
    _abandoned.add(owner)


def forget(owner: str) -> None:
    """Take a name back that no lease has any more."""
    _abandoned.discard(owner)


def owner_is_dead(owner: str) -> bool:
    """Tell whether an owner is a process of this very machine that no longer lives.

    So is one of this process itself whose work has ended without giving its lease up.

    ``False`` whenever that is not certain, for example for another host's process.
    """
    if owner in _abandoned:
        return True
    parts = owner.split(":")
    if not _CAN_ASK or len(parts) != 4 or parts[0] != _machine() or not parts[1].isdecimal():
        return False
    pid = int(parts[1])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    # The pid may have been given to a newer process.
    started = _started(pid)
    return _UNKNOWN not in (started, parts[2]) and started != parts[2]
