"""A real run: PostgreSQL, S3 and Dask workers draw for as many characters as there is time for.

``make scale`` draws a reference and a portfolio for each character, of 2 MB an image, with
thumbnails, checked as a service does by default; once for each number of workers. What is counted
are the images of which record and file are there in the end. Characters come in groups; the clock
stands while a finished group is looked at and its files make room for the next.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import asdict, frozen

from charimg import CharacterImageService, CharacterLibrary, CharacterReference, Downloader
from charimg import stores as kinds

from . import backends
from .bulk import IMAGES, MEGABYTES, draw
from .machine import describe
from .measure import Missing, demand
from .pictures import draw_photographs
from .server import Library, serving_many

__all__ = ["Point", "main", "markdown"]

CHARACTERS = 2_000
MINUTES = 60.0
WORKERS = (1, 2, 4)
THREADS = 2
"""Of each worker."""
GROUP = 24
"""Characters; it is a multiple of all threads, so that none waits for long at its end."""
_BUSY = 0.9


@frozen(kw_only=True)
class Point:
    """What came out with so many workers.

    Attributes:
        workers: Dask workers, of `THREADS` threads each.
        characters: That were drawn.
        images: That were brought in.
        seconds: That this took.
        busy: The share of all cores that worked.
        waiting: The share of all cores that waited for the disk.
        shares: Of the work of the processors, by who did it.
    """

    workers: int
    characters: int
    images: int
    seconds: float
    busy: float
    waiting: float
    shares: Mapping[str, float]

    @property
    def per_minute(self) -> float:
        """Images per minute."""
        return self.images / self.seconds * 60

    @property
    def limit(self) -> str:
        """What keeps it from being faster, in words."""
        most = max(self.shares, key=lambda name: self.shares[name])
        if self.busy >= _BUSY:
            return f"the processors, most of all {most}"
        if self.busy + self.waiting >= _BUSY:
            return "the disk"
        return "neither: threads that wait for answers"


@frozen(kw_only=True)
class _Opening:
    """Opens a service in a worker, as it is by default.

    Attributes:
        url: Of the Character Library.
        postgres: Of the database.
        s3: Of the bucket; the credentials are in the environment.
    """

    url: str
    postgres: str
    s3: str

    @contextmanager
    def __call__(self) -> Iterator[CharacterImageService]:
        with (
            kinds.PostgresDatabase(self.postgres) as database,
            CharacterLibrary(self.url) as library,
            Downloader() as downloader,
            CharacterImageService(
                library=library,
                downloader=downloader,
                directory=kinds.PostgresCharacterDirectory(database),
                media=kinds.S3MediaStore.from_url(self.s3),
                metadata=kinds.PostgresMetadataRepository(database),
                ledger=kinds.PostgresGenerationLedger(database),
            ) as service,
        ):
            yield service


class _Clock:
    """Seconds of the run and of the processors, while it is not stopped."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.busy = 0.0
        self.waiting = 0.0
        self.worked: dict[str, float] = {}

    @contextmanager
    def running(self) -> Iterator[None]:
        begun, cores, worked = time.perf_counter(), _cores(), _worked()
        yield
        self.seconds += time.perf_counter() - begun
        busy, waiting = (now - then for now, then in zip(_cores(), cores, strict=True))
        self.busy += busy
        self.waiting += waiting
        for name, seconds in _worked().items():
            self.worked[name] = self.worked.get(name, 0) + seconds - worked.get(name, 0)


def _cores() -> tuple[float, float]:
    """Return the seconds that the cores worked, and waited for the disk."""
    import psutil

    times = psutil.cpu_times()
    waiting = getattr(times, "iowait", 0.0)
    return sum(times[:3]) + getattr(times, "softirq", 0.0), waiting


def _worked() -> dict[str, float]:
    """Return the seconds that each kind of process has worked, ended children included."""
    import psutil

    found: dict[str, float] = {}
    mine = psutil.Process()
    for process in (mine, *mine.children(recursive=True)):
        try:
            times, words = process.cpu_times(), " ".join(process.cmdline())
        except psutil.Error:
            continue
        # Of this one, children that ended are none of the run's.
        parts = times[:2] if process == mine else times[:4]
        name = _kind(words, is_mine=process == mine)
        found[name] = found.get(name, 0) + sum(parts)
    return found


def _kind(words: str, *, is_mine: bool) -> str:
    if is_mine:
        return "the scheduler"
    named = {"postgres": "PostgreSQL", "rclone": "S3", "bench.server": "the Character Library"}
    return next((name for part, name in named.items() if part in words), "charimg")


def _group(
    opening: _Opening, database: Any, executor: Any, in_flight: int, numbers: range, clock: _Clock
) -> None:
    """Draw for some characters, and look whether everything is there."""
    directory = kinds.PostgresCharacterDirectory(database)
    characters = [f"character-{number}" for number in numbers]
    for each in characters:
        db_id = secrets.token_hex(12)
        directory.put(CharacterReference(id=each, name=each, library_db_id=db_id))
    with clock.running():
        draw(characters, opening, executor, in_flight)
    records = kinds.PostgresMetadataRepository(database)
    media = kinds.S3MediaStore.from_url(opening.s3)
    for each in characters:
        page = records.list(each, limit=IMAGES)
        demand(page.total == IMAGES, f"{each} has {page.total} images")
        found = [media.get(str(image.media and image.media.key)) for image in page.images]
        demand(None not in found, f"{each} lacks a file")


def measure(library: Library, workers: int, characters: int, seconds: float) -> Point:
    """Draw with so many workers, until all characters are done or the time is up.

    Raises:
        Missing: A server or Dask is not installed; the message says how to get it.
    """
    try:
        from distributed import Client, LocalCluster

        from charimg.bulk import DaskExecutor
    except ImportError as error:
        raise Missing("Dask is missing; install it with: pip install -e '.[dev]'") from error
    clock, done = _Clock(), 0
    in_flight = workers * THREADS
    with ExitStack() as stack:
        url = stack.enter_context(backends.postgres())
        endpoint, bucket, objects = stack.enter_context(backends.s3())
        database = stack.enter_context(kinds.PostgresDatabase(url))
        options: dict[str, Any] = {
            "n_workers": workers,
            "threads_per_worker": THREADS,
            "dashboard_address": "127.0.0.1:0",
            "silence_logs": "CRITICAL",
        }
        cluster: Any = stack.enter_context(LocalCluster(**options))  # type: ignore[no-untyped-call]
        client = stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]
        executor = stack.enter_context(DaskExecutor(client))
        s3 = f"s3://{bucket}/?endpoint={endpoint}&region=us-east-1"
        opening = _Opening(url=library.url, postgres=url, s3=s3)
        # What happens only once is not counted.
        _group(opening, database, executor, in_flight, range(-in_flight, 0), _Clock())
        while done < characters and clock.seconds < seconds:
            _empty(objects)
            numbers = range(done, min(done + GROUP, characters))
            _group(opening, database, executor, in_flight, numbers, clock)
            done = numbers.stop
            _say(f"{workers} workers: {done} characters in {clock.seconds:.0f} s")
    cores = clock.seconds * (os.cpu_count() or 1)
    whole = sum(clock.worked.values())
    return Point(
        workers=workers,
        characters=done,
        images=done * IMAGES,
        seconds=round(clock.seconds, 1),
        busy=round(clock.busy / cores, 3),
        waiting=round(clock.waiting / cores, 3),
        shares={name: round(each / whole, 3) for name, each in sorted(clock.worked.items())},
    )


def _empty(objects: Path) -> None:
    for each in objects.iterdir():
        shutil.rmtree(each)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def markdown(points: Sequence[Point]) -> str:
    """Return the curve as a table in Markdown."""
    rows: list[tuple[str, Callable[[Point], str]]] = [
        ("characters", lambda each: f"{each.characters:,}"),
        ("images brought in", lambda each: f"{each.images:,}"),
        ("minutes", lambda each: f"{each.seconds / 60:.1f}"),
        ("**images per minute**", lambda each: f"**{each.per_minute:,.0f}**"),
        ("times as many as the first", lambda each: f"{each.per_minute / first.per_minute:.2f}"),
        ("processors busy", lambda each: f"{each.busy:.0%}"),
        ("waiting for the disk", lambda each: f"{each.waiting:.0%}"),
    ]
    first = points[0]

    def share(name: str) -> Callable[[Point], str]:
        return lambda each: f"{each.shares.get(name, 0):.0%}"

    names = sorted({name for each in points for name in each.shares})
    rows += [(f"of the processors' work, {name}", share(name)) for name in names]
    rows.append(("what limits it", lambda each: each.limit))
    lines = [f"| {' | '.join(['Dask workers', *(str(each.workers) for each in points)])} |"]
    lines.append("|---|" + "---:|" * len(points))
    lines += [f"| {' | '.join([name, *map(shown, points)])} |" for name, shown in rows]
    return "\n".join(lines) + "\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Make the run, print its table, and write it down; return the exit code."""
    parser = argparse.ArgumentParser(prog="bench.large", description=__doc__)
    parser.add_argument("--characters", type=int, default=CHARACTERS, help="in all")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="in all")
    parser.add_argument("--workers", type=int, nargs="+", default=list(WORKERS))
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="run.json and run.md")
    given = parser.parse_args(argv)
    if min(given.characters, given.minutes, *given.workers) <= 0:
        parser.error("all numbers must be more than 0")
    # Each number of workers gets its share.
    characters = -(-given.characters // len(given.workers))
    seconds = given.minutes * 60 / len(given.workers)
    with ExitStack() as stack:
        root = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        files = draw_photographs(root, megabytes=MEGABYTES, count=IMAGES)
        library = stack.enter_context(serving_many(files))
        try:
            points = [measure(library, each, characters, seconds) for each in given.workers]
        except Missing as error:
            print(f"left out: {error}")
            return 1
    text = markdown(points)
    print(text)
    if given.write is not None:
        given.write.mkdir(parents=True, exist_ok=True)
        machine = describe()
        named = ", ".join(f"{name} {value}" for name, value in machine.items())
        document = {"machine": machine, "points": [asdict(each) for each in points]}
        (given.write / "run.json").write_text(json.dumps(document, indent=1) + "\n")
        (given.write / "run.md").write_text(f"{text}\nMeasured on: {named}.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
