"""A portfolio of 27 images: against curl, Pillow, a plain script and img2dataset."""

from __future__ import annotations

import asyncio
import io
import json
import math
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

from .measure import Contest, Goal, Job, Missing, Row, demand, twins
from .peers import program
from .pictures import PORTFOLIO, draw_photographs
from .server import Library, serving
from .services import LENA, async_service, sync_service

__all__ = ["CONTESTS"]

THUMBNAIL = 320
LATE = 0.2
AT_ONCE = 6
"""The service's default concurrency."""


def _curl(library: Library) -> Job:
    """Fetch every file at once and throw it away."""
    if shutil.which("curl") is None:
        raise Missing("curl is not there; install it with: apt-get install curl")
    urls = [part for url in library.files for part in ("-o", "/dev/null", url)]
    command = ["curl", "--silent", "--fail", "--parallel", *urls]

    def job() -> None:
        # It draws its meter all the same.
        ended = subprocess.run(command, check=False, stderr=subprocess.DEVNULL)
        demand(ended.returncode == 0, "curl failed")

    return job


def _thumbnail(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as image:
        image.thumbnail((THUMBNAIL, THUMBNAIL))


def _decoded_and_thumbnail(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as image:
        image.load()
    _thumbnail(path)


def _each(executor: Executor, work: Callable[[Path], None], files: list[Path]) -> Job:
    def job() -> None:
        for _ in executor.map(work, files):
            pass

    return job


def _plain_script(library: Library, folder: Path) -> Job:
    """One after another, the whole file in memory, no checks: what such scripts do."""
    import httpx
    from PIL import Image

    numbers = count()

    def job() -> None:
        place = folder / str(next(numbers))
        place.mkdir(parents=True)
        for number, url in enumerate(library.files):
            data = httpx.get(url).raise_for_status().content
            (place / f"{number}.jpg").write_bytes(data)
            with Image.open(io.BytesIO(data)) as image:
                image.thumbnail((THUMBNAIL, THUMBNAIL))
                image.save(place / f"{number}.webp", "WEBP", quality=80)

    return job


def _img2dataset(library: Library, folder: Path) -> Job:
    """What it says itself of the time for the same files, without its start; originals go."""
    img2dataset = program("img2dataset")
    urls = folder / "urls.txt"
    urls.write_text("\n".join(library.files))
    numbers = count()

    def job() -> float:
        place = folder / str(next(numbers))
        command = [img2dataset, "--url_list", str(urls), "--output_folder", str(place)]
        command += ["--image_size", str(THUMBNAIL), "--resize_mode", "keep_ratio"]
        command += ["--processes_count", "2", "--thread_count", "8", "--output_format", "files"]
        subprocess.run(command, check=True, capture_output=True)
        said = json.loads((place / "00000_stats.json").read_text())
        _whole(said["successes"])
        return float(said["duration"])

    return job


class _Services:
    """Opens services over one server, each below a directory of its own."""

    def __init__(self, stack: ExitStack, root: Path) -> None:
        self._stack = stack
        self._root = root
        self._runner = stack.enter_context(asyncio.Runner())
        self._numbers = count()

    def both(self, library: Library, *, thumbnail_px: int, decode: bool) -> dict[str, Job]:
        """Return a portfolio in either mode."""
        sync = self._stack.enter_context(
            sync_service(self._new(), library, thumbnail_px=thumbnail_px, decode=decode)
        )
        twin = self._stack.enter_context(
            async_service(
                self._new(), library, self._runner, thumbnail_px=thumbnail_px, decode=decode
            )
        )

        def blocking() -> None:
            _whole(len(sync.generate_portfolio(LENA).images))

        def on_asyncio() -> None:
            _whole(len(self._runner.run(twin.generate_portfolio(LENA)).images))

        return {"sync": blocking, "async": on_asyncio}

    def _new(self) -> Path:
        return self._root / f"service-{next(self._numbers)}"


def _whole(found: int) -> None:
    demand(found == PORTFOLIO, f"{found} of {PORTFOLIO} images came in")


@contextmanager
def _stage(*, late: float = 0.0) -> Iterator[tuple[_Services, Library, list[Path], ExitStack]]:
    with ExitStack() as stack:
        root = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        files = draw_photographs(root / "photographs")
        library = stack.enter_context(serving(files, late=late))
        yield _Services(stack, root), library, files, stack


@contextmanager
def _without_thumbnails() -> Iterator[Mapping[str, Job]]:
    with _stage() as (services, library, _, _stack):
        ours = services.both(library, thumbnail_px=0, decode=False)
        yield {"curl": _curl(library), **ours}


@contextmanager
def _with_thumbnails() -> Iterator[Mapping[str, Job]]:
    with _stage() as (services, library, files, stack):
        threads = stack.enter_context(ThreadPoolExecutor(2))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        yield {
            "pillow": _each(threads, _thumbnail, files),
            **services.both(library, thumbnail_px=THUMBNAIL, decode=False),
            "script": _plain_script(library, folder),
        }


@contextmanager
def _decoded() -> Iterator[Mapping[str, Job]]:
    with _stage() as (services, library, files, stack):
        processes = stack.enter_context(ProcessPoolExecutor(2))
        ours = services.both(library, thumbnail_px=THUMBNAIL, decode=True)
        yield {"pillow": _each(processes, _decoded_and_thumbnail, files), **ours}


@contextmanager
def _peer() -> Iterator[Mapping[str, Job]]:
    with _stage() as (services, library, _, stack):
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        peer = _img2dataset(library, folder)
        yield {
            **services.both(library, thumbnail_px=THUMBNAIL, decode=False),
            "img2dataset": peer,
        }


@contextmanager
def _late() -> Iterator[Mapping[str, Job]]:
    with _stage(late=LATE) as (services, library, files, stack):
        prompt = stack.enter_context(serving(files))
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        undelayed = services.both(prompt, thumbnail_px=THUMBNAIL, decode=False)
        waves = math.ceil(PORTFOLIO / AT_ONCE) * LATE

        def ideal(mode: str) -> Job:
            def job() -> float:
                begun = time.perf_counter()
                undelayed[mode]()
                return waves + time.perf_counter() - begun

            return job

        yield {
            **services.both(library, thumbnail_px=THUMBNAIL, decode=False),
            "ideal sync": ideal("sync"),
            "ideal async": ideal("async"),
            "script": _plain_script(library, folder),
        }


def _modes(work: str, other: str, against: str, reach: float) -> tuple[Row, ...]:
    return (
        Row(work=work, ours="sync", other=other, against=against, reach=reach),
        Row(work=f"{work}, async", ours="async", other=other, against=against, reach=reach),
        twins(work),
    )


def _faster(work: str, other: str, against: str, reach: float) -> Row:
    return Row(
        work=work, ours="sync", other=other, against=against, reach=reach, goal=Goal.AT_LEAST
    )


CONTESTS = (
    Contest(
        name="portfolio",
        rounds=9,
        prepare=_without_thumbnails,
        rows=_modes("portfolio, 27 x 2 MB", "curl", "curl --parallel, discarded", 5),
    ),
    Contest(
        name="thumbnails",
        rounds=7,
        prepare=_with_thumbnails,
        rows=(
            *_modes("portfolio with thumbnails", "pillow", "Pillow thumbnail(), 2 threads", 1.3),
            _faster("portfolio with thumbnails", "script", "a plain script", 3.3),
        ),
    ),
    Contest(
        name="decoded",
        rounds=5,
        prepare=_decoded,
        rows=_modes(
            "portfolio with thumbnails, decoded",
            "pillow",
            "Pillow decode + thumbnail, 2 procs",
            1.15,
        ),
    ),
    Contest(
        name="img2dataset",
        rounds=5,
        prepare=_peer,
        rows=(_faster("portfolio with thumbnails", "img2dataset", "img2dataset, resizing", 1.3),),
    ),
    Contest(
        name="late",
        rounds=5,
        prepare=_late,
        rows=(
            Row(
                work="portfolio, answers after 200 ms",
                ours="sync",
                other="ideal sync",
                against="ideal",
                reach=1.15,
            ),
            Row(
                work="portfolio, answers after 200 ms, async",
                ours="async",
                other="ideal async",
                against="ideal",
                reach=1.15,
            ),
            twins("portfolio, answers after 200 ms"),
            _faster("portfolio, answers after 200 ms", "script", "a plain script", 3.5),
        ),
    ),
)
