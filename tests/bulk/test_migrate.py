"""Many characters go to other stores; broken off and run again it goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from charimg import CharacterImageService, CharacterLibraryError, InvalidArgument, Migration
from charimg.bulk import BulkOutcome, BulkReport, run_bulk
from charimg.bulk.worker import OpenService

from .stage import SHOTS, Stage
from .test_processes import pool


@contextmanager
def open_migration(
    opener: OpenService, there: Path, mark: Path, victim: str = ""
) -> Iterator[Migration]:
    """Open both sides; the process dies once when a file of the victim's is stored."""
    with opener() as source, local(opener, there) as target:
        save = target.media.save

        def armed(upload: Any) -> Any:
            saved = save(upload)
            if upload.key in of_victim and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return saved

        of_victim = {image.key for image in source.iter_images(victim)} if victim else ()
        target.media.save = armed  # type: ignore[method-assign]
        yield Migration(source=source, target=target)


@contextmanager
def local(opener: OpenService, there: Path) -> Iterator[CharacterImageService]:
    with (
        opener() as source,
        CharacterImageService.local(there, library=source.library) as service,
    ):
        yield service


def portfolios(stage: Stage, *ids: str) -> list[str]:
    """Add characters that have a portfolio."""
    stage.references(*ids)
    with ThreadPoolExecutor(2) as executor:
        assert run_bulk("portfolio", ids, open_service=stage.opener(), executor=executor).complete
    return list(ids)


class Mover:
    def __init__(self, stage: Stage, there: Path, manifest: Path) -> None:
        self.stage, self.there, self.manifest = stage, there, manifest

    def __call__(self, ids: list[str], executor: Executor, victim: str = "") -> BulkReport:
        mark = self.stage.root / "killed-migration"
        return run_bulk(
            "migrate",
            ids,
            open_migration=partial(open_migration, self.stage.opener(), self.there, mark, victim),
            executor=executor,
            in_flight=2,
            manifest=self.manifest,
        )

    def keys(self, character_id: str) -> list[str]:
        with local(self.stage.opener(), self.there) as service:
            images = list(service.iter_images(character_id))
            for image in images:
                assert image.media is not None
                with service.media.open(image.media.key) as chunks:
                    assert sum(map(len, chunks)) == image.media.size
        return [image.key for image in images]


@pytest.fixture
def mover(stage: Stage, tmp_path: Path) -> Mover:
    return Mover(stage, tmp_path / "there", tmp_path / "move.jsonl")


@pytest.fixture
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


def test_everything_goes_once(
    stage: Stage, mover: Mover, threads: Executor, tmp_path: Path
) -> None:
    ids = portfolios(stage, "a", "b", "c")
    done = mover(ids, threads)
    assert done.complete, done.failures
    for each, result in zip(ids, done.results, strict=True):
        keys = [image.key for image in stage.images(each)]
        assert mover.keys(each) == keys
        assert sorted(result.images) == sorted(keys)
        assert len(keys) == SHOTS + 1
    with local(stage.opener(), mover.there) as target, stage.opener()() as source:
        assert [each.id for each in target.directory.list_all()] == ids
        for each in ids:
            operations = source.list_operations(each).operations
            assert target.list_operations(each).operations == operations
    assert mover(ids, threads).skipped == 3
    # Also without what the manifest remembers nothing is there twice.
    mover.manifest = tmp_path / "another.jsonl"
    again = mover(ids, threads)
    assert (again.complete, again.skipped) == (True, 0)
    assert [len(mover.keys(each)) for each in ids] == [SHOTS + 1] * 3


def test_what_cannot_be_copied_is_counted_and_taken_up_again(
    stage: Stage, mover: Mover, threads: Executor
) -> None:
    ids = portfolios(stage, "a", "b")
    with stage.opener()() as service:
        image = next(service.iter_images("a"))
        assert image.media is not None
        path = service.media.path(image.media)
    whole = path.read_bytes()
    path.write_bytes(b"x" * len(whole))
    stage.switch(lost_answers=1)
    with stage.opener()() as service, pytest.raises(CharacterLibraryError):
        service.generate_scene("b", "She waits.")
    first = mover(ids, threads)
    assert [each.outcome for each in first.results] == [BulkOutcome.PARTIAL, BulkOutcome.FAILED]
    assert first.codes == {"IMAGES_FAILED": 1, "PRECONDITION_ERROR": 1}
    assert (first.results[0].failed, len(first.results[0].images)) == (1, SHOTS)
    assert "Run recover()" in first.results[1].message
    path.write_bytes(whole)
    with stage.opener()() as service:
        service.recover("b")
    assert mover(ids, threads).complete
    assert [len(mover.keys(each)) for each in ids] == [SHOTS + 1, SHOTS + 2]


def test_a_character_that_nobody_knows_is_a_failure(
    stage: Stage, mover: Mover, threads: Executor
) -> None:
    (one,) = portfolios(stage, "a")
    report = mover([one, "nobody"], threads)
    assert report.codes == {"CHARACTER_NOT_FOUND": 1}
    assert [each.outcome for each in report.results] == [BulkOutcome.DONE, BulkOutcome.FAILED]


def test_a_killed_worker_is_taken_up_by_the_next_run(stage: Stage, mover: Mover) -> None:
    ids = portfolios(stage, "a", "b", "c", "d")
    with pool() as executor:
        first = mover(ids, executor, "b")
    assert stage.killed == {"migration"}
    assert not first.complete
    assert first.codes["WORKER_LOST"] > 0
    assert first.stopped is not None
    with pool() as executor:
        assert mover(ids, executor, "b").complete
    for each in ids:
        assert mover.keys(each) == [image.key for image in stage.images(each)]


@pytest.mark.parametrize(
    ("work", "given", "needed"),
    [
        ("migrate", (), "open_migration"),
        ("migrate", ("open_service",), "open_migration"),
        ("migrate", ("open_service", "open_migration"), "open_migration"),
        ("retry", (), "open_service"),
        ("retry", ("open_service", "open_migration"), "open_service"),
    ],
)
def test_what_has_to_be_opened(
    threads: Executor, work: str, given: tuple[str, ...], needed: str
) -> None:
    options: dict[str, Any] = dict.fromkeys(given, lambda: None)
    with pytest.raises(InvalidArgument, match=f"{work} needs {needed}"):
        run_bulk(work, ["a"], executor=threads, **options)
