"""Measure charimg as ratios: what each job costs against a floor or a peer, in one run.

Every benchmark is a pair, *ours* and *its floor*, timed in turns so that a slow moment of the
machine meets both. The ratio is taken per round; the table shows the median of the rounds and the
middle half of them. A ratio says more than seconds do: it holds on another machine, too.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import io
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

URL = "http://library.test"
PROMPT = "A plain portrait, 35mm lens."
IMAGES = 10_000
PAGE = 100
MEGABYTE = 1 << 20
PIECE = 1 << 18


@dataclass(frozen=True)
class Pair:
    """What is measured, and what it is measured against."""

    ours: Callable[[], object]
    floor: Callable[[], object]


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        name: The benchmark.
        floor: What it is measured against.
        ratio: The median of the rounds; 1 is as fast as the floor.
        low: A quarter of the rounds lie below.
        high: A quarter of the rounds lie above.
        ours_ms: The median of ours, in milliseconds.
        floor_ms: The median of the floor, in milliseconds.
        rounds: How often both were measured.
    """

    name: str
    floor: str
    ratio: float
    low: float
    high: float
    ours_ms: float
    floor_ms: float
    rounds: int


@dataclass(frozen=True)
class Benchmark:
    """How a pair is prepared, and how many rounds it is worth."""

    floor: str
    rounds: int
    prepare: Callable[[], AbstractContextManager[Pair]]


def timed(job: Callable[[], object], clock: Callable[[], float]) -> float:
    """Return how many seconds a job takes."""
    begun = clock()
    job()
    return clock() - begun


def measure(
    pair: Pair, rounds: int, clock: Callable[[], float] = time.perf_counter
) -> list[tuple[float, float]]:
    """Return ``(ours, floor)`` in seconds per round; each begins every other round."""
    # What happens only once is not measured.
    timed(pair.ours, clock)
    timed(pair.floor, clock)
    taken = []
    for turn in range(rounds):
        if turn % 2:
            floor = timed(pair.floor, clock)
            ours = timed(pair.ours, clock)
        else:
            ours = timed(pair.ours, clock)
            floor = timed(pair.floor, clock)
        taken.append((ours, floor))
    return taken


def summarise(name: str, floor: str, taken: Sequence[tuple[float, float]]) -> Result:
    """Return the line of the table for at least two rounds."""
    ratios = [ours / base for ours, base in taken]
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return Result(
        name=name,
        floor=floor,
        ratio=round(statistics.median(ratios), 3),
        low=round(low, 3),
        high=round(high, 3),
        ours_ms=round(1000 * statistics.median(ours for ours, _ in taken), 3),
        floor_ms=round(1000 * statistics.median(base for _, base in taken), 3),
        rounds=len(taken),
    )


def table(results: Sequence[Result]) -> str:
    """Return the results as aligned text."""
    head = ("benchmark", "against", "ratio", "middle half", "ours", "floor")
    rows = [
        (
            each.name,
            each.floor,
            f"{each.ratio:.2f}",
            f"{each.low:.2f}-{each.high:.2f}",
            f"{each.ours_ms:.2f} ms",
            f"{each.floor_ms:.2f} ms",
        )
        for each in results
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = [
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def interpreter(code: str) -> Callable[[], object]:
    """Return a job that runs code in a fresh interpreter."""
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)


@contextmanager
def importing(against: str) -> Iterator[Pair]:
    """``import charimg`` in a fresh interpreter, against other code in one."""
    yield Pair(interpreter("import charimg"), interpreter(against))


def write_durably(path: Path, data: bytes) -> None:
    """Put a file in place as a careful program must: write, fsync, rename, fsync the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        # In pieces: some systems take far longer for one large write.
        for start in range(0, len(data), PIECE):
            file.write(data[start : start + PIECE])
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def generating_a_reference() -> Iterator[Pair]:
    """A reference that replaces one, through every store; the same requests by hand and one file.

    The simulator draws an image in both.
    """
    import httpx

    from charimg import CharacterImageService, CharacterLibrary, CharacterReference, Downloader
    from charimg.stores import SqliteCharacterDirectory, SqliteDatabase
    from charimg.testing import Simulator

    with ExitStack() as stack:
        root = Path(stack.enter_context(TemporaryDirectory()))
        simulators = [Simulator(base_url=URL) for _ in range(2)]
        ids = [each.add_character(name="Lena") for each in simulators]
        client, bare = (
            stack.enter_context(httpx.Client(transport=each.transport())) for each in simulators
        )
        database = stack.enter_context(SqliteDatabase(root / "charimg.sqlite"))
        SqliteCharacterDirectory(database).put(
            CharacterReference(id="lena", name="Lena", library_db_id=ids[0])
        )
        library = stack.enter_context(CharacterLibrary(URL, client=client))
        downloader = stack.enter_context(Downloader(client=client))
        service = stack.enter_context(
            CharacterImageService.local(root, library=library, downloader=downloader)
        )

        def ours() -> None:
            service.generate_reference("lena", prompt=PROMPT)

        ours()  # the first has nothing to replace
        before = len(simulators[0].requests)
        ours()
        script = simulators[0].requests[before:]
        simulators[1].set_reference(ids[1])
        names = count()

        def floor() -> None:
            made: dict[str, Any] = {}
            for each in script:
                path = each.path.replace(ids[0], ids[1])
                if not path.startswith("/api/"):
                    path = made["publicUrl"].removeprefix(URL)
                answer = bare.request(each.method, URL + path, json=each.json)
                if each.method == "POST":
                    made = answer.raise_for_status().json()
                    made = made.get("data", made)
            write_durably(root / "bare" / f"{next(names)}.jpg", answer.raise_for_status().content)

        yield Pair(ours, floor)


@contextmanager
def listing_images() -> Iterator[Pair]:
    """Page through 10,000 records; the same pages with a hand-written query, rows parsed."""
    from charimg import CharacterImage, ImageKind, ImageStatus
    from charimg.stores import SqliteDatabase, SqliteMetadataRepository
    from charimg.stores.sqlite.metadata import insert

    begun = datetime(2026, 1, 1, tzinfo=UTC)
    with TemporaryDirectory() as folder, SqliteDatabase(Path(folder) / "a.sqlite") as database:
        with database.writing() as connection:
            for number in range(IMAGES):
                at = begun + timedelta(milliseconds=number // 3)
                insert(
                    connection,
                    CharacterImage(
                        key=f"{number:08}",
                        character_id="lena",
                        status=ImageStatus.SUCCEEDED,
                        kind=ImageKind.PORTFOLIO_ITEM,
                        prompt=PROMPT,
                        created_at=at,
                    ),
                )
        repository = SqliteMetadataRepository(database)

        def ours() -> None:
            cursor, seen = None, 0
            while True:
                page = repository.list("lena", limit=PAGE, cursor=cursor)
                cursor, seen = page.next_cursor, seen + len(page.images)
                if cursor is None:
                    break
            demand(seen == IMAGES, f"{seen} of {IMAGES} images were listed")

        bare = sqlite3.connect(Path(folder) / "a.sqlite")

        def floor() -> None:
            place, seen = (2**62, ""), 0
            while rows := bare.execute(
                "SELECT created_ms, id, record FROM images WHERE character_id = 'lena' "
                "AND (created_ms, id) < (?, ?) ORDER BY created_ms DESC, id DESC LIMIT ?",
                (*place, PAGE),
            ).fetchall():
                place, seen = rows[-1][:2], seen + len(rows)
                for row in rows:
                    json.loads(row[2])
            demand(seen == IMAGES, f"{seen} of {IMAGES} rows were read")

        try:
            yield Pair(ours, floor)
        finally:
            bare.close()


@contextmanager
def saving_to_disk() -> Iterator[Pair]:
    """Save a file of one megabyte; the same bytes written durably by hand."""
    from charimg import Upload
    from charimg.stores import DiskMediaStore

    data = os.urandom(MEGABYTE)
    digest = hashlib.sha256(data).hexdigest()
    names = count()
    with TemporaryDirectory() as folder:
        store = DiskMediaStore(Path(folder) / "media", thumbnail_px=0)

        def ours() -> None:
            key = f"key-{next(names)}"
            store.save(
                Upload(
                    key=key,
                    file=io.BytesIO(data),
                    filename=f"{key}.png",
                    mime_type="image/png",
                    size=len(data),
                    sha256=digest,
                )
            )

        def floor() -> None:
            name = f"key-{next(names)}"
            write_durably(Path(folder) / "bare" / name / f"{name}.png", data)

        yield Pair(ours, floor)


@contextmanager
def ingesting_a_file() -> Iterator[Pair]:
    """Download, hash and inspect a file of some megabytes; its SHA-256 alone."""
    import httpx
    from PIL import Image

    from charimg import Downloader

    drawn = io.BytesIO()
    Image.frombytes("RGB", (1200, 1000), os.urandom(3_600_000)).save(drawn, "PNG")
    data = drawn.getvalue()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=data))
    with httpx.Client(transport=transport) as client, Downloader(client=client) as downloader:
        yield Pair(
            lambda: downloader.fetch(f"{URL}/a.png").close(),
            lambda: hashlib.sha256(data).hexdigest(),
        )


def memory_stores(prefix: str) -> dict[str, Any]:
    """Return the four stores in memory, with the character Lena yet to be put in."""
    from charimg import stores

    ports = {
        "directory": "CharacterDirectory",
        "media": "MediaStore",
        "metadata": "MetadataRepository",
        "ledger": "GenerationLedger",
    }
    return {port: getattr(stores, f"{prefix}Memory{name}")() for port, name in ports.items()}


@contextmanager
def making_a_portfolio() -> Iterator[Pair]:
    """A portfolio of 27 on asyncio, stores in memory; the same in blocking code."""
    import httpx

    from charimg import (
        AsyncCharacterImageService,
        AsyncCharacterLibrary,
        AsyncDownloader,
        CharacterImageService,
        CharacterLibrary,
        CharacterReference,
        Downloader,
    )
    from charimg.testing import Simulator

    simulator = Simulator(base_url=URL)
    simulator.switches.set360_mode = "images"
    db_id = simulator.add_character(name="Lena")
    simulator.set_reference(db_id)
    lena = CharacterReference(id="lena", name="Lena", library_db_id=db_id)
    with (
        httpx.Client(transport=simulator.transport()) as client,
        CharacterLibrary(URL, client=client) as library,
        Downloader(client=client) as downloader,
        asyncio.Runner() as runner,
    ):
        stores = memory_stores("")
        stores["directory"].put(lena)
        service = CharacterImageService(library=library, downloader=downloader, **stores)

        def blocking() -> None:
            demand(len(service.generate_portfolio("lena").images) == 27, "not 27 images")

        aclient = httpx.AsyncClient(transport=simulator.transport())
        astores = memory_stores("Async")
        runner.run(astores["directory"].put(lena))
        aservice = AsyncCharacterImageService(
            library=AsyncCharacterLibrary(URL, client=aclient),
            downloader=AsyncDownloader(client=aclient),
            **astores,
        )

        def on_asyncio() -> None:
            made = runner.run(aservice.generate_portfolio("lena"))
            demand(len(made.images) == 27, "not 27 images")

        yield Pair(on_asyncio, blocking)
        runner.run(aservice.aclose())
        runner.run(aclient.aclose())


def demand(holds: bool, message: str) -> None:
    """End the run with a message unless something holds: a wrong answer has no speed."""
    if not holds:
        raise SystemExit(f"bench: {message}")


BENCHMARKS = {
    "import": Benchmark("import httpx", 15, lambda: importing("import httpx")),
    "import-bare": Benchmark("bare interpreter", 15, lambda: importing("pass")),
    "reference": Benchmark("httpx and one file", 25, generating_a_reference),
    "list-10000": Benchmark("sqlite3 and json", 7, listing_images),
    "save-disk": Benchmark("write, fsync, rename", 40, saving_to_disk),
    "ingest": Benchmark("sha256", 25, ingesting_a_file),
    "portfolio-async": Benchmark("blocking code", 9, making_a_portfolio),
}


def run(names: Sequence[str], rounds: int | None = None) -> Iterator[Result]:
    """Run benchmarks one after the other.

    Args:
        names: Which.
        rounds: How many, at least 2; by default what each is worth.
    """
    for name in names:
        benchmark = BENCHMARKS[name]
        with benchmark.prepare() as pair:
            yield summarise(name, benchmark.floor, measure(pair, rounds or benchmark.rounds))


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, or one JSON object per run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--only", action="append", choices=BENCHMARKS, help="may be repeated")
    parser.add_argument("--rounds", type=int, help="rounds per benchmark, at least 2")
    given = parser.parse_args(argv)
    if given.rounds is not None and given.rounds < 2:
        parser.error("--rounds must be at least 2")
    begun = time.perf_counter()
    results = list(run(given.only or list(BENCHMARKS), given.rounds))
    if given.json:
        print(json.dumps({"results": [asdict(each) for each in results]}))
    else:
        print(table(results))
        print(f"{time.perf_counter() - begun:.0f} s; ratio 1 is as fast as what it is against")
    return 0


if __name__ == "__main__":
    sys.exit(main())
