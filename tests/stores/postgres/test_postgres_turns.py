"""Threads that wait for a connection get one in the order in which they came."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from charimg.stores import PostgresDatabase, PostgresMetadataRepository
from charimg.stores.postgres.turns import Turns

SECONDS = 600.0


def test_who_has_it_and_wants_it_again_waits_behind_who_waits() -> None:
    turns, order = Turns(1), []
    assert turns.take(SECONDS)

    def other() -> None:
        assert turns.take(SECONDS)
        order.append("other")
        turns.give()

    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(other)
        while not turns._waiting:
            time.sleep(0.001)
        for _ in range(100):
            turns.give()
            assert turns.take(SECONDS)
            order.append("again")
        waiting.result(SECONDS)
    assert order.index("other") == 0


def test_a_turn_that_does_not_come_is_waited_for_no_longer() -> None:
    turns = Turns(1)
    assert turns.take(0)
    assert not turns.take(0.001)
    turns.give()
    assert turns.take(0), "nobody waits any more"


@pytest.mark.parametrize("interrupted", [False, True])
@pytest.mark.parametrize("came", [False, True])
def test_a_turn_is_lost_to_nobody(
    monkeypatch: pytest.MonkeyPatch, interrupted: bool, came: bool
) -> None:
    """Neither when it comes as the time is over, nor when who waits is interrupted."""
    turns = Turns(1)
    real = threading.Lock

    class Lock:
        def __init__(self) -> None:
            self._lock = real()

        def acquire(self, timeout: float | None = None) -> bool:
            if timeout is not None:
                if came:
                    turns.give()
                if interrupted:
                    raise KeyboardInterrupt
                return False
            return self._lock.acquire()

        def release(self) -> None:
            self._lock.release()

    assert turns.take(0)
    with monkeypatch.context() as patch:
        patch.setattr(threading, "Lock", Lock)
        if interrupted:
            with pytest.raises(KeyboardInterrupt):
                turns.take(SECONDS)
        else:
            assert turns.take(SECONDS) is came
    # Here the first turn goes on where it was not given up.
    assert turns.take(0) is (came and interrupted)
    assert not turns._waiting


def test_few_connections_do_for_many_threads(url: str) -> None:
    """However many calls the others make, each is served when it is its turn."""
    with PostgresDatabase(url, max_connections=1, timeout=SECONDS) as database:
        records = PostgresMetadataRepository(database)
        records.get("k")
        stop = threading.Event()

        def busy() -> None:
            while not stop.is_set():
                records.get("k")

        with ThreadPoolExecutor(3) as threads:
            running = [threads.submit(busy) for _ in range(3)]
            try:
                for _ in range(20):
                    assert records.get("k") is None
            finally:
                stop.set()
            for each in running:
                each.result(SECONDS)
