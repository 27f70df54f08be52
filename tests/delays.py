"""Delays where a busy machine puts them, for tests that pass only because a machine is quick.

A plugin of pytest, for ``make slow``. Now and then a thread starts late, a hop to a thread takes
its time, and so do the simulator, the SQLite ledger and what the page fetches. No processor is used
for it, so many workers may run at once. What fails then relies on a time or on an order that
nothing makes sure of.

``CHARIMG_DELAY`` is the longest delay, in seconds; 0.3 unless told otherwise.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any

import anyio
import anyio.to_thread

from charimg.stores import SqliteGenerationLedger
from charimg.testing import Simulator

LONGEST = float(os.environ.get("CHARIMG_DELAY", "0.3"))
SHARE = 0.3
"""Of what may be late, how much is."""

_dice = random.Random()
_sleep = time.sleep
_FETCH = f"""
  const {{ fetch, setTimeout }} = window;
  const late = () => new Promise((done) => {{
    setTimeout(done, Math.random() < {SHARE} ? Math.random() * {LONGEST * 1000} : 0);
  }});
  window.fetch = async (...given) => {{
    await late();
    const answer = await fetch.call(window, ...given);
    await late();
    return answer;
  }};
"""


def _late() -> None:
    if _dice.random() < SHARE:
        _sleep(LONGEST * _dice.random())


def _slow(owner: Any, *names: str) -> None:
    """Put a delay before and after each call of these methods."""
    for name in names:
        setattr(owner, name, _around(getattr(owner, name)))


def _around(call: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(call)
    def late(*args: Any, **options: Any) -> Any:
        _late()
        try:
            return call(*args, **options)
        finally:
            _late()

    return late


def _in_threads(hop: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(hop)
    async def late(call: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return await hop(_around(call), *args, **options)

    return late


_slow(threading.Thread, "run")
_slow(Simulator, "handle")
_slow(SqliteGenerationLedger, "acquire", "write", "release")
anyio.to_thread.run_sync = _in_threads(anyio.to_thread.run_sync)

try:
    from playwright.sync_api import BrowserContext
except ImportError:  # the tests in a browser are skipped
    pass
else:
    _new_page = BrowserContext.new_page

    def _page(self: BrowserContext, **options: Any) -> Any:
        page = _new_page(self, **options)
        page.add_init_script(f"{{{_FETCH}}}")
        return page

    BrowserContext.new_page = _page  # type: ignore[method-assign]
