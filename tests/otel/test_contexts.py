"""Whose span is whose: threads, tasks of asyncio and trio, several operations at once."""

from __future__ import annotations

import contextvars
import sys
import threading
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from fastapi import FastAPI, Request
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan

from charimg import (
    AsyncCharacterImageService,
    AsyncCharacterLibrary,
    AsyncDownloader,
    CharacterImage,
    CharacterImageService,
    CharacterLibrary,
    CharacterReference,
    ConfigurationError,
    Downloader,
    ImageStored,
    OperationFinished,
    OperationStarted,
    RetryPolicy,
    StageFinished,
)
from charimg.models import utcnow
from charimg.otel import OpenTelemetryHook
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
from charimg.testing import Simulator
from charimg.web.fastapi import router

from ..patience import FAST
from ..watching import Sight

NAMES = ("lena", "otto", "mara")
OFF = RetryPolicy.off()
BACKENDS = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])


class Spying:
    """A transport that notes which span each request is sent in, and calls something first."""

    def __init__(self, inner: Any, before: Callable[[httpx.Request], Any] | None = None) -> None:
        self.inner = inner
        self.before = before
        self.seen: list[tuple[str, Any]] = []

    def _note(self, request: httpx.Request) -> Any:
        self.seen.append((request.url.path, trace.get_current_span().get_span_context()))
        return None if self.before is None else self.before(request)

    def within(self, span: ReadableSpan, path: str) -> list[bool]:
        """Tell of each request for such a path whether it was sent in a span."""
        assert span.context is not None
        return [
            context.span_id == span.context.span_id for asked, context in self.seen if path in asked
        ]


class SyncSpying(Spying, httpx.BaseTransport):
    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._note(request)
        response: httpx.Response = self.inner.handle_request(request)
        return response


class AsyncSpying(Spying, httpx.AsyncBaseTransport):
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        waiting = self._note(request)
        if waiting is not None:
            await waiting
        response: httpx.Response = await self.inner.handle_async_request(request)
        return response


def characters(simulator: Simulator) -> list[CharacterReference]:
    simulator.switches.shots = 3
    return [
        CharacterReference(id=name, name=name, library_db_id=simulator.add_character(name))
        for name in NAMES
    ]


def sync_service(simulator: Simulator, transport: Any, *hooks: Any) -> CharacterImageService:
    client = httpx.Client(transport=transport)
    return CharacterImageService(
        library=CharacterLibrary(simulator.base_url, client=client, retries=OFF),
        downloader=Downloader(client=client, retries=OFF),
        directory=MemoryCharacterDirectory(characters(simulator)),
        media=MemoryMediaStore(),
        metadata=MemoryMetadataRepository(),
        ledger=MemoryGenerationLedger(),
        job_policy=FAST,
        hooks=hooks,
    )


def async_service(simulator: Simulator, transport: Any, *hooks: Any) -> AsyncCharacterImageService:
    client = httpx.AsyncClient(transport=transport)
    return AsyncCharacterImageService(
        library=AsyncCharacterLibrary(simulator.base_url, client=client, retries=OFF),
        downloader=AsyncDownloader(client=client, retries=OFF),
        directory=AsyncMemoryCharacterDirectory(characters(simulator)),
        media=AsyncMemoryMediaStore(),
        metadata=AsyncMemoryMetadataRepository(),
        ledger=AsyncMemoryGenerationLedger(),
        job_policy=FAST,
        hooks=hooks,
    )


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def test_the_callers_span_is_the_parent_and_current_again_afterwards() -> None:
    sight, simulator = Sight(), Simulator()
    transport = SyncSpying(simulator.transport())
    service = sync_service(simulator, transport, sight.hook)
    with sight.tracer.start_as_current_span("request") as request:
        service.generate_reference("lena")
        assert trace.get_current_span() is request
        service.generate_portfolio("lena")
        assert trace.get_current_span() is request
    for name in ("charimg.reference", "charimg.portfolio"):
        assert parent_of(sight.span(name)) == request.get_span_context().span_id
    # Requests of the operation are made within it, those of workers, too.
    portfolio = sight.span("charimg.portfolio")
    assert transport.within(portfolio, "generate-360-set") == [True]
    assert transport.within(portfolio, "/media/").count(True) == 3
    assert len(sight.below(portfolio)) == 1 + 3 * 3


@BACKENDS
@pytest.mark.anyio
async def test_the_same_in_a_task(anyio_backend: str) -> None:
    sight, simulator = Sight(), Simulator()
    transport = AsyncSpying(simulator.transport())
    service = async_service(simulator, transport, sight.hook)
    with sight.tracer.start_as_current_span("request") as request:
        await service.generate_reference("lena")
        assert trace.get_current_span() is request
        await service.generate_portfolio("lena")
        assert trace.get_current_span() is request
    portfolio = sight.span("charimg.portfolio")
    assert parent_of(portfolio) == request.get_span_context().span_id
    assert transport.within(portfolio, "generate-360-set") == [True]
    assert transport.within(portfolio, "/media/").count(True) == 3
    assert len(sight.below(portfolio)) == 1 + 3 * 3


def check_apart(sight: Sight) -> None:
    """Check that the operations on all characters, which overlapped, are told apart."""
    scenes = sight.spans("charimg.reference")
    assert {(span.attributes or {})["charimg.character.id"] for span in scenes} == set(NAMES)
    assert max(span.start_time or 0 for span in scenes) < min(span.end_time or 0 for span in scenes)
    for span in scenes:
        assert parent_of(span) is None
        operation = str((span.attributes or {})["charimg.operation.id"])
        below = sight.below(span)
        assert len(below) == 4
        keys = {str((each.attributes or {}).get("charimg.image.key", operation)) for each in below}
        assert all(key.startswith(operation) for key in keys)
    assert len(sight.spans()) == 5 * len(NAMES)


def test_operations_in_threads_are_told_apart() -> None:
    sight, simulator = Sight(), Simulator()
    together = threading.Barrier(len(NAMES))

    def meet(request: httpx.Request) -> None:
        if request.url.path.endswith("generate-initial-image"):
            together.wait(60)

    service = sync_service(simulator, SyncSpying(simulator.transport(), meet), sight.hook)
    threads = [threading.Thread(target=service.generate_reference, args=(name,)) for name in NAMES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    check_apart(sight)


@BACKENDS
@pytest.mark.anyio
async def test_operations_in_tasks_are_told_apart(anyio_backend: str) -> None:
    sight, simulator = Sight(), Simulator()
    waiting, together = [0], anyio.Event()

    def meet(request: httpx.Request) -> Any:
        if not request.url.path.endswith("generate-initial-image"):
            return None
        waiting[0] += 1
        if waiting[0] == len(NAMES):
            together.set()
        return together.wait()

    service = async_service(simulator, AsyncSpying(simulator.transport(), meet), sight.hook)
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            for name in NAMES:
                group.start_soon(service.generate_reference, name)
    check_apart(sight)


@BACKENDS
@pytest.mark.anyio
async def test_a_cancelled_operation_ends_its_span_and_what_was_under_way(
    anyio_backend: str,
) -> None:
    sight, simulator = Sight(), Simulator()
    scope = anyio.CancelScope()

    def stop(request: httpx.Request) -> Any:
        if "/media/" not in request.url.path:
            return None
        scope.cancel()
        return anyio.sleep_forever()

    service = async_service(simulator, AsyncSpying(simulator.transport(), stop), sight.hook)
    with sight.tracer.start_as_current_span("request") as request:
        with scope:
            await service.generate_reference("lena")
        assert scope.cancelled_caught
        assert trace.get_current_span() is request
    span = sight.span("charimg.reference")
    assert parent_of(span) == request.get_span_context().span_id
    cancelled = {"asyncio": "CancelledError", "trio": "Cancelled"}[anyio_backend]
    assert (span.attributes or {})["error.type"] == cancelled
    below = [(each.name, (each.attributes or {}).get("error.type")) for each in sight.below(span)]
    assert below == [("charimg.generation", None), ("charimg.download", cancelled)]
    assert sight.counts("charimg.operation.duration") == {("reference", cancelled): 1}


def test_two_hooks_leave_the_callers_span_alone() -> None:
    first, second, simulator = Sight(), Sight(), Simulator()
    service = sync_service(simulator, simulator.transport(), first.hook, second.hook)
    with first.tracer.start_as_current_span("request") as request:
        service.generate_reference("lena")
        assert trace.get_current_span() is request
    assert len(first.spans("charimg.reference")) == len(second.spans("charimg.reference")) == 1
    for sight in (first, second):
        assert sight.counts("charimg.operation.duration") == {("reference",): 1}


def test_an_operation_within_another_is_below_it() -> None:
    """A progress callback may call the service for another character."""
    sight, simulator = Sight(), Simulator()
    service = sync_service(simulator, simulator.transport(), sight.hook)

    def also(event: object) -> None:
        if isinstance(event, OperationStarted):
            service.delete_all_images("otto")

    service.generate_reference("lena", on_progress=also)
    outer, inner = sight.span("charimg.reference"), sight.span("charimg.delete")
    assert outer.context is not None
    assert parent_of(inner) == outer.context.span_id
    assert len(sight.below(outer)) == 5


def test_the_request_of_a_web_host_is_the_parent() -> None:
    sight, simulator = Sight(), Simulator()
    service = async_service(simulator, simulator.transport(), sight.hook)
    app = FastAPI()

    @app.middleware("http")
    async def traced(request: Request, call_next: Any) -> Any:
        with sight.tracer.start_as_current_span("request"):
            return await call_next(request)

    app.include_router(router(service, authorize=lambda *_: "ada"))

    async def ask() -> int:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://studio.test") as client:
            path = "/v1/characters/lena/generate-initial-image"
            headers = {"Sec-Fetch-Site": "same-origin"}
            return (await client.post(path, json={}, headers=headers)).status_code

    assert anyio.run(ask) == 200
    request = sight.span("request")
    assert request.context is not None
    assert parent_of(sight.span("charimg.reference")) == request.context.span_id


def test_an_end_in_another_context_costs_the_span_and_not_the_measurement() -> None:
    sight = Sight()
    names = {"operation_id": "1", "kind": "scene", "character_id": "lena"}
    elsewhere = contextvars.copy_context()
    sight.hook(OperationStarted(**names))
    elsewhere.run(sight.hook, OperationFinished(**names, duration_ms=2000.0))
    assert sight.spans() == []
    assert sight.points("charimg.operation.duration")[("scene",)].sum == 2
    # It is still the one under way here, and no other one ends it.
    sight.hook(OperationFinished(**{**names, "operation_id": "2"}, duration_ms=1.0))
    assert sight.spans() == []
    sight.hook(OperationFinished(**names, duration_ms=2000.0))
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert [span.name for span in sight.spans()] == ["charimg.scene"]


def test_a_stage_has_the_times_that_it_was_measured_with() -> None:
    sight = Sight()
    began = utcnow()
    sight.hook(
        StageFinished(
            operation_id="1",
            kind="scene",
            character_id="lena",
            stage="generation",
            began_at=began,
            duration_ms=1234.567,
        )
    )
    (span,) = sight.spans()
    assert span.start_time == round(began.timestamp() * 1000) * 1_000_000
    assert span.end_time == span.start_time + 1_234_567_000
    point = sight.points("charimg.stage.duration")[("scene", "generation")]
    assert point.sum == pytest.approx(1.234567)
    # Seconds fall apart into buckets of seconds.
    assert point.explicit_bounds[-1] == 3600


def test_an_image_of_unknown_size_is_counted_and_not_measured() -> None:
    sight = Sight()
    image = CharacterImage(key="1-000", character_id="lena", kind="scene", status="succeeded")
    sight.hook(ImageStored(operation_id="1", image=image, done=1, total=1))
    assert sight.counts("charimg.images") == {("scene", "succeeded"): 1}
    assert sight.counts("charimg.image.size") == {}


def test_by_default_it_uses_what_the_host_has_set_up() -> None:
    simulator = Simulator()
    # Nothing is set up here: nothing is kept, and nothing fails.
    service = sync_service(simulator, simulator.transport(), OpenTelemetryHook())
    result = service.generate_reference("lena")
    assert result.image.status == "succeeded"
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'charimg\[otel\]'"):
        OpenTelemetryHook()
