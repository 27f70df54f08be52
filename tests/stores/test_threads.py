"""Blocking calls of async stores: a cancelled caller waits for the end of what it began."""

from __future__ import annotations

import asyncio
import hashlib
import io
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from charimg._surely import unbroken
from charimg.models import Upload
from charimg.stores._threads import in_thread
from charimg.stores.disk import AsyncDiskMediaStore
from charimg.stores.disk import aio as disk_aio
from charimg.stores.sqlite import AsyncSqliteGenerationLedger, SqliteDatabase

both = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])


class Gate:
    """Holds a thread in the middle of its work."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()

    def pass_through(self) -> None:
        self.entered.set()
        assert self._open.wait(600)

    def open(self) -> None:
        self._open.set()

    async def reached(self) -> None:
        while not self.entered.is_set():
            await anyio.sleep(0.001)


async def cancelled_in_the_middle(call: Awaitable[Any], gate: Gate, times: int = 1) -> None:
    """Cancel a task at the gate, as asyncio does it, and show that it waits for the thread."""
    task = asyncio.ensure_future(call)
    await gate.reached()
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done(), "it waits"
    gate.open()
    with pytest.raises(asyncio.CancelledError):
        await task


@both
@pytest.mark.anyio
async def test_results_and_errors_come_back(anyio_backend: str) -> None:
    assert await in_thread(lambda: threading.current_thread() is threading.main_thread()) is False
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


@pytest.mark.anyio
async def test_a_cancelled_task_waits_for_its_thread() -> None:
    gate, done = Gate(), []

    def work() -> None:
        gate.pass_through()
        done.append(1)

    await cancelled_in_the_middle(in_thread(work), gate, times=3)
    assert done == [1]


@pytest.mark.anyio
async def test_a_call_that_had_not_begun_never_does(monkeypatch: pytest.MonkeyPatch) -> None:
    late: list[Callable[[], object]] = []

    async def busy(work: Callable[[], object]) -> None:
        late.append(work)
        await asyncio.Event().wait()

    monkeypatch.setattr(anyio.to_thread, "run_sync", busy)
    done: list[int] = []
    task = asyncio.ensure_future(in_thread(lambda: done.append(1)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    # The thread gets to it at last.
    with pytest.raises(RuntimeError, match="cancelled before the call began"):
        late[0]()
    assert done == []


@pytest.mark.anyio
async def test_a_cancelled_task_waits_for_a_call_that_must_not_be_broken_off() -> None:
    entered, go_on, done = asyncio.Event(), asyncio.Event(), []

    async def call() -> None:
        entered.set()
        await go_on.wait()
        done.append(1)
        raise ZeroDivisionError

    task = asyncio.ensure_future(unbroken(call))
    await entered.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done(), "it waits"
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == [1]


# What the stores make of it


@pytest.mark.anyio
async def test_a_lease_that_a_cancelled_task_took_is_given_up(tmp_path: Path) -> None:
    gate = Gate()

    def clock() -> float:
        gate.pass_through()
        return 1_700_000_000.0

    async with SqliteDatabase(tmp_path / "a.sqlite") as database:
        ledger = AsyncSqliteGenerationLedger(database, clock=clock)
        await cancelled_in_the_middle(ledger.acquire("mira", owner="a", ttl=60), gate)
        lease = await ledger.acquire("mira", owner="b", ttl=60)
        assert (lease.owner, lease.token) == ("b", 2), "the first was taken, and given up"


def _upload(file: io.BytesIO) -> Upload:
    content = file.getvalue()
    return Upload(
        key="k",
        file=file,
        filename="reference-k.png",
        mime_type="image/png",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )


@pytest.mark.anyio
async def test_a_save_ends_before_its_caller_closes_the_file(tmp_path: Path) -> None:
    gate = Gate()

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            gate.pass_through()
            return super().read(size)

    store = AsyncDiskMediaStore(tmp_path)

    async def save() -> None:
        with Slow(b"content") as file:
            await store.save(_upload(file))

    await cancelled_in_the_middle(save(), gate)
    media = await store.get("k")
    assert media is not None
    assert store.path(media).read_bytes() == b"content"
    assert list((tmp_path / ".incoming").iterdir()) == []


@pytest.mark.anyio
async def test_a_file_that_a_cancelled_task_opened_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, gate, opened = AsyncDiskMediaStore(tmp_path), Gate(), []
    await store.save(_upload(io.BytesIO(b"content")))
    real = disk_aio.open_file

    def slow(*args: Any) -> Any:
        gate.pass_through()
        path, file = real(*args)
        opened.append(file)
        return path, file

    monkeypatch.setattr(disk_aio, "open_file", slow)

    async def read() -> None:
        async with store.open("k"):
            raise AssertionError("It was cancelled before.")

    await cancelled_in_the_middle(read(), gate)
    assert [file.closed for file in opened] == [True]
