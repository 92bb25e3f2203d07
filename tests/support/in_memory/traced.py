"""Spans of the processes that run in a test, kept in memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.tracing.sdk import SdkTracer
from shared.tracing.spans import set_tracer

#: A trace that a client began: its id, the client's span, and the header that names both.
TRACE_ID: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
CLIENTS_SPAN: Final = "00f067aa0ba902b7"
TRACEPARENT: Final = f"00-{TRACE_ID}-{CLIENTS_SPAN}-01"


@dataclass
class Spans:
    """The spans that have ended."""

    exporter: InMemorySpanExporter

    def all(self, trace_id: str | None = None) -> list[ReadableSpan]:
        """Return all spans, or those of one trace."""
        ended = self.exporter.get_finished_spans()
        return [one for one in ended if trace_id is None or trace_of(one) == trace_id]

    def named(self, start: str, trace_id: str | None = None) -> list[ReadableSpan]:
        return [one for one in self.all(trace_id) if one.name.startswith(start)]

    def has(self, start: str, number: int = 1) -> Callable[[], bool]:
        """Return a condition: so many spans have this name."""
        return lambda: len(self.named(start)) >= number


def trace_of(span: ReadableSpan) -> str:
    return f"{span.context.trace_id:032x}"


def id_of(span: ReadableSpan) -> str:
    return f"{span.context.span_id:016x}"


def parent_of(span: ReadableSpan) -> str | None:
    return None if span.parent is None else f"{span.parent.span_id:016x}"


@contextmanager
def tracing_in_memory(processor: SpanProcessor | None = None) -> Iterator[Spans]:
    """Trace every process of this test; APIs have to be made inside the block."""
    exporter = InMemorySpanExporter()
    tracer = SdkTracer("test", "0.0.0", processor or SimpleSpanProcessor(exporter))
    set_tracer(tracer)
    try:
        yield Spans(exporter)
    finally:
        set_tracer(None)
        tracer.close()
