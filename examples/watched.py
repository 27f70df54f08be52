"""Watch a service: one JSON line per event through structlog, and OpenTelemetry spans.

Against a simulated Character Library that cannot draw one shot, in a temporary directory::

    python examples/watched.py

Lines go to stdout, one span per line to stderr. It needs ``charimg[local,otel]``, ``structlog`` and
``opentelemetry-sdk``. Instead of `SpansToStderr` a host takes the exporter of its collector.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import MutableMapping, Sequence
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from charimg import CharacterImageService, CharacterReference
from charimg.otel import OpenTelemetryHook
from charimg.testing import Simulator, Switches, serve


def add_trace(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add which trace and span a line belongs to."""
    current = trace.get_current_span().get_span_context()
    if current.is_valid:
        event["trace_id"] = trace.format_trace_id(current.trace_id)
        event["span_id"] = trace.format_span_id(current.span_id)
    return event


def configure_logging() -> None:
    """Send the host's own lines and those of every library through structlog."""
    shared: list[Any] = [
        # What the host has bound for this request.
        structlog.contextvars.merge_contextvars,
        # The facts of an event of charimg.
        structlog.stdlib.ExtraAdder(),
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_trace,
        # As text: structured tracebacks would show local variables, and prompts among them.
        structlog.processors.format_exc_info,
    ]
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("charimg").setLevel(logging.INFO)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


class SpansToStderr(SpanExporter):
    """Writes one line for each span that has ended."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the spans."""
        for span in spans:
            attributes = span.attributes or {}
            error = attributes.get("error.type", "")
            taken = ((span.end_time or 0) - (span.start_time or 0)) / 1e6
            print(f"{span.name} {taken:.1f} ms {error}".rstrip(), file=sys.stderr)
        return SpanExportResult.SUCCESS


def draw(service: CharacterImageService) -> None:
    """Draw a reference and a portfolio in one trace of the host's."""
    log = structlog.get_logger("studio")
    with trace.get_tracer("studio").start_as_current_span("request"):
        service.generate_reference("mara")
        result = service.generate_portfolio("mara")
        log.info("portfolio.drawn", stored=len(result.images), failed=len(result.failures))


def main() -> int:
    """Run the program; return its exit code."""
    configure_logging()
    logging.getLogger("studio").setLevel(logging.INFO)
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(SpansToStderr()))
    trace.set_tracer_provider(tracers)
    simulator = Simulator(switches=Switches(shots=4, failing_shots=1))
    db_id = simulator.add_character("Mara Voss")
    structlog.contextvars.bind_contextvars(user="ann")
    with (
        serve(simulator) as server,
        tempfile.TemporaryDirectory() as where,
        CharacterImageService.local(
            where, library=server.url, hooks=[OpenTelemetryHook()]
        ) as service,
    ):
        service.put_character(CharacterReference(id="mara", name="Mara Voss", library_db_id=db_id))
        draw(service)
    return 0


if __name__ == "__main__":
    sys.exit(main())
