"""The OpenTelemetry SDK behind the spans; this module alone imports it, once tracing is switched on.

The SDK itself reads the standard variables: `OTEL_EXPORTER_OTLP_*`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`,
`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from typing import Final

import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.tracing.context import TRACEPARENT, TRACESTATE, TraceContext
from shared.tracing.spans import NO_SPAN, Attributes, Kind, Span

#: The name by which a backend tells our spans from those of libraries.
SCOPE: Final = "cloud-terminal"
_KINDS: Final[dict[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_propagator: Final = TraceContextTextMapPropagator()


class SdkSpan:
    """A span of the SDK. Whatever fails in it is ignored: nothing may happen to a payment for its trace."""

    def __init__(self, span: trace.Span) -> None:
        self._span: Final = span

    def rename(self, name: str) -> None:
        with suppress(Exception):
            self._span.update_name(name)

    def set(self, attributes: Attributes) -> None:
        with suppress(Exception):
            self._span.set_attributes(attributes)

    def fail(self, error_type: str) -> None:
        with suppress(Exception):
            self._span.set_attribute("error.type", error_type)
            self._span.set_status(Status(StatusCode.ERROR))


class _Recorded:
    """A block as a span; its trace is in the block's log lines where it is recorded, else nobody finds it."""

    def __init__(self, begin: Callable[[], trace.Span]) -> None:
        self._begin: Final = begin
        self._undo: Final = ExitStack()

    def __enter__(self) -> Span:
        span: Span = NO_SPAN
        with suppress(Exception):
            opened = self._begin()
            self._undo.callback(opened.end)
            span = self._span = SdkSpan(opened)
            token = otel_context.attach(trace.set_span_in_context(opened))
            self._undo.callback(otel_context.detach, token)
            if opened.is_recording():
                self._undo.enter_context(structlog.contextvars.bound_contextvars(trace_id=_trace_id(opened)))
        return span

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: object
    ) -> None:
        with suppress(Exception):
            if kind is not None:
                # Its type alone: a message may hold anything.
                self._span.fail(kind.__name__)
            self._undo.close()


class SdkTracer:
    """A tracer of the SDK. Its provider is our own: libraries that look for a global one find none."""

    def __init__(self, process: str, version: str, processor: SpanProcessor | None = None) -> None:
        """`processor` gets the spans; by default they are exported by OTLP over HTTP, in batches, from a
        thread of its own, and dropped where the collector does not take them."""
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": f"{SCOPE}-{process}"}
        resource = Resource.create({"service.namespace": SCOPE, "service.version": version, **named})
        self._provider: Final = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(processor or BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer: Final = self._provider.get_tracer(SCOPE, version)

    def span(self, name: str, kind: Kind, attributes: Attributes) -> AbstractContextManager[Span]:
        return _Recorded(lambda: self._tracer.start_span(name, kind=_KINDS[kind], attributes=attributes))

    @contextmanager
    def continued(self, context: TraceContext | None) -> Iterator[None]:
        headers = {} if context is None else {TRACEPARENT: context.traceparent}
        if context is not None and context.tracestate is not None:
            headers[TRACESTATE] = context.tracestate
        token = otel_context.attach(_propagator.extract(headers, context=otel_context.Context()))
        try:
            yield
        finally:
            otel_context.detach(token)

    def current(self) -> TraceContext | None:
        headers: dict[str, str] = {}
        _propagator.inject(headers)
        parent = headers.get(TRACEPARENT)
        return None if parent is None else TraceContext(parent, headers.get(TRACESTATE))

    def exemplar(self) -> dict[str, str] | None:
        open_span = trace.get_current_span()
        return {"trace_id": _trace_id(open_span)} if open_span.is_recording() else None

    def close(self) -> None:
        """Export what is left; blocks for the exporter's time-out at most."""
        self._provider.shutdown()


def _trace_id(span: trace.Span) -> str:
    return trace.format_trace_id(span.get_span_context().trace_id)
