"""Many characters, a reference and a portfolio each: on threads and on Dask, against others.

Everybody asks the same Character Library and brings the same files in, with thumbnails. The others
keep less: no check, no hash, no record, no journal, nothing that could go on after a crash; and
img2dataset is given the URLs of what is drawn, and throws the originals away.
"""

from __future__ import annotations

import hashlib
import io
import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from attrs import frozen

from charimg import CharacterImageService, CharacterLibrary, CharacterReference, Downloader
from charimg import stores as kinds
from charimg.bulk import run_bulk

from .measure import Contest, Goal, Job, Missing, Row, demand
from .peers import OTHERS, program
from .pictures import PORTFOLIO, draw_photographs
from .server import ID, Library, serving_many

__all__ = ["CONTESTS", "draw"]

CHARACTERS = 2
IMAGES = PORTFOLIO + 1
MEGABYTES = 2
THUMBNAIL = 320
IN_FLIGHT = 4


@frozen(kw_only=True)
class _Opening:
    """Opens a service in a worker, as it is by default, on disk and SQLite.

    Attributes:
        root: Where it keeps everything.
        url: Of the Character Library.
    """

    root: Path
    url: str

    @contextmanager
    def __call__(self) -> Iterator[CharacterImageService]:
        with (
            CharacterLibrary(self.url) as library,
            Downloader() as downloader,
            CharacterImageService.local(
                self.root, library=library, downloader=downloader
            ) as service,
        ):
            yield service


def draw(
    characters: list[str],
    opening: Callable[[], Any],
    executor: Executor,
    in_flight: int = IN_FLIGHT,
) -> None:
    """Draw a reference and a portfolio for each character; all of them must come."""
    for work in ("reference", "portfolio"):
        report = run_bulk(
            work, characters, open_service=opening, executor=executor, in_flight=in_flight
        )
        demand(report.complete and not report.codes, f"{work}: {report.codes}, {report.stopped}")


def _ids() -> list[str]:
    return [secrets.token_hex(12) for _ in range(CHARACTERS)]


class _Stage:
    """The server, and a new folder for each job."""

    def __init__(self, library: Library, files: list[Path], root: Path) -> None:
        self.library = library
        self._hashes = sorted(hashlib.sha256(each.read_bytes()).hexdigest() for each in files)
        self._root = root
        self._numbers = count()

    def urls(self, db_ids: list[str]) -> list[str]:
        return [url.replace(ID, each) for each in db_ids for url in self.library.files]

    def job(self, work: Callable[[Path, list[str]], float | None]) -> Job:
        """Return what does the work in a new folder, which goes when the clock stands."""

        def run() -> float:
            folder = self._root / str(next(self._numbers))
            folder.mkdir()
            begun = time.perf_counter()
            counted = work(folder, _ids())
            passed = time.perf_counter() - begun
            shutil.rmtree(folder)
            return passed if counted is None else counted

        return run

    def ours(self, executor: Executor) -> Job:
        def work(folder: Path, db_ids: list[str]) -> float:
            characters = [f"character-{number}" for number in range(len(db_ids))]
            with kinds.SqliteDatabase(folder / "charimg.sqlite") as database:
                directory = kinds.SqliteCharacterDirectory(database)
                for each, db_id in zip(characters, db_ids, strict=True):
                    directory.put(CharacterReference(id=each, name=each, library_db_id=db_id))
                begun = time.perf_counter()
                draw(characters, _Opening(root=folder, url=self.library.url), executor)
                took = time.perf_counter() - begun
                records = kinds.SqliteMetadataRepository(database)
                for each in characters:
                    images = records.list(each, limit=IMAGES).images
                    self._same([str(one.media and one.media.sha256) for one in images])
            return took

        return self.job(work)

    def script(self, folder: Path, db_ids: list[str]) -> None:
        """One after another, the whole file in memory, no checks: what such scripts do."""
        import httpx
        from PIL import Image

        for db_id in db_ids:
            place = folder / db_id
            place.mkdir()
            character = f"{self.library.url}/api/v1/characters/{db_id}"
            made = httpx.post(f"{character}/generate-initial-image", json={"prompt": "Lena."})
            urls = [made.raise_for_status().json()["data"]["publicUrl"]]
            drawn = httpx.post(f"{character}/generate-360-set", json={}).raise_for_status()
            urls += [each["url"] for each in drawn.json()["images"]]
            for number, url in enumerate(urls):
                data = httpx.get(url).raise_for_status().content
                (place / f"{number}.jpg").write_bytes(data)
                with Image.open(io.BytesIO(data)) as image:
                    image.thumbnail((THUMBNAIL, THUMBNAIL))
                    image.save(place / f"{number}.webp", "WEBP", quality=80)
            found = [each.read_bytes() for each in place.glob("*.jpg")]
            self._same([hashlib.sha256(each).hexdigest() for each in found])
            self._count(len(list(place.glob("*.webp"))), 1)

    def scrapy(self, folder: Path, db_ids: list[str]) -> float:
        """What Scrapy says itself of the time."""
        said = folder / "said.json"
        given = {
            "url": self.library.url,
            "characters": db_ids,
            "folder": str(folder),
            "thumbnail": THUMBNAIL,
            "said": str(said),
        }
        command = [program("python"), str(OTHERS / "spider.py"), json.dumps(given)]
        subprocess.run(command, check=True, capture_output=True)
        # It writes the originals anew, so their hashes are none that could be compared.
        for kept in ("full", "thumbs/small"):
            self._count(len(list(folder.glob(f"{kept}/*.jpg"))), len(db_ids))
        return float(json.loads(said.read_text())["seconds"])

    def img2dataset(self, folder: Path, db_ids: list[str]) -> float:
        """What img2dataset says itself of the time; its start is left out, too."""
        urls = folder / "urls.txt"
        urls.write_text("\n".join(self.urls(db_ids)))
        place = folder / "out"
        command = [program("img2dataset"), "--url_list", str(urls), "--output_folder", str(place)]
        command += ["--image_size", str(THUMBNAIL), "--resize_mode", "keep_ratio"]
        command += ["--processes_count", "2", "--thread_count", "8", "--output_format", "files"]
        # Both processes have something to do.
        command += ["--number_sample_per_shard", str(-(-len(db_ids) * IMAGES // 2))]
        subprocess.run(command, check=True, capture_output=True)
        said = [json.loads(each.read_text()) for each in place.glob("*_stats.json")]
        self._count(sum(each["successes"] for each in said), len(db_ids))
        begun = min(each["start_time"] for each in said)
        return float(max(each["end_time"] for each in said) - begun)

    def _same(self, hashes: list[str]) -> None:
        demand(sorted(hashes) == self._hashes, "other images came in")

    @staticmethod
    def _count(found: int, characters: int) -> None:
        demand(found == characters * IMAGES, f"{found} of {characters * IMAGES} images came in")


@contextmanager
def _prepared() -> Iterator[Mapping[str, Job]]:
    try:
        from distributed import Client, LocalCluster

        from charimg.bulk import DaskExecutor
    except ImportError as error:
        raise Missing("Dask is missing; install it with: pip install -e '.[dev]'") from error
    # Before anything is started.
    program("python")
    program("img2dataset")
    with ExitStack() as stack:
        root = Path(stack.enter_context(TemporaryDirectory(prefix="charimg-bench-")))
        files = draw_photographs(root / "photographs", megabytes=MEGABYTES, count=IMAGES)
        stage = _Stage(stack.enter_context(serving_many(files)), files, root)
        threads = stack.enter_context(ThreadPoolExecutor(IN_FLIGHT))
        options: dict[str, Any] = {
            "n_workers": 2,
            "threads_per_worker": IN_FLIGHT // 2,
            "dashboard_address": "127.0.0.1:0",
            "silence_logs": "CRITICAL",
        }
        cluster: Any = stack.enter_context(LocalCluster(**options))  # type: ignore[no-untyped-call]
        client = stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]
        executor = stack.enter_context(DaskExecutor(client))
        yield {
            "threads": stage.ours(threads),
            "Dask": stage.ours(executor),
            "script": stage.job(stage.script),
            "scrapy": stage.job(stage.scrapy),
            "img2dataset": stage.job(stage.img2dataset),
        }


_WORK = f"bulk: {CHARACTERS} characters x {IMAGES} images of {MEGABYTES} MB"
_PEERS = {
    "script": "a plain script",
    "scrapy": "Scrapy's media pipeline",
    "img2dataset": "img2dataset, resizing",
}

CONTESTS = (
    Contest(
        name="bulk",
        rounds=5,
        prepare=_prepared,
        rows=tuple(
            Row(
                work=f"{_WORK}, {way}",
                ours=ours,
                other=other,
                against=against,
                reach=2,
                goal=Goal.AT_LEAST,
            )
            for ours, way in (("threads", "on threads"), ("Dask", "on Dask, 2 workers"))
            for other, against in _PEERS.items()
        ),
    ),
)
