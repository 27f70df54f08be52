"""The S3 store, against obstore alone on the same server; and how short programs end."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from charimg import Upload
from charimg import stores as kinds

from . import backends
from .measure import Contest, Goal, Job, Missing, Row, twins
from .pictures import PORTFOLIO

__all__ = ["CONTESTS"]

SIZE = 2_000_000
AT_ONCE = 6
"""The service's default concurrency."""
SHORT_RUNS = 50

_SHORT = """
import hashlib, io, sys
from charimg import Upload
from charimg.stores import S3MediaStore
endpoint, bucket, key = sys.argv[1:]
store = S3MediaStore(bucket, endpoint=endpoint, region="us-east-1", thumbnail_px=0)
digest = hashlib.sha256(b"short").hexdigest()
store.save(Upload(key=key, file=io.BytesIO(b"short"), filename="a.png", mime_type="image/png",
                  size=5, sha256=digest))
"""


def _clean(job: Callable[[], object], objects: Path) -> Job:
    """Return the job timed without what makes room again."""

    def run() -> float:
        begun = time.perf_counter()
        job()
        passed = time.perf_counter() - begun
        for each in objects.iterdir():
            shutil.rmtree(each)
        return passed

    return run


@contextmanager
def _portfolios() -> Iterator[Mapping[str, Job]]:
    with ExitStack() as stack:
        endpoint, bucket, objects = stack.enter_context(backends.s3())
        obstore = _obstore()
        data = os.urandom(SIZE)
        digest = hashlib.sha256(data).hexdigest()
        numbers = count()
        threads = stack.enter_context(ThreadPoolExecutor(AT_ONCE))
        runner = stack.enter_context(asyncio.Runner())
        place: dict[str, Any] = {"endpoint": endpoint, "region": "us-east-1"}
        store = kinds.S3MediaStore(bucket, thumbnail_px=0, **place)
        twin = kinds.AsyncS3MediaStore(bucket, thumbnail_px=0, **place)
        bare = obstore.store.S3Store(
            bucket, checksum_algorithm="sha256", client_options={"allow_http": True}, **place
        )

        def upload(number: int) -> Upload:
            key = f"key-{number}"
            return Upload(
                key=key,
                file=io.BytesIO(data),
                filename=f"{key}.jpg",
                mime_type="image/jpeg",
                size=SIZE,
                sha256=digest,
            )

        def several() -> list[int]:
            return [next(numbers) for _ in range(PORTFOLIO)]

        def blocking() -> None:
            list(threads.map(lambda number: store.save(upload(number)), several()))

        async def saves() -> None:
            free = asyncio.Semaphore(AT_ONCE)

            async def save(number: int) -> None:
                async with free:
                    await twin.save(upload(number))

            await asyncio.gather(*map(save, several()))

        def alone() -> None:
            list(
                threads.map(lambda number: obstore.put(bare, f"bare/{number}.jpg", data), several())
            )

        yield {
            "sync": _clean(blocking, objects),
            "async": _clean(lambda: runner.run(saves()), objects),
            "obstore": _clean(alone, objects),
        }


def _obstore() -> Any:
    try:
        import obstore
        import obstore.store
    except ImportError as error:
        raise Missing("obstore is missing; install it with: pip install -e '.[dev]'") from error
    return obstore


@contextmanager
def _short_runs() -> Iterator[Mapping[str, Job]]:
    """Run them once: what is told is how many ended well."""
    with backends.s3() as (endpoint, bucket, _), ThreadPoolExecutor(2) as threads:

        def run(number: int) -> bool:
            command = [sys.executable, "-c", _SHORT, endpoint, bucket, f"key-{number}"]
            return subprocess.run(command, check=False).returncode == 0

        well = sum(threads.map(run, range(SHORT_RUNS)))
    yield {"well": lambda: float(well), "all": lambda: float(SHORT_RUNS)}


_WORK = f"S3: put {PORTFOLIO} x {SIZE // 1_000_000} MB, {AT_ONCE} at once"

CONTESTS = (
    Contest(
        name="objects",
        rounds=7,
        prepare=_portfolios,
        rows=(
            Row(work=_WORK, ours="sync", other="obstore", against="obstore alone", reach=1.25),
            Row(
                work=f"{_WORK}, async",
                ours="async",
                other="obstore",
                against="obstore alone",
                reach=1.25,
            ),
            twins(_WORK, whole="store"),
        ),
    ),
    Contest(
        name="objects-exit",
        rounds=2,
        prepare=_short_runs,
        rows=(
            Row(
                work="S3: short programs that save one object, exit code 0",
                ours="well",
                other="all",
                against="all of them",
                reach=1,
                goal=Goal.WITHIN,
                unit="runs",
            ),
        ),
    ),
)
