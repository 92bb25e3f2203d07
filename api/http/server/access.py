"""The measure of every request: its route, status, duration, payment and error."""

import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.metrics.metrics import HttpMetrics

#: Keys of a scope under which its request's id is found, and its credential once it was checked.
REQUEST_ID: Final = "cloud_terminal.request_id"
CREDENTIAL: Final = "cloud_terminal.credential"
_CONTRACT: Final = "/v1/connector"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
#: The label of a path that no route has.
NO_ROUTE: Final = "none"
#: Health checks: many, and nobody's.
UNLOGGED: Final = frozenset({"/v1/connector/healthcheck"})

_log = structlog.get_logger()


@dataclass(slots=True)
class Access:
    """One request and its answer, as far as they are known."""

    #: The request's id, and the path that the API is served below, for errors that refer to both; None: the
    #: published contract has no such members. There the id is in the header `X-Request-Id` alone.
    reference: tuple[str, str] | None = None
    #: The path of the route, with its parameters' names.
    route: str = NO_ROUTE
    status: int = 0
    payment_id: str | None = None
    #: The code of the error that it was answered with.
    error: str | None = None
    #: The payment that the answer is about, to be recorded; None: it is about none, or its client is no
    #: merchant.
    answered_payment_id: str | None = None
    #: The code of the recorded answer: `Success`, `Failed`, `accepted`, or the error's.
    code: str = ""

    @property
    def known(self) -> dict[str, str]:
        """The log fields that this request has."""
        named = {"payment_id": self.payment_id, "error": self.error}
        return {name: value for name, value in named.items() if value is not None}


_access: ContextVar[Access | None] = ContextVar("access", default=None)


def request_access() -> Access | None:
    """Return what is known of this request, or of the last one that this task has answered; None without."""
    return _access.get()


def note_payment(payment_id: str) -> None:
    """Name the payment that this request is about."""
    access = _access.get()
    if access is not None:
        access.payment_id = payment_id


def note_response(payment_id: str, code: str = "") -> None:
    """Name the payment of the client's merchant that this answer is about, and the answer's code."""
    access = _access.get()
    if access is not None:
        access.payment_id = access.answered_payment_id = payment_id
        access.code = code


def note_error(code: str) -> None:
    """Name the error that this request is answered with."""
    access = _access.get()
    if access is not None:
        access.error = access.code = code


class Measured:
    """ASGI middleware that counts, times and logs every request, from its head to the end of its answer."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app: Final = app
        self._metrics: Final = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        access = Access(reference=_reference_of(scope))
        _access.set(access)
        began = time.perf_counter()

        async def send_noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                access.status = message["status"]
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, send_noting)
        finally:
            self._metrics.in_flight.dec()
            access.route = _route_of(scope) or NO_ROUTE
            access.payment_id = access.payment_id or scope.get("path_params", {}).get("payment_id")
            self._ended(scope["method"], access, time.perf_counter() - began)

    def _ended(self, method: str, access: Access, seconds: float) -> None:
        label = method if method in METHODS else "other"
        if access.route not in UNLOGGED:
            _log.info(
                "request answered",
                method=label,
                route=access.route,
                status=access.status,
                seconds=round(seconds, 4),
                **access.known,
            )
        self._metrics.answered(label, access.route, access.status, seconds)
        if access.error is not None:
            self._metrics.failed(access.route, access.error)


def _reference_of(scope: Scope) -> tuple[str, str] | None:
    request_id, path = scope.get(REQUEST_ID), scope["path"]
    if request_id is None or path == _CONTRACT or path.startswith(f"{_CONTRACT}/"):
        return None
    return request_id, scope.get("root_path", "")


def _route_of(scope: Scope) -> str | None:
    """Return the path of an answered request's route, its parameters' names in it; None: it has no route."""
    route = scope.get("route")
    return None if route is None else getattr(route, "path", None)
