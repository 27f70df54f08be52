"""A server that is told to end in the middle of its work: soon, quietly, and nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from charimg import (
    CharacterImageService,
    CharacterReference,
    JobProgressed,
    Operation,
    OperationStarted,
)
from charimg.testing import Simulator, serve
from charimg.web import _ending
from charimg.web._runs import AsyncRuns, Runs
from charimg.web._sync.streams import follow_ledger, follow_run

from ..patience import until
from ..servers.ports import Port
from .test_events import EVENTS

MARA = "/v1/characters/mara"

FASTAPI = """
import sys
from contextlib import asynccontextmanager
import uvicorn
from fastapi import FastAPI
from charimg import AsyncCharacterImageService, JobPolicy
from charimg.web.fastapi import router

@asynccontextmanager
async def lifespan(app):
    policy = JobPolicy(interval=0.05, interval_max=0.1)
    async with AsyncCharacterImageService.local(
        sys.argv[1], library=sys.argv[2], job_policy=policy
    ) as images:
        app.state.images = images
        yield

app = FastAPI(lifespan=lifespan)
app.include_router(router(lambda: app.state.images, authorize=lambda *_: "ada"))
uvicorn.run(app, port=int(sys.argv[3]), log_level="warning")
"""

MOUNTED = """
import sys
import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from charimg import AsyncCharacterImageService, JobPolicy
from charimg.web import asgi_app

images = AsyncCharacterImageService.local(
    sys.argv[1], library=sys.argv[2], job_policy=JobPolicy(interval=0.05, interval_max=0.1)
)
app = Starlette(routes=[Mount("/", asgi_app(images, authorize=lambda *_: "ada"))])
uvicorn.run(app, port=int(sys.argv[3]), log_level="warning")
"""

DJANGO = """
import sys
import django
from django.conf import settings
settings.configure(
    ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, SECRET_KEY="x", MIDDLEWARE=[], DATABASES={},
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
import uvicorn
from django.core.asgi import get_asgi_application
from charimg import CharacterImageService, JobPolicy
from charimg.web.django import urlpatterns as pages

images = CharacterImageService.local(
    sys.argv[1], library=sys.argv[2], job_policy=JobPolicy(interval=0.05, interval_max=0.1)
)
urlpatterns = pages(lambda: images, authorize=lambda *_: "ada")
uvicorn.run(get_asgi_application(), port=int(sys.argv[3]), log_level="warning", lifespan="off")
"""


class Library(Simulator):
    """Its jobs end when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(clock=lambda: self.now)
        self.switches.shots = 3
        self.switches.job_seconds = 1800.0


@pytest.fixture
def library() -> Iterator[tuple[Library, str]]:
    simulator = Library()
    with serve(simulator) as served:
        yield simulator, served.url


def put(directory: Path, simulator: Library, url: str) -> CharacterImageService:
    """Add a character with a reference; gives a service of this process over the stores."""
    service = CharacterImageService.local(directory, library=url)
    db_id = simulator.add_character("Mara")
    service.put_character(CharacterReference(id="mara", name="Mara", library_db_id=db_id))
    service.generate_reference("mara", prompt="A face.")
    return service


@contextmanager
def host(program: str, directory: Path, library_url: str) -> Iterator[tuple[Any, str]]:
    port = Port()
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(directory), library_url, str(port.number)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    url = f"http://127.0.0.1:{port.number}"

    def answers() -> bool:
        assert process.poll() is None, process.communicate()
        try:
            return httpx.get(f"{url}{MARA}/images", timeout=30).status_code == 200
        except httpx.TransportError:
            return False

    try:
        until(answers)
        yield process, url
    finally:
        process.kill()
        process.communicate()


@pytest.mark.heavy
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("program", [FASTAPI, MOUNTED, DJANGO], ids=["fastapi", "asgi", "django"])
def test_a_host_on_uvicorn_ends_with_open_streams_and_the_next_one_goes_on(
    library: tuple[Library, str], tmp_path: Path, program: str, number: int
) -> None:
    simulator, library_url = library
    with put(tmp_path, simulator, library_url) as service:
        with (
            host(program, tmp_path, library_url) as (process, url),
            httpx.Client(timeout=300) as web,
        ):
            asked = {"method": "POST", "url": f"{url}{MARA}/generate-360-set", "json": {}}
            with web.stream(**asked, headers=EVENTS) as stream:
                lines = stream.iter_lines()
                next(line for line in lines if line == "event: progress")
                (operation,) = service.ledger.unfinished("mara")
                at = f"{url}{MARA}/operations/{operation.id}"
                with web.stream("GET", at, headers=EVENTS) as second:
                    assert next(second.iter_lines()).startswith("id: ")
                    process.send_signal(number)
                    # Both break off, and neither tells an end that is none.
                    with suppress(httpx.RemoteProtocolError):
                        assert not any(line in ("event: done", "event: error") for line in lines)
            said, _ = process.communicate(timeout=300)
            assert "Traceback" not in said
            assert "rror" not in said, said
        # Whoever comes next is not kept out, and pays nothing.
        assert [each.outcome for each in service.recover("mara").operations] == ["waiting"]
        simulator.now += 3600
        (recovered,) = service.recover("mara").operations
        assert (recovered.outcome, len(recovered.images)) == ("completed", 3)
        assert simulator.counters.set360_posts == 1


@pytest.mark.heavy
def test_a_client_that_waits_without_a_stream_is_told(
    library: tuple[Library, str], tmp_path: Path
) -> None:
    simulator, library_url = library
    with (
        put(tmp_path, simulator, library_url) as service,
        host(FASTAPI, tmp_path, library_url) as (process, url),
        ThreadPoolExecutor() as pool,
    ):
        asked = pool.submit(httpx.post, f"{url}{MARA}/generate-360-set", json={}, timeout=60)
        until(lambda: [each for each in service.ledger.unfinished("mara") if each.job_id])
        process.send_signal(signal.SIGTERM)
        answer = asked.result(300)
        assert answer.status_code == 503
        body = answer.json()
        assert (body["code"], body["recoverable"]) == ("INTERRUPTED", True)
        process.communicate(timeout=300)


class _Server:
    should_exit = False

    def handle_exit(self, *_: Any) -> None:
        """Stand for the signals, as uvicorn's does."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> _Server:
    """A server that is told to end when a test says so."""
    server = _Server()
    monkeypatch.setattr(_ending.signal, "getsignal", lambda number: server.handle_exit)
    return server


TAG = {"operation_id": "01a2", "character_id": "mara"}
POLL = JobProgressed(job_id="j", status="processing", current=1, total=3, **TAG)


def test_a_thread_breaks_the_watching_of_a_job_off(server: _Server) -> None:
    runs, begun, polls = Runs(), threading.Event(), []

    def work(on_progress: Any) -> dict[str, Any]:
        on_progress(OperationStarted(kind="portfolio", **TAG))
        begun.wait(60)
        while len(polls) < 2:
            polls.append(1)
            on_progress(POLL)
        return {}

    run = runs.begin("mara", work)
    assert not run.ended
    server.should_exit = True
    begun.set()
    until(lambda: run.ended)
    assert len(polls) == 1
    assert list(follow_run(runs, run, 0, 60)) == []
    # In the thread of a request: its client is told.
    assert runs.complete("mara", work).error is not None


def test_a_stream_over_the_ledger_breaks_off(server: _Server) -> None:
    server.should_exit = True
    service: Any = None
    operation = Operation(id="01a2", kind="scene", character_id="mara")
    assert list(follow_ledger(service, operation, 0, 60, 60)) == []


def test_tasks_are_broken_off_before_the_stores_close(server: _Server) -> None:
    async def work(on_progress: Any) -> dict[str, Any]:
        on_progress(OperationStarted(kind="portfolio", **TAG))
        await anyio.sleep_forever()
        return {}

    async def main() -> None:
        runs = AsyncRuns()
        run = await runs.begin("mara", work)
        assert not await runs.ends()
        assert not run.ended
        server.should_exit = True
        assert await runs.ends()
        assert run.ended
        # Nor does one begin that nobody could wait for.
        assert (await runs.complete("mara", work)).ended

    anyio.run(main)


def test_a_task_that_loses_its_cancellation_is_cancelled_again(
    server: _Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("charimg.web._runs._AGAIN", 0.01)
    lost = []

    async def work(on_progress: Any) -> dict[str, Any]:
        on_progress(OperationStarted(kind="portfolio", **TAG))
        while True:
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class() as error:
                if len(lost) == 2:
                    raise
                lost.append(error)

    async def main() -> None:
        runs = AsyncRuns()
        run = await runs.begin("mara", work)
        server.should_exit = True
        assert await runs.ends()
        assert run.ended

    anyio.run(main)
    assert len(lost) == 2
