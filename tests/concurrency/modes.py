"""A plain worker in any mode, and what it may raise."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

import anyio

from charimg._concurrency import Outcome, arun_bounded, run_bounded

MODES = ["sync", "asyncio", "trio"]
LONG = 60.0
"""Seconds that nothing takes: they are cut short."""

Worker = Callable[[Any], Any]


def run(
    mode: str,
    worker: Worker,
    items: list[Any],
    *,
    limit: int = 3,
    handle: Callable[[Any, Outcome[Any]], None] | None = None,
    settle: Callable[[], None] | None = None,
    pause: float = 0.0,
    discard: Callable[[Any], None] | None = None,
) -> list[tuple[Any, Outcome[Any]]]:
    """Run a plain worker in any mode; ``pause`` is how long each one takes first."""
    handled: list[tuple[Any, Outcome[Any]]] = []

    def take(item: Any, outcome: Outcome[Any]) -> None:
        if handle is not None:
            handle(item, outcome)
        handled.append((item, outcome))

    if mode == "sync":

        def work(item: Any) -> Any:
            time.sleep(pause)
            return worker(item)

        run_bounded(work, items, limit=limit, handle=take, settle=settle, discard=discard)
        return handled

    async def awork(item: Any) -> Any:
        await anyio.sleep(pause)
        return worker(item)

    async def atake(item: Any, outcome: Outcome[Any]) -> None:
        take(item, outcome)

    async def asettle() -> None:
        if settle is not None:
            settle()

    async def main() -> None:
        await arun_bounded(
            awork,
            items,
            limit=limit,
            handle=atake,
            settle=None if settle is None else asettle,
            discard=discard,
        )

    anyio.run(main, backend=mode)
    return handled


def run_async(main: Callable[[], Coroutine[Any, Any, Any]], backend: str = "asyncio") -> Any:
    return anyio.run(main, backend=backend)


class Broken(Exception):
    pass


class Stopped(BaseException):
    pass
