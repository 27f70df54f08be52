"""A Dask cluster of processes with PostgreSQL; its workers are killed at random."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import dask
import pytest
from attrs import evolve, frozen
from distributed import Client, LocalCluster, Status

from charimg import ImageKind
from charimg.bulk import BulkOutcome, BulkProgress, BulkReport, BulkTask, DaskExecutor, run_bulk

from ..figures import Figure
from ..patience import until
from ..servers.postgres import PostgresServer
from .clusters import local
from .stage import SHOTS, Stage

BOUND = 600.0
"""Seconds without any end of a task after which a run is given up, and told what it hangs on."""


@frozen
class Size:
    """How many workers, references and portfolios there are, and kills while each are drawn."""

    workers: int
    references: int
    portfolios: int
    kills: tuple[int, int]


SIZES = [
    pytest.param(Size(2, 12, 6, (0, 1)), id="some"),
    pytest.param(Size(3, 500, 50, (15, 10)), id="many", marks=pytest.mark.long),
]


@pytest.fixture
def shared(stage: Stage, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """The stage with PostgreSQL, found by the environment."""
    monkeypatch.setenv("CHARIMG_METADATA", postgres_server.new_database())
    monkeypatch.setenv("CHARIMG_DIR", str(stage.root))
    monkeypatch.setenv("CHARACTER_LIBRARY_API_URL", stage.server.url)
    return evolve(stage, from_env=True)


@pytest.fixture
def cluster(size: Size) -> Iterator[LocalCluster]:
    # A local cluster gives a worker up that is away some seconds after it was lost, and takes a
    # second loss for the first. No cluster loses so many.
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1 hour"}),
        local(n_workers=size.workers, threads_per_worker=1, processes=True) as cluster,
    ):
        yield cluster


class Killer:
    """Kills a worker at random, each time when a number of tasks has ended."""

    def __init__(self, cluster: LocalCluster, tasks: int, kills: int) -> None:
        self.cluster = cluster
        self.at = set(random.sample(range(1, tasks - 3), kills))
        self.killed = 0
        self.timers: list[threading.Timer] = []

    def __call__(self, progress: BulkProgress, /) -> None:
        if progress.done in self.at:
            self.timers.append(threading.Timer(random.uniform(0, 0.3), self.kill))
            self.timers[-1].start()

    def kill(self) -> None:
        # One that is just being started is not restarted by its nanny.
        until(lambda: bool(self.at_work()))
        os.kill(random.choice(self.at_work()).pid, signal.SIGKILL)
        self.killed += 1

    def at_work(self) -> list[Any]:
        """Return the nannies whose workers are there."""
        known = self.cluster.scheduler.workers
        nannies = list(self.cluster.workers.values())
        return [
            each
            for each in nannies
            if each.status == Status.running and each.worker_address in known and each.pid
        ]

    def join(self) -> None:
        """Wait for the last kill, and until every worker is there again."""
        for timer in self.timers:
            timer.join()
        until(lambda: len(self.at_work()) == len(self.cluster.workers))


@contextmanager
def bounded(
    cluster: LocalCluster, executor: DaskExecutor, manifest: Path
) -> Iterator[tuple[list[str], Callable[[], None]]]:
    """End a run that nothing is heard of for too long, and write down what it hangs on."""
    told: list[str] = []
    heard: Queue[bool] = Queue()

    def watch() -> None:
        try:
            while heard.get(timeout=BOUND):
                pass
        except Empty:
            give_up()

    def give_up() -> None:
        scheduler = cluster.scheduler
        told.append(f"Given up: no end of a task for {BOUND:g} s.")
        told.append(f"workers: {sorted(scheduler.workers)}")
        told.extend(
            f"nanny {each.worker_address}: {each.status}" for each in cluster.workers.values()
        )
        for key, task in scheduler.tasks.items():
            told.append(f"{key}: {task.state} on {task.processing_on}, {scheduler.story(key)[-3:]}")
        told.append(f"manifest: {manifest.read_text().splitlines()[-3:]}")
        executor.shutdown(wait=False)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield told, lambda: heard.put(True)
    finally:
        heard.put(False)
        watching.join()


@pytest.mark.parametrize("size", SIZES)
def test_every_character_ends_with_exactly_its_images(
    shared: Stage, cluster: LocalCluster, tmp_path: Path, figure: Figure, size: Size
) -> None:
    ids = shared.add(*(f"c{n:03}" for n in range(size.references)))
    tasks = [BulkTask(character_id=each, options={"prompt": f"A face of {each}."}) for each in ids]
    seen = shared.counters
    to_references, to_portfolios = size.kills
    run_killed(shared, cluster, "reference", tasks, to_references, tmp_path, figure)
    assert seen.initial_image_posts == size.references
    some = [BulkTask(character_id=each) for each in random.sample(ids, size.portfolios)]
    run_killed(shared, cluster, "portfolio", some, to_portfolios, tmp_path, figure)
    assert (seen.initial_image_posts, seen.set360_posts) == (size.references, size.portfolios)
    drawn = {each.character_id for each in some}
    with shared.opener()() as service:
        for each in ids:
            kinds = Counter(image.kind for image in service.iter_images(each))
            assert kinds == Counter(
                {
                    ImageKind.REFERENCE: 1,
                    **({ImageKind.PORTFOLIO_ITEM: SHOTS} if each in drawn else {}),
                }
            )
        left = [(op.id, op.kind, op.state, op.error) for op in service.ledger.unfinished()]
        assert not left, left
    stored = list((shared.root / "media").glob("*/*"))
    assert len(stored) == size.references + size.portfolios * SHOTS


def run_killed(
    stage: Stage,
    cluster: LocalCluster,
    work: str,
    tasks: list[BulkTask],
    kills: int,
    tmp_path: Path,
    figure: Figure,
) -> None:
    """Do the work while workers are killed; then nothing is left to do, and all was paid once."""
    killer = Killer(cluster, len(tasks), kills)
    manifest = tmp_path / f"{work}.jsonl"

    def run(executor: DaskExecutor, killer: Killer | None = None) -> BulkReport:
        with bounded(cluster, executor, manifest) as (told, hear):

            def progress(progress: BulkProgress) -> None:
                hear()
                if killer is not None:
                    killer(progress)

            report = run_bulk(
                work,
                tasks,
                open_service=stage.opener(),
                executor=executor,
                in_flight=4,
                manifest=manifest,
                on_progress=progress,
            )
        missing = [each.character_id for each in tasks][len(report.results) :]
        assert report.stopped is None, "\n".join([*told, f"missing: {missing}"])
        return report

    with (
        Client(cluster, set_as_default=False) as client,
        DaskExecutor(client) as executor,
    ):
        first = run(executor, killer)
        killer.join()
        assert len(first.results) == len(tasks)
        # A request that was not answered yet when its worker was killed may not have been drawn
        # when the next one looked. It is found now.
        last = first if first.complete else run(executor)
    assert killer.killed == kills
    # What is left was killed between the line in the ledger and the request: nobody but the
    # server can tell that it was never sent, so nothing is drawn until somebody settles that and
    # asks for it.
    with stage.opener()() as service:
        of = {each.id: each.library_db_id for each in service.directory.list_all()}
        for each in last.failures:
            assert each.outcome == BulkOutcome.UNKNOWN
            assert posts(stage, work)[of[each.character_id]] == 0
            assert each.operation_id is not None
            service.settle(each.operation_id)
            if work == "reference":
                service.generate_reference(each.character_id, prompt="A face.")
            else:
                service.generate_portfolio(each.character_id)
    assert posts(stage, work) == Counter({of[each.character_id]: 1 for each in tasks})
    outcomes = {name: count for name, count in first.outcomes.items() if count}
    recovered = sum(each.recovered for each in first.results)
    figure(
        f"bulk {work} of {len(tasks)} on Dask",
        f"{killer.killed} workers killed, {recovered} characters recovered, {outcomes}, "
        f"{dict(first.codes)}, "
        f"{len(last.failures)} never sent",
    )


def posts(stage: Stage, work: str) -> Counter[str]:
    """Count what was paid for, by the Library's id of the character."""
    endpoint = {"reference": "generate-initial-image", "portfolio": "generate-360-set"}[work]
    paths = [each.path for each in stage.server.simulator.requests if each.method == "POST"]
    return Counter(path.split("/")[-2] for path in paths if path.endswith(f"/{endpoint}"))
