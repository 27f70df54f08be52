"""What an OpenTelemetry SDK in this process gets to see of a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from charimg.otel import OpenTelemetryHook

__all__ = ["Sight"]


class Sight:
    """Keeps every span that has ended, and every metric.

    Attributes:
        hook: What is given to the service.
        tracer: Makes spans of the host's own.
    """

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self.hook = OpenTelemetryHook(
            tracer_provider=tracers, meter_provider=MeterProvider([self._reader])
        )
        self.tracer = tracers.get_tracer("host")

    def spans(self, name: str | None = None) -> list[ReadableSpan]:
        """Return the spans of a name, or all of them, in the order of their end."""
        ended = self._exporter.get_finished_spans()
        return [span for span in ended if name in (None, span.name)]

    def span(self, name: str) -> ReadableSpan:
        """Return the only span of a name."""
        (span,) = self.spans(name)
        return span

    def below(self, parent: ReadableSpan) -> list[ReadableSpan]:
        """Return the spans right below one, by their begin."""
        spans = [each for each in self.spans() if is_below(each, parent)]
        return sorted(spans, key=lambda span: span.start_time or 0)

    def text(self) -> str:
        """Return all that the spans say, as an exporter would write it."""
        return "\n".join(span.to_json() for span in self.spans())

    def metrics(self) -> dict[str, Any]:
        """Return every metric by its name."""
        data = self._reader.get_metrics_data()
        return {
            metric.name: metric
            for resource in (() if data is None else data.resource_metrics)
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> dict[tuple[str, ...], Any]:
        """Return the data points of a metric by the values of their attributes."""
        metric = self.metrics().get(name)
        points: Sequence[Any] = () if metric is None else metric.data.data_points
        return {tuple(point.attributes.values()): point for point in points}

    def counts(self, name: str) -> dict[tuple[str, ...], int]:
        """Return how often something was counted or measured, by the values of its attributes."""
        return {
            labels: getattr(point, "count", None) or point.value
            for labels, point in self.points(name).items()
        }


def is_below(span: ReadableSpan, parent: ReadableSpan) -> bool:
    """Tell whether a span is right below another."""
    return (
        span.parent is not None
        and span.context is not None
        and parent.context is not None
        and span.parent.span_id == parent.context.span_id
        and span.context.trace_id == parent.context.trace_id
    )
