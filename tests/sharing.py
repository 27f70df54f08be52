"""How the tests are shared out among the workers.

What needs the same server runs on one worker, so that it is started once; so does a file, for what
its tests share. Tests that take long by themselves come first, each for itself.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import pytest
from xdist.scheduler import LoadScopeScheduling

__all__ = ["share", "sharing", "takes_long"]

_EACH = ("bulk", "crash", "hostile", "machines", "race")
_FIRST = (*_EACH, "stores/payload")
_SERVERS = ("payload", "s3_and_postgres")
_PARTS = 8
"""Into how many shares the combinations go that need no server."""


def share(nodeid: str) -> str:
    """Return the name of the share that a test belongs to."""
    path, _, name = nodeid.partition("::")
    room = path.removeprefix("tests/")
    if room.startswith(_EACH):
        return nodeid
    if room.startswith("stores/payload/"):
        return "stores/payload"
    if room.endswith("/test_combinations.py"):
        _, _, combination = name.partition("[")
        for server in _SERVERS:
            if combination.startswith(server):
                return f"{room} {server}"
        return f"{room} {crc32(name.encode()) % _PARTS}"
    return room


def takes_long(nodeid: str) -> bool:
    """Tell whether a share would keep one worker busy after the others if it came last."""
    name = share(nodeid).removeprefix("tests/")
    return name.startswith(_FIRST) or name.endswith(_SERVERS)


def sharing(config: pytest.Config, log: Any) -> Any:
    """Return a scheduler that gives whole shares to the workers, in the order of collection."""
    config.option.loadscopereorder = False
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = share
    return scheduler
