"""Spans and metrics of operations through OpenTelemetry (extra ``otel``).

Nothing is imported, set up or exported on its own: the host brings the SDK and its exporters, and
gives the hook to the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import define, field

from . import __version__
from .errors import ConfigurationError
from .events import (
    ImageFailed,
    ImageStored,
    OperationFailed,
    OperationFinished,
    OperationStarted,
    RecoveryFinished,
    RecoveryStarted,
    ReferenceRetried,
    ServiceEvent,
    StageFinished,
    WarningRaised,
)

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import Span, TracerProvider

__all__ = ["OpenTelemetryHook"]

_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)
"""From a record in memory to a 360° job."""
_BYTES = (2**14, 2**16, 2**18, 2**19, 2**20, 2**21, 2**22, 2**23, 2**24, 2**25, 2**26)
"""From 16 KiB to 64 MiB."""


@define
class _Running:
    """An operation or a recovery under way, found again through the context that it set."""

    operation_id: str
    span: Span
    token: Token[Context] = field(init=False)


class OpenTelemetryHook:
    """A hook that makes spans and metrics of everything that a service does.

    Each operation, and each one that is taken up by a recovery, is a span below the caller's, and
    the current one while it works. Its generations, downloads, stored files and records are spans
    below it. Spans hold the ids of the operation and the character; metrics hold none, so their
    number does not grow with them. Neither holds a prompt, a URL or a key.

    One hook serves any number of services, threads and tasks.

    Args:
        tracer_provider: Makes the spans; by default the global one.
        meter_provider: Takes the metrics; by default the global one.

    Raises:
        ConfigurationError: The package opentelemetry-api is missing.
    """

    every_event = True

    def __init__(
        self,
        *,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        try:
            from opentelemetry import context, metrics, trace
        except ImportError as error:
            raise ConfigurationError(
                "OpenTelemetryHook needs the package opentelemetry-api: "
                "pip install 'charimg[otel]'."
            ) from error
        self._trace = trace
        self._context = context
        self._key = context.create_key("charimg-operation")
        self._tracer = trace.get_tracer("charimg", __version__, tracer_provider)
        meter = metrics.get_meter("charimg", __version__, meter_provider)
        self._operations = meter.create_histogram(
            "charimg.operation.duration",
            unit="s",
            description="Duration of operations.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._recoveries = meter.create_histogram(
            "charimg.recovery.duration",
            unit="s",
            description="Duration of finishing operations that were broken off.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._stages = meter.create_histogram(
            "charimg.stage.duration",
            unit="s",
            description="Duration of the generations, downloads, stores and records.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        self._images = meter.create_counter(
            "charimg.images", unit="{image}", description="Images that were stored, or failed."
        )
        self._sizes = meter.create_histogram(
            "charimg.image.size",
            unit="By",
            description="Size of the files of stored images.",
            explicit_bucket_boundaries_advisory=_BYTES,
        )

    def __call__(self, event: ServiceEvent, /) -> None:
        """Take one event; the service calls this."""
        match event:
            case OperationStarted():
                self._start(f"charimg.{event.kind}", event)
            case OperationFinished() | OperationFailed():
                self._finish_operation(event)
            case RecoveryStarted():
                self._start("charimg.recover", event)
            case RecoveryFinished():
                self._finish_recovery(event)
            case StageFinished():
                self._stage(event)
            case ImageStored() | ImageFailed():
                self._image(event)
            case ReferenceRetried():
                self._trace.get_current_span().add_event("charimg.reference.retried")
            case WarningRaised():
                self._trace.get_current_span().add_event(
                    "charimg.warning", {"charimg.warning.code": str(event.code)}
                )

    def _start(self, name: str, event: OperationStarted | RecoveryStarted) -> None:
        span = self._tracer.start_span(
            name,
            attributes={
                "charimg.operation.id": event.operation_id,
                "charimg.operation.kind": str(event.kind),
                "charimg.character.id": event.character_id,
            },
        )
        # The operation goes on in this thread or task, and finds there what is made current here.
        within = self._trace.set_span_in_context(span)
        running = _Running(operation_id=event.operation_id, span=span)
        running.token = self._context.attach(self._context.set_value(self._key, running, within))

    def _end(
        self,
        event: OperationFinished | OperationFailed | RecoveryFinished,
        attributes: Mapping[str, str | int],
        *,
        code: str | None = None,
    ) -> None:
        running = self._context.get_value(self._key)
        if not isinstance(running, _Running) or running.operation_id != event.operation_id:
            # It ends in another context than it began in, and its span cannot be told from others.
            return
        running.span.set_attributes(attributes)
        self._close(running.span, code)
        self._context.detach(running.token)

    def _close(self, span: Span, code: str | None, end: int | None = None) -> None:
        if code is not None:
            span.set_attributes(_failure(code))
            # Never the error's message: it may name a URL.
            span.set_status(self._trace.StatusCode.ERROR, code)
        span.end(end)

    def _finish_operation(self, event: OperationFinished | OperationFailed) -> None:
        labels = {"charimg.operation.kind": str(event.kind)}
        told: dict[str, str | int] = {}
        code = None
        if isinstance(event, OperationFailed):
            code = event.code
            labels |= _failure(code)
        else:
            told["charimg.images.stored"] = event.stored
            told["charimg.images.failed"] = event.failed
            told["charimg.images.removed"] = event.removed
        # Before the span ends, so that a measurement can be traced to it.
        self._operations.record(event.duration_ms / 1000, labels)
        self._end(event, told, code=code)

    def _finish_recovery(self, event: RecoveryFinished) -> None:
        labels = {
            "charimg.operation.kind": str(event.kind),
            "charimg.recovery.outcome": event.outcome,
            **_failure(event.code),
        }
        self._recoveries.record(event.duration_ms / 1000, labels)
        self._end(event, {"charimg.recovery.outcome": event.outcome}, code=event.code)

    def _stage(self, event: StageFinished) -> None:
        labels = {
            "charimg.operation.kind": str(event.kind),
            "charimg.stage": str(event.stage),
            **_failure(event.code),
        }
        self._stages.record(event.duration_ms / 1000, labels)
        told: dict[str, str | int] = {}
        if event.key is not None:
            told["charimg.image.key"] = event.key
        if event.bytes is not None:
            told["charimg.image.size"] = event.bytes
        begin = round(event.began_at.timestamp() * 1_000_000) * 1000
        span = self._tracer.start_span(f"charimg.{event.stage}", start_time=begin, attributes=told)
        end = begin + round(event.duration_ms * 1_000_000)
        self._close(span, event.code, end=end)

    def _image(self, event: ImageStored | ImageFailed) -> None:
        image = event.image
        kind = {"charimg.image.kind": str(image.kind)}
        labels = {**kind, "charimg.image.status": str(image.status)}
        if isinstance(event, ImageFailed):
            labels |= _failure(event.code)
        elif image.metrics.bytes is not None:
            self._sizes.record(image.metrics.bytes, kind)
        self._images.add(1, labels)


def _failure(code: str | None) -> dict[str, str]:
    return {} if code is None else {"error.type": code}
