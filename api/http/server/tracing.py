"""The span of every request, by OpenTelemetry's conventions for HTTP servers."""

from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.server.access import METHODS, NO_ROUTE, UNLOGGED, request_access
from shared.tracing.context import TRACEPARENT, TRACESTATE, TraceContext, trace_context
from shared.tracing.spans import Span, continued, span


class Traced:
    """ASGI middleware around `Measured`, in a process that traces; health checks have no span.

    A span continues the trace that the client names. It has no path, query or header: they hold anything.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app: Final = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNLOGGED:
            await self._app(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        attributes = {"http.request.method": method, "url.scheme": scope.get("scheme", "http")}
        # Named by its route once that is known.
        name = "HTTP" if method == "_OTHER" else method
        with continued(_caller(scope)), span(name, "server", attributes) as traced:
            try:
                await self._app(scope, receive, send)
            finally:
                _describe(traced, name)


def _caller(scope: Scope) -> TraceContext | None:
    headers = Headers(scope=scope)
    # Several headers of this name are one list.
    return trace_context(headers.get(TRACEPARENT), ",".join(headers.getlist(TRACESTATE)))


def _describe(traced: Span, name: str) -> None:
    access = request_access()
    if access is None:
        return
    if access.route != NO_ROUTE:
        traced.rename(f"{name} {access.route}")
        traced.set({"http.route": access.route})
    traced.set({"http.response.status_code": access.status})
    if access.payment_id is not None:
        traced.set({"cloud_terminal.payment_id": access.payment_id})
    if access.status >= 500:
        traced.fail(access.error or str(access.status))
