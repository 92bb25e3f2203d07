"""Spans of deliveries: the processing of a message, and the post that it asks for."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final
from urllib.parse import urlsplit

from notifier_worker.results import Incoming
from shared.notification.kinds import MERCHANT
from shared.runtime.logging import bound
from shared.storage.investigation.origins import Origin, working_for
from shared.storage.webhooks.deliveries import Leased
from shared.tracing.context import TRACEPARENT
from shared.tracing.messaging import processing
from shared.tracing.spans import Span, current, is_tracing, span, unrecorded

_NO_HEADERS: Final[Mapping[str, str]] = {}


@contextmanager
def of_message(delivery_id: str, incoming: Incoming, origin: Origin) -> Iterator[None]:
    """Work in the block for the request that a message names, or for the origin where there is no message."""
    if incoming is None:
        with working_for(origin, delivery_id=delivery_id):
            yield
    else:
        with bound(request_id=incoming.request_id), processing(incoming.queue, delivery_id, incoming.trace):
            yield


def posting(leased: Leased, url: str) -> AbstractContextManager[Span]:
    """Record one post, without path and query, which may hold a secret of the receiver."""
    if not is_tracing():
        return unrecorded()
    parts = urlsplit(url)
    attributes: dict[str, str | int] = {
        "http.request.method": "POST",
        "url.scheme": parts.scheme,
        "server.address": parts.hostname or "",
        "server.port": parts.port or (443 if parts.scheme == "https" else 80),
        "http.request.resend_count": leased.tries,
        "cloud_terminal.delivery_id": leased.id,
        "cloud_terminal.event_type": leased.type,
    }
    return span("POST", "client", attributes)


def note_status(traced: Span, status: int) -> None:
    """Add the receiver's status; anything but success is a failure."""
    traced.set({"http.response.status_code": status})
    if status >= 300:
        traced.fail(str(status))


def trace_headers(leased: Leased) -> Mapping[str, str]:
    """Return the trace for a merchant, who may have begun it; HiPay's contract has no such header."""
    trace = current() if leased.kind == MERCHANT else None
    return _NO_HEADERS if trace is None else {TRACEPARENT: trace.traceparent}
