"""Many characters in worker processes: failures, a killed worker, and the run after that."""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from charimg import ImageKind
from charimg.bulk import BulkOutcome, run_bulk

from .stage import SHOTS, Stage


@contextmanager
def sets_held(simulator: Any, *, but: int) -> Iterator[None]:
    """Let no set be asked for, but so many before, until the context ends."""
    handle, over = simulator.handle, threading.Event()

    def handled(method: str, url: str, *rest: Any) -> Any:
        if url.endswith("/generate-360-set") and simulator.counters.set360_posts >= but:
            over.wait(600)
        return handle(method, url, *rest)

    simulator.handle = handled
    try:
        yield
    finally:
        simulator.handle = handle
        over.set()


@contextmanager
def pool(workers: int = 2) -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


def test_failures_are_taken_up_by_the_next_run(stage: Stage, tmp_path: Path) -> None:
    ids = stage.references(*(f"c{n:02}" for n in range(6)))
    manifest = tmp_path / "run.jsonl"
    stage.switch(set360_errors=2)
    with pool() as executor:
        first = run_bulk(
            "portfolio", ids, open_service=stage.opener(), executor=executor, manifest=manifest
        )
        assert (first.outcomes["done"], first.outcomes["failed"]) == (4, 2)
        assert first.codes == {"SERVER_ERROR": 2}
        assert not first.complete
        assert stage.counters.set360_posts == 6
        second = run_bulk(
            "portfolio", ids, open_service=stage.opener(), executor=executor, manifest=manifest
        )
    assert second.complete
    assert second.skipped == 4
    assert [result.character_id for result in second.results] == ids
    assert stage.counters.set360_posts == 8
    for each in ids:
        assert len(stage.images(each, ImageKind.PORTFOLIO_ITEM)) == SHOTS


def test_a_killed_worker_is_recovered_and_nothing_is_posted_again(
    stage: Stage, tmp_path: Path
) -> None:
    ids = stage.references(*(f"c{n:02}" for n in range(6)))
    manifest = tmp_path / "run.jsonl"
    # The pool may be slow to see its loss, and the other worker must not do all the rest meanwhile.
    with sets_held(stage.server.simulator, but=4), pool() as executor:
        first = run_bulk(
            "portfolio",
            ids,
            open_service=stage.opener("c02"),
            executor=executor,
            in_flight=2,
            manifest=manifest,
        )
    assert stage.killed == {"c02"}
    assert first.codes["WORKER_LOST"] == first.outcomes["interrupted"] > 0
    lost = next(each for each in first.results if each.character_id == "c02")
    assert lost.outcome == BulkOutcome.INTERRUPTED
    # After the loss of a worker nothing more is handed out.
    assert len(first.results) < len(ids)
    with pool() as executor:
        second = run_bulk(
            "portfolio", ids, open_service=stage.opener("c02"), executor=executor, manifest=manifest
        )
    again = {each.character_id: each for each in second.results}
    assert again["c02"].recovered
    # The pool ends its other worker, too. If that was just about to send its request, nobody can
    # tell whether it did: such a character is told, and not drawn again.
    with stage.opener()() as service:
        of = {str(each.library_db_id): each.id for each in service.directory.list_all()}
    paths = [each.path for each in stage.server.simulator.requests if each.method == "POST"]
    posts = Counter(of[path.split("/")[-2]] for path in paths if path.endswith("/generate-360-set"))
    unknown = [each for each in ids if again[each].outcome == BulkOutcome.UNKNOWN]
    assert len(unknown) <= 1
    for each in ids:
        stored = stage.images(each, ImageKind.PORTFOLIO_ITEM)
        assert {image.id for image in stored} == set(again[each].images)
        assert len(stored) == (0 if each in unknown else SHOTS)
        assert each in unknown or again[each].outcome == BulkOutcome.DONE
        # Of one that is not known the request may have come after all, when nobody waited for it.
        assert posts[each] == 1 or (each in unknown and not posts[each])
    assert stage.counters.initial_image_posts == len(ids)
