"""Ctrl-C means in the tests what it means on a terminal."""

from __future__ import annotations

import signal

__all__ = ["heed_ctrl_c"]


def heed_ctrl_c() -> None:
    """Heed SIGINT also where the shell that has started the suite ignores it, as `nohup` may.

    What a process ignores, those that it starts ignore, too; what it handles, they do not.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
