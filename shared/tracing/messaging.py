"""Spans of messages, with the names and attributes of OpenTelemetry's conventions for RabbitMQ."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from shared.tracing.context import TraceContext
from shared.tracing.spans import Span, continued, is_tracing, span, unrecorded

#: The name of a queue of one process, in span names: there are any number of them.
TEMPORARY: Final = "(temporary)"


def publishing(queue: str, about: str, *, is_temporary: bool = False) -> AbstractContextManager[Span]:
    """Record the publishing of a message; `about` is the id of its payment, probe or delivery."""
    if not is_tracing():
        return unrecorded()
    name = TEMPORARY if is_temporary else queue
    return span(f"publish {name}", "producer", _attributes("publish", "send", queue, about))


def processing(queue: str, about: str, trace: TraceContext | None) -> AbstractContextManager[Span]:
    """Record the processing of a message as part of its publisher's trace."""
    return _processing(queue, about, trace) if is_tracing() else unrecorded()


@contextmanager
def _processing(queue: str, about: str, trace: TraceContext | None) -> Iterator[Span]:
    attributes = _attributes("process", "process", queue, about)
    with continued(trace), span(f"process {queue}", "consumer", attributes) as processed:
        yield processed


def _attributes(operation: str, operation_type: str, queue: str, about: str) -> dict[str, str]:
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation_type,
        "messaging.destination.name": queue,
        "messaging.message.conversation_id": about,
    }
