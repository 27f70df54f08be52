"""A Dask cluster as an executor: every call ends, whatever becomes of workers and scheduler."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dask
import pytest
from distributed import Client, KilledWorker

from charimg import ConfigurationError, ImageKind
from charimg.bulk import BulkOutcome, BulkTask, DaskExecutor, run_bulk

from ..holding import held
from ..patience import until
from .clusters import local
from .conftest import no_hang
from .stage import SHOTS, Stage

SECONDS = 300.0
"""After which a call that has not ended never will."""


@pytest.fixture(scope="module")
def cluster(pytestconfig: pytest.Config) -> Iterator[Any]:
    """Two workers with four threads each, in this process."""
    cluster = local()
    yield cluster
    with no_hang(pytestconfig, SECONDS):
        cluster.close()


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    with Client(cluster, set_as_default=False) as client:
        yield client


@pytest.fixture
def executor(client: Any) -> Iterator[DaskExecutor]:
    with DaskExecutor(client) as executor:
        yield executor


def error_of(future: Future[Any]) -> BaseException:
    error = future.exception(SECONDS)
    assert error is not None
    return error


# What becomes of calls


def test_results_and_errors_come_back(executor: DaskExecutor) -> None:
    def fails(error: Exception, *, add: str) -> None:
        error.add_note(add)
        raise error

    assert executor.threads == 8
    assert [each.result(SECONDS) for each in [executor.submit(pow, 2, n) for n in range(9)]] == [
        2**n for n in range(9)
    ]
    # Also those that look as if the connection had failed.
    for error in (ValueError("a"), FileNotFoundError("b"), ConnectionError("c")):
        caught = error_of(executor.submit(fails, error, add="note"))
        assert (type(caught), caught.__notes__) == (type(error), ["note"])
    assert type(error_of(executor.submit(len, threading.Lock()))) is TypeError
    assert executor.submit(len, "four").result(SECONDS) == 4


def test_equal_calls_are_all_made(executor: DaskExecutor) -> None:
    made: list[int] = []
    # The workers are threads of this process, so this is the list itself.
    _lists["made"] = made
    for each in [executor.submit(_append, 1) for _ in range(5)]:
        each.result(SECONDS)
    assert made == [1] * 5


_lists: dict[str, list[int]] = {}


def _append(value: int) -> None:
    _lists["made"].append(value)


_opened = threading.Event()


def _wait() -> bool:
    return _opened.wait(SECONDS)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Until it is set, `_wait` does not return."""
    _opened.clear()
    yield _opened
    _opened.set()


def test_the_end_waits_for_what_was_handed_out(client: Any, gate: threading.Event) -> None:
    with DaskExecutor(client) as executor:
        future = executor.submit(_wait)
        until(lambda: any(client.processing().values()))
        assert not future.cancel()
        threading.Timer(0.2, gate.set).start()
    assert future.done()
    assert future.result()
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(_wait)


@pytest.mark.parametrize("options", [{"wait": False}, {"cancel_futures": True}])
def test_an_end_that_does_not_wait(
    client: Any, gate: threading.Event, options: dict[str, bool]
) -> None:
    executor = DaskExecutor(client)
    futures = [executor.submit(_wait) for _ in range(2)]
    executor.shutdown(**options)
    for each in futures:
        assert isinstance(error_of(each), BrokenExecutor)


# What becomes of the cluster


class Clock:
    """Stands in for `time` where it is told how long no worker was seen at work."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("charimg.bulk.dask.time", clock)
    return clock


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_what_kills_its_workers_is_given_up_and_the_rest_is_done(
    stage: Stage, tmp_path: Path
) -> None:
    ids = stage.references("a", "b")
    with (
        dask.config.set(
            {
                "distributed.scheduler.allowed-failures": 0,
                # See test_dask_killed.py: two are lost, perhaps within that time.
                "distributed.deploy.lost-worker-timeout": "1 hour",
            }
        ),
        local(n_workers=1, threads_per_worker=1, processes=True) as cluster,
        Client(cluster, set_as_default=False) as client,
        DaskExecutor(client) as executor,
    ):
        assert isinstance(error_of(executor.submit(_die)), KilledWorker)
        run = partial(
            run_bulk,
            "portfolio",
            ids,
            open_service=stage.opener("a"),
            executor=executor,
            in_flight=1,
            manifest=tmp_path / "run.jsonl",
        )
        first, second = run(), run()
    assert stage.killed == {"a"}
    assert [each.outcome for each in first.results] == [BulkOutcome.INTERRUPTED, BulkOutcome.DONE]
    assert first.codes == {"KILLED_WORKER": 1}
    assert first.results[0].message == "The worker gave no result (KilledWorker)."
    assert first.stopped is None
    assert (second.complete, second.results[0].recovered) == (True, True)
    assert stage.counters.set360_posts == 2
    assert len(stage.images("a", ImageKind.PORTFOLIO_ITEM)) == SHOTS


def test_a_cluster_without_workers(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    ids = stage.references("a", "b", "c")
    tasks = [BulkTask(character_id=each, options={"scene_context": "."}) for each in ids]
    with (
        local(n_workers=0) as cluster,
        Client(cluster, set_as_default=False) as client,
        DaskExecutor(client, patience=0.5) as executor,
    ):
        processing = client.processing

        async def counted() -> Any:
            # Its patience ends when both are handed out.
            clock.now += len(executor._calls) // 2
            return await processing()

        monkeypatch.setattr(client, "processing", counted)
        report = run_bulk(
            "scene", tasks, open_service=stage.opener(), executor=executor, in_flight=2
        )
        with pytest.raises(BrokenExecutor, match="0 workers"):
            executor.submit(pow, 2, 3)
    assert report.stopped == (
        "No worker of the Dask cluster was seen at work for 0.5 seconds, though there is work; it "
        "has 0 workers."
    )
    assert [each.outcome for each in report.results] == [BulkOutcome.INTERRUPTED] * 2
    assert {each.message for each in report.results} == {report.stopped}
    assert report.codes == {"WORKER_LOST": 2}
    assert stage.counters.scene_posts == 0


def test_what_no_worker_has_can_be_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    with (
        local(n_workers=0) as cluster,
        Client(cluster, set_as_default=False) as client,
        DaskExecutor(client) as executor,
    ):
        dropped, kept = executor.submit(pow, 2, 3), executor.submit(pow, 2, 4)
        # Until the scheduler has said in time that no worker has it.
        until(dropped.cancel)
        assert dropped.cancel()
        assert wait([dropped], SECONDS).done == {dropped}
        cluster.scale(1)
        assert kept.result(SECONDS) == 16
        assert not kept.cancel()
    gc.collect()
    assert [each.getMessage() for each in caplog.records if each.name == "asyncio"] == []


@pytest.mark.parametrize(
    "address",
    ["nonsense", "foo://127.0.0.1:1", "http://127.0.0.1:1", "tls://127.0.0.1:1", "tcp://h:p", ""],
)
def test_what_is_no_address_makes_no_client(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr("distributed.Client", lambda *args, **_: made.append(args))
    with pytest.raises(ConfigurationError, match=r"tcp://scheduler:8786|name none"):
        DaskExecutor.connect(address)
    assert made == []


def test_workers_may_come_later() -> None:
    with (
        local(n_workers=0) as cluster,
        Client(cluster, set_as_default=False) as client,
        DaskExecutor(client) as executor,
    ):
        future = executor.submit(pow, 2, 3)
        assert executor.threads == 0
        cluster.scale(1)
        assert future.result(SECONDS) == 8


def test_a_cluster_that_is_busy_is_waited_for(
    client: Any, gate: threading.Event, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    answers = 0
    processing = client.processing

    async def counted() -> Any:
        nonlocal answers
        working = await processing()
        if any(working.values()):
            answers += 1
            # More than half of its patience from one question to the next.
            clock.now += 0.6
            if answers == 2:
                raise OSError("The scheduler does not listen just now.")
            if answers == 5:
                gate.set()
        return working

    monkeypatch.setattr(client, "processing", counted)
    with DaskExecutor(client, patience=1.0) as executor:
        assert executor.submit(_wait).result(SECONDS)
        assert executor.submit(pow, 2, 3).result(SECONDS) == 8
    assert clock.now >= 3.0


def test_whether_a_call_has_begun_is_asked_again_when_nobody_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        local(n_workers=0) as cluster,
        Client(cluster, set_as_default=False) as client,
        DaskExecutor(client) as executor,
    ):
        future = executor.submit(pow, 2, 3)
        with monkeypatch.context() as silent:
            silent.setattr("charimg.bulk.dask._ANSWERING", 0.01)
            silent.setattr(client, "processing", partial(asyncio.sleep, 3600))
            assert not future.cancel()
        until(future.cancel)


def test_a_call_that_has_begun_is_cancelled_only_when_its_worker_is_lost(
    client: Any, gate: threading.Event, executor: DaskExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    future = executor.submit(_wait)
    until(lambda: any(client.processing().values()))
    (at_work,) = (worker for worker, calls in client.processing().items() if calls)
    assert not future.cancel()
    with monkeypatch.context() as done:
        # A worker that has done it is no longer told to have it.
        done.setattr(client, "processing", partial(asyncio.sleep, 0, {at_work: ()}))
        assert not future.cancel()
    monkeypatch.setattr(client, "processing", partial(asyncio.sleep, 0, {}))
    until(future.cancel)
    gate.set()


def test_a_scheduler_that_does_not_answer(
    client: Any, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "processing", partial(asyncio.sleep, 3600))
    monkeypatch.setattr("charimg.bulk.dask._ANSWERING", 0.1)
    with DaskExecutor(client, patience=0.5) as executor:
        future = executor.submit(_wait)
        assert not future.cancel()
        error = error_of(future)
    assert isinstance(error, BrokenExecutor)
    assert "seen at work" in str(error)


def test_a_client_that_is_closed(cluster: Any, gate: threading.Event) -> None:
    client = Client(cluster, set_as_default=False)
    executor = DaskExecutor(client)
    waiting = executor.submit(_wait)
    client.close()
    assert isinstance(error_of(waiting), BrokenExecutor)
    with pytest.raises(BrokenExecutor, match="out of reach"):
        executor.submit(_wait)
    other = DaskExecutor(client)
    with pytest.raises(BrokenExecutor, match="out of reach"):
        other.submit(_wait)
    other.shutdown()


def test_a_scheduler_that_is_lost(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lost(*_: Any, **__: Any) -> Any:
        raise OSError("The connection is closed.")

    monkeypatch.setattr(client, "gather", lost)
    with DaskExecutor(client) as executor:
        error = error_of(executor.submit(pow, 2, 3))
        assert isinstance(error, BrokenExecutor)
        assert "out of reach" in str(error)
        with pytest.raises(BrokenExecutor, match="out of reach"):
            executor.submit(pow, 2, 3)


def test_whether_a_call_has_begun_is_not_known_when_the_client_stands_still(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("charimg.bulk.dask._ANSWERING", 0.01)
    with asyncio.Runner() as still:
        loop = SimpleNamespace(asyncio_loop=still.get_loop())
        client: Any = SimpleNamespace(loop=loop, processing=partial(asyncio.sleep, 0, {}))
        assert DaskExecutor(client)._at_work() is None
        still.run(asyncio.sleep(0))


# The connection


def test_an_executor_of_its_own_connection(cluster: Any) -> None:
    with DaskExecutor.connect(cluster.scheduler_address) as executor:
        assert executor.submit(pow, 2, 3).result(SECONDS) == 8
    with pytest.raises(RuntimeError, match="shut down"):
        executor.submit(pow, 2, 3)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x", "tcp://"])
def test_where_no_scheduler_is(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("charimg.bulk.dask._CONNECTING", 0.3)
    before = threading.enumerate()
    with pytest.raises(ConfigurationError, match="No Dask scheduler answers at"):
        DaskExecutor.connect(address)
    # The loop of a client that did not come to be ends with it.
    begun = [each.name for each in threading.enumerate() if each not in before]
    assert "IO loop" not in begun


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'charimg\[bulk\]'"):
        DaskExecutor.connect("tcp://127.0.0.1:8786")


# Bulk work


def test_the_limit_holds_over_all_workers(stage: Stage, executor: DaskExecutor) -> None:
    ids = stage.references(*(f"c{n:02}" for n in range(9)))
    tasks = [BulkTask(character_id=each, options={"scene_context": "."}) for each in ids]
    stage.switch(generation_seconds=0.5)
    assert executor.threads == 8
    run = partial(run_bulk, "scene", tasks, open_service=stage.opener(), in_flight=3)
    with ThreadPoolExecutor(1) as beside, held(stage.server.simulator) as release:
        running = beside.submit(run, executor=executor)
        until(lambda: stage.server.simulator.most_generations_at_once == 3)
        release()
        report = running.result(SECONDS)
    assert report.complete, report.failures
    assert stage.server.simulator.most_generations_at_once == 3
    assert stage.counters.scene_posts == 9


def test_a_character_that_two_workers_have_is_drawn_once(stage: Stage) -> None:
    """A worker that is taken out of the cluster goes on with what another one is given, too."""
    (one,) = stage.references("a")
    task = BulkTask(character_id=one, options={"scene_context": "."})
    with (
        local(threads_per_worker=1) as cluster,
        Client(cluster, set_as_default=False) as client,
        DaskExecutor(client) as executor,
        ThreadPoolExecutor(1) as beside,
        held(stage.server.simulator) as release,
    ):
        run = partial(run_bulk, "scene", [task], open_service=stage.opener())
        running = beside.submit(run, executor=executor)
        until(lambda: stage.counters.scene_posts == 1)
        (at_work,) = (worker for worker, calls in client.processing().items() if calls)
        client.retire_workers([at_work], close_workers=False)
        (result,) = running.result(SECONDS).results
        release()
    # The other one was refused the character.
    assert result.outcome == BulkOutcome.IN_PROGRESS
    # Both have ended here. What the first one has drawn is there.
    assert len(stage.images(one, ImageKind.SCENE)) == stage.counters.scene_posts == 1
