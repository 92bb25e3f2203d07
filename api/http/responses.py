"""Handlers of every error, which answer it with the contract's envelope."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from api.http.errors import (
    ApiError,
    DatabaseOutage,
    MethodNotAllowed,
    NotFound,
    OverloadedUnchecked,
    PreconditionFailed,
    UndefinedError,
)
from api.http.json_text import answer
from api.http.server.access import CREDENTIAL, note_error, note_payment, note_response, request_access
from api.http.validation import first_validation_error
from shared.runtime.outage_lines import log_outage
from shared.security.credentials import CredentialKind
from shared.storage.db.engine import CommitUnknown, DatabaseBusy, DatabaseUnavailable
from shared.storage.db.unchanged import Changed
from shared.storage.terminals.merchants import Credential

ERRORS_PAGE: Final = "/docs/errors"

_log = structlog.get_logger()


def answer_error(error: ApiError) -> Response:
    note_error(error.code)
    if error.payment is not None:
        note_payment(error.payment.id)
    return answer(error.status, _body_with_references(error), error.headers)


def _body_with_references(error: ApiError) -> dict[str, Any]:
    """Return the error's body, with the request's id and the page that explains the error."""
    body, access = error.body(), request_access()
    if access is not None and access.reference is not None:
        request_id, root_path = access.reference
        doc_url = f"{root_path}{ERRORS_PAGE}#{type(error).__name__}"
        body["error"] |= {"request_id": request_id, "doc_url": doc_url}
    return body


async def _on_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    credential: Credential | None = request.scope.get(CREDENTIAL)
    if error.payment is not None and credential is not None and credential.kind is CredentialKind.PRIVATE:
        note_response(error.payment.id)
    _log.info("request refused", status=error.status, code=error.code)
    return answer_error(error)


def _on_http_exception(routes: Sequence[Route]) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer_it(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            return answer_error(MethodNotAllowed(", ".join(_methods(routes, request.url.path))))
        return answer_error(NotFound())

    return answer_it


def _methods(routes: Sequence[Route], path: str) -> list[str]:
    """Return the methods of every route that has this path; the framework names those of the first."""
    methods = {method for route in routes if route.path_regex.match(path) for method in route.methods or ()}
    # The edge answers HEAD where GET is answered.
    return sorted({*methods, "HEAD"} if "GET" in methods else methods)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return await _on_api_error(request, first_validation_error(error.errors()))


async def _on_database_unavailable(_request: Request, error: Exception) -> Response:
    if isinstance(error, DatabaseBusy):
        log_outage("database", "request refused: no free database connection")
        return answer_error(OverloadedUnchecked())
    log_outage("database", "database unavailable", "error", error=str(error))
    return answer_error(DatabaseOutage())


async def _on_changed(_request: Request, _error: Exception) -> Response:
    return answer_error(PreconditionFailed())


async def _on_client_gone(_request: Request, _error: Exception) -> Response:
    _log.info("client left before its answer")
    return Response(status_code=400)


async def _on_anything(_request: Request, error: Exception) -> Response:
    _log.error("request failed", exc_info=error)
    return answer_error(UndefinedError())


_Handler = Callable[[Request, Exception], Awaitable[Response]]

#: By the errors' classes; the nearest one counts.
_HANDLERS: Final[Mapping[type[Exception], _Handler]] = {
    ApiError: _on_api_error,
    RequestValidationError: _on_invalid_request,
    DatabaseUnavailable: _on_database_unavailable,
    # It is not known to be stored: the client asks again, and every one of these paths may be repeated.
    CommitUnknown: _on_database_unavailable,
    # Since it was looked at for If-Match.
    Changed: _on_changed,
    ClientDisconnect: _on_client_gone,
    Exception: _on_anything,
}


async def answer_exception(request: Request, error: Exception) -> Response:
    """Return the answer to an error of a request, in the contract's envelope."""
    handler = next(_HANDLERS[kind] for kind in type(error).__mro__ if kind in _HANDLERS)
    return await handler(request, error)


def handle_errors(app: FastAPI, routes: Sequence[Route]) -> None:
    """Let the app, which has these routes, answer every error with the contract's envelope."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(HTTPException, _on_http_exception(routes))
