"""Marked secrets go in everywhere they may, everything fails, and none of them comes out."""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import traceback
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve
from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    CharimgError,
    Downloader,
    JobPolicy,
    ReferencePolicy,
    RetryPolicy,
)
from charimg.stores import (
    AsyncMemoryCharacterDirectory,
    AsyncMemoryGenerationLedger,
    AsyncMemoryMediaStore,
    AsyncMemoryMetadataRepository,
    MemoryCharacterDirectory,
    MemoryGenerationLedger,
    MemoryMediaStore,
    MemoryMetadataRepository,
)
from charimg.testing import Simulator, serve
from charimg.testing.simulator.exchange import SimulatedResponse

from ..figures import Figure
from ..watching import Sight

PROMPT = "CANARYPROMPT a portrait of a woman by the window at dusk"
KEY = "CANARYKEY0123456789"
QUERY = "CANARYQUERY"
USER = "CANARYUSER"
MARK = "CANARY"

LENA = "lena"
FAST = JobPolicy(interval=0.001, interval_max=0.002, deadline=0.01, stall=5, cancel_grace=0)
QUICK = RetryPolicy(attempts=2, timeout=5, wait_initial=0.001, wait_max=0.002, wait_jitter=0)

FAILURES: dict[str, dict[str, Any]] = {
    "none": {},
    **{
        name: {name: 40}
        for name in (
            *("broken_connections", "gateway_errors", "rate_limited", "truncated_answers"),
            *("wrong_types", "missing_fields", "generation_errors", "upload_errors"),
            *("processing_errors", "lost_answers", "reference_delete_errors", "set360_errors"),
            *("failing_shots", "gallery_lacks", "media_errors", "file_errors", "truncated_files"),
            "html_files",
        )
    },
    "down": {"down": True},
    "stranded jobs": {"strand_jobs": True},
    "failed jobs": {"fail_jobs": True},
}
OUR_WORLD = ("charimg", "httpx", "httpcore", "stamina")
"""Loggers that a host hears of us; the simulated server has its own."""


class Telling(Simulator):
    """A Character Library that signs its URLs, and repeats whatever it is told.

    Attributes:
        user: Whether its URLs carry user info.
        angry: Whether it refuses everything, with the caller's key and prompt in its words.
        moved: Whether its files answer with a redirect, signed too.
    """

    user = angry = moved = False

    def handle(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> SimulatedResponse:
        if self.angry and "/media" not in url:
            given = {name.lower(): value for name, value in headers.items()}
            words = f"Key {given.get('x-api-key')} may not ask for {body.decode()}"
            words = f"http://{USER}:{USER}@store.test/x?sig={QUERY} failed. {words}"
            return SimulatedResponse(
                status=403,
                headers={"content-type": "application/json"},
                body=json.dumps({"error": words}).encode(),
            )
        if self.moved and "/media/" in url and "moved" not in url:
            target = f"{self.base_url}/media/x.png?moved&sig={QUERY}"
            return SimulatedResponse(status=302, headers={"location": target})
        answer = super().handle(method, url, headers, body)
        if answer.is_file or not answer.headers.get("content-type", "").endswith("json"):
            return answer
        try:
            document = json.loads(answer.body)
        except ValueError:
            return answer
        return evolve(answer, body=json.dumps(self.signed(document)).encode())

    def signed(self, value: Any) -> Any:
        """Sign every URL of a document."""
        if isinstance(value, dict):
            return {name: self.signed(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.signed(each) for each in value]
        if isinstance(value, str) and "/media/" in value:
            where = value.replace("://", f"://{USER}:{USER}@") if self.user else value
            return f"{where}?sig={QUERY}#{QUERY}"
        return value


class Ear(logging.Handler):
    """Hears everything: messages, arguments, extras and tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []
        self.plain = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.split(".")[0] in OUR_WORLD:
            self.heard.append(self.plain.format(record) + repr(vars(record)))


class Watcher:
    """A hook that keeps every event."""

    every_event = True

    def __init__(self, told: list[Any]) -> None:
        self.told = told

    def __call__(self, event: Any) -> None:
        self.told.append(event)


def sync_service(url: str, told: list[Any], sight: Sight) -> CharacterImageService:
    return CharacterImageService(
        library=CharacterLibrary(url, headers={"x-api-key": KEY}, retries=QUICK),
        downloader=Downloader(retries=QUICK),
        directory=MemoryCharacterDirectory(),
        media=MemoryMediaStore(),
        metadata=MemoryMetadataRepository(),
        ledger=MemoryGenerationLedger(),
        hooks=(Watcher(told), sight.hook),
        job_policy=FAST,
    )


def async_service(url: str, told: list[Any], sight: Sight) -> AsyncCharacterImageService:
    return AsyncCharacterImageService(
        library=AsyncCharacterLibrary(url, headers={"x-api-key": KEY}, retries=QUICK),
        downloader=AsyncDownloader(retries=QUICK),
        directory=AsyncMemoryCharacterDirectory(),
        media=AsyncMemoryMediaStore(),
        metadata=AsyncMemoryMetadataRepository(),
        ledger=AsyncMemoryGenerationLedger(),
        hooks=(Watcher(told), sight.hook),
        job_policy=FAST,
    )


class Host:
    """Calls everything, and keeps whatever it gets to see, as texts."""

    def __init__(self, service: Any, told: list[Any]) -> None:
        self.service = service
        self.told = told
        self.seen: list[str] = []
        self.calls = 0

    async def call(self, name: str, *args: Any, **options: Any) -> Any:
        self.calls += 1
        try:
            result = getattr(self.service, name)(*args, **options)
            if inspect.isawaitable(result):
                result = await result
        except CharimgError as error:
            self.seen += [str(error), repr(error), *getattr(error, "__notes__", ())]
            self.seen += traceback.format_exception(error)
            return None
        self.seen += [repr(result), str(result)]
        return result

    async def everything(self) -> None:
        call = self.call
        await call("suggest_prompt", LENA)
        for policy in ReferencePolicy:
            await call("generate_reference", LENA, prompt=PROMPT, policy=policy)
        await call("generate_scene", LENA, PROMPT, mood=PROMPT)
        await call("generate_portfolio", LENA)
        await call("list_operations", LENA)
        page = await call("list_images", LENA)
        for image in page.images:
            await call("get_image", LENA, image.id)
            await call("restore_reference", LENA, image.id)
            if image.status == "failed":
                await call("retry_ingestion", LENA, image.id)
        await call("recover")
        for image in page.images[:2]:
            await call("delete_image", LENA, image.id)
        await self.stored()
        await call("delete_all_images", LENA)
        await call("recover")
        await self.stored()
        self.seen += map(repr, self.told)
        self.seen += [str(getattr(each, "error", "")) for each in self.told]
        self.seen += [repr(self.service), repr(self.service.library)]

    async def stored(self) -> None:
        """Read the ``error`` fields of what is stored."""
        for image in (await self.call("list_images", LENA)).images:
            self.seen.append(image.error or "")
        for op in (await self.call("list_operations", LENA)).operations:
            self.seen += [op.error or "", *(item.error or "" for item in op.items)]


async def live(simulator: Telling, url: str, mode: str) -> tuple[int, list[str]]:
    """Do everything under every failure; return how many calls, and all that was seen."""
    seen, calls = [], 0
    for name, switches in FAILURES.items():
        for fault in ("plain", "user", "moved", "angry"):
            if fault != "plain" and name not in ("none", "lost_answers"):
                continue
            told: list[Any] = []
            sight = Sight()
            service = (sync_service if mode == "sync" else async_service)(url, told, sight)
            db_id = simulator.add_character(name="Lena Marlow")
            character = CharacterReference(id=LENA, name="Lena Marlow", library_db_id=db_id)
            put = service.put_character(character)
            if inspect.isawaitable(put):
                await put
            simulator.switches.change({"shots": 2, **switches})
            simulator.switches.generation_error = f'Fal.ai API error: 422 - "{PROMPT}"'
            simulator.user, simulator.moved = fault == "user", fault == "moved"
            simulator.angry = fault == "angry"
            host = Host(service, told)
            await host.everything()
            seen += host.seen
            spans = [span.to_json() for span in sight.spans()]
            assert len(spans) > 3, "the spans were looked at"
            seen += [*spans, repr(sight.metrics())]
            calls += host.calls
            simulator.switches.change({each: type(value)(0) for each, value in switches.items()})
            simulator.user = simulator.moved = simulator.angry = False
            for part in (service.library, service._parts.downloader):
                closed = part.close() if mode == "sync" else part.aclose()
                if inspect.isawaitable(closed):
                    await closed
    return calls, seen


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_no_secret_comes_out(mode: str, figure: Figure) -> None:
    ear, root = Ear(), logging.getLogger()
    level = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    # Through structlog, which is installed here, it would say the same past the log.
    set_on_retry_hooks([LoggingOnRetryHook])
    try:
        with serve(Telling()) as served:
            simulator = served.simulator
            assert isinstance(simulator, Telling)
            calls, seen = asyncio.run(live(simulator, served.url, mode))
    finally:
        set_on_retry_hooks(None)
        root.removeHandler(ear)
        root.setLevel(level)
    assert len(ear.heard) > 500, "the log was listened to"
    out = sorted({text for text in (*ear.heard, *seen) if MARK in text}, key=len)
    assert out == []
    figure(
        f"secrets, {mode}",
        f"{calls} calls, {len(ear.heard)} log records, {len(seen)} texts, {len(out)} canaries",
    )
