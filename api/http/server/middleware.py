"""The outermost layer of the application: rules of every request and answer, whatever its route."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.errors import NotFound
from api.http.responses import answer_error
from api.http.server.access import CREDENTIAL, REQUEST_ID, request_access
from api.http.server.given_responses import GivenResponses
from shared.network.http_bounds import CLIENT_LEFT, LOGGED_IN
from shared.runtime.ids import RandomBytes, new_process_id
from shared.runtime.logging import bound, is_sane_request_id
from shared.runtime.turns import Turns
from shared.storage.investigation.responses import Response

_REQUEST_ID: Final = b"x-request-id"

_scope: ContextVar[Scope | None] = ContextVar("scope", default=None)
_headers: ContextVar[dict[str, str] | None] = ContextVar("headers", default=None)


def logged_in() -> None:
    """Mark the connection of this request as one of a known client."""
    scope = _scope.get()
    tell = None if scope is None else scope.get("state", {}).get(LOGGED_IN)
    if tell is not None:
        tell()


def client_host() -> str | None:
    """Return the address of this request's client, or the one that a trusted proxy named."""
    scope = _scope.get()
    client = None if scope is None else scope.get("client")
    return None if client is None else str(client[0])


def add_headers(headers: Mapping[str, str]) -> None:
    """Send these headers with the answer to this request, whatever it is."""
    added = _headers.get()
    if added is not None:
        added.update(headers)


class RequestTurns:
    """ASGI middleware that lets few requests begin in each turn of the event loop.

    The paths that are `exempt` cost little and wait for nobody: those of health checks.
    """

    def __init__(self, app: ASGIApp, *, exempt: frozenset[str]) -> None:
        self._app: Final = app
        self._exempt: Final = exempt
        self._turns: Final = Turns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in self._exempt:
            await self._turns.take()
        await self._app(scope, receive, send)


class Edge:
    """ASGI middleware of headers, HEAD requests, impossible paths and the record of given responses."""

    def __init__(self, app: ASGIApp, responses: GivenResponses) -> None:
        self._app: Final = app
        self._responses: Final = responses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_head = scope["method"] == "HEAD"
        added: dict[str, str] = {}

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # Answers are a merchant's own; only the documentation's files may be cached.
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Content-Type-Options"] = "nosniff"
                headers.update(added)
                self._record(scope, message["status"])
            elif is_head:
                message = {**message, "body": b""}
            await send(message)

        _scope.set(scope)
        _headers.set(added)
        if "\0" in scope["path"]:
            # No name has it, and PostgreSQL refuses it.
            await answer_error(NotFound())(scope, receive, send_guarded)
            return
        if is_head:
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send_guarded)

    def _record(self, scope: Scope, status: int) -> None:
        """Record an answer about a payment as it is handed to the connection."""
        access = request_access()
        if access is None or access.answered_payment_id is None:
            return
        client_left = scope.get("state", {}).get(CLIENT_LEFT)
        self._responses.add(
            access.answered_payment_id,
            Response(
                status=status,
                code=access.code,
                request=f"{scope['method']} {scope['path']}",
                credential=scope[CREDENTIAL].id,
                client=client_host(),
                request_id=scope.get(REQUEST_ID),
                client_left=client_left is not None and client_left(),
            ),
        )


class RequestIds:
    """ASGI middleware of `X-Request-Id`: the client's where it is sane, else a new one.

    It is in the answer and in every log event.
    """

    def __init__(self, app: ASGIApp, random_bytes: RandomBytes) -> None:
        self._app = app
        self._random_bytes = random_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == _REQUEST_ID), "")
        request_id = given if is_sane_request_id(given) else new_process_id(self._random_bytes)
        scope[REQUEST_ID] = request_id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        with bound(request_id=request_id):
            await self._app(scope, receive, send_with_id)
