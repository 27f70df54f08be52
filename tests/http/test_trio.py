"""The async half runs on trio as it is: one round through client, retries, job and download."""

from __future__ import annotations

import anyio
import pytest

from charimg import (
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterLibraryError,
    DownloadError,
    DownloadLimits,
    JobPolicy,
    RetryPolicy,
)

from ..ingest.samples import png
from ..library.helpers import DB_ID, JOB_ID
from .raw_server import ServerFactory, head

FAST = RetryPolicy(attempts=3, wait_initial=0.001, wait_max=0.001, wait_jitter=0)
QUICK = JobPolicy(interval=0.001, interval_max=0.001)


def answer(text: bytes, status: str = "200 OK") -> list[bytes | float]:
    return [head(status, Content_Length=len(text), Connection="close"), text]


def test_the_client_runs_on_trio(serve: ServerFactory) -> None:
    job = b'{"success": true, "jobId": "%b", "status": "%b"}'
    server = serve(
        answer(b"busy", "502 Bad Gateway"),
        answer(b'{"success": true, "jobId": "%b"}' % JOB_ID.encode()),
        answer(b"busy", "502 Bad Gateway"),
        answer(job % (JOB_ID.encode(), b"processing")),
        answer(job % (JOB_ID.encode(), b"completed")),
    )

    async def main() -> None:
        async with AsyncCharacterLibrary(server.url, retries=FAST) as library:
            with pytest.raises(CharacterLibraryError, match="UNAVAILABLE"):
                await library.generate_360_set(DB_ID)
            started = await library.generate_360_set(DB_ID)
            assert started.job_id == JOB_ID
            assert (await library.wait_for_job(JOB_ID, policy=QUICK)).finished

    anyio.run(main, backend="trio")
    assert len(server.heads) == 5


def test_downloads_run_on_trio(serve: ServerFactory) -> None:
    server = serve(answer(b"busy", "503 Busy"), answer(png()))
    silent = serve([60.0])

    async def main() -> None:
        async with AsyncDownloader(retries=FAST, allowed_origins=[server.url]) as downloader:
            download = await downloader.fetch(server.url)
            assert (download.attempts, download.file.read()) == (2, png())
            download.close()
        limits = DownloadLimits(timeout=0.05)
        async with AsyncDownloader(
            limits=limits, retries=RetryPolicy.off(), allowed_origins=[silent.url]
        ) as downloader:
            with pytest.raises(DownloadError, match="Try again later"):
                await downloader.fetch(silent.url)

    anyio.run(main, backend="trio")
