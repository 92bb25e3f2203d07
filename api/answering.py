"""HTTP answers: the contract's JSON, and what becomes of every error on the way."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.contract.errors import ApiError, DatabaseUnavailable, MethodNotAllowed, NotFound, UndefinedError
from api.contract.json_text import write_json
from shared.storage.engine import CommitUnknown, DatabaseAway

_log = structlog.get_logger()


def answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer; texts that UTF-8 cannot carry stay escaped."""
    return Response(write_json(body), status_code=status, headers=headers, media_type="application/json")


def _answer_error(error: ApiError) -> Response:
    return answer(error.status, error.body(), error.headers)


async def _on_api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    _log.info("request refused", status=error.status, code=error.code)
    return _answer_error(error)


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return _answer_error(MethodNotAllowed((error.headers or {}).get("Allow")))
    return _answer_error(NotFound())


async def _on_database_away(_request: Request, error: Exception) -> Response:
    _log.error("database away", error=str(error))
    return _answer_error(DatabaseUnavailable())


async def _on_client_gone(_request: Request, _error: Exception) -> Response:
    _log.info("client left before its answer")
    return Response(status_code=400)


async def _on_anything(_request: Request, error: Exception) -> Response:
    _log.error("request failed", exc_info=error)
    return _answer_error(UndefinedError())


def handle_errors(app: FastAPI) -> None:
    """Let the app answer every error with the contract's envelope."""
    app.add_exception_handler(ApiError, _on_api_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(DatabaseAway, _on_database_away)
    # Whether it was stored is not known: the caller asks again, and every one of these paths may be repeated.
    app.add_exception_handler(CommitUnknown, _on_database_away)
    app.add_exception_handler(ClientDisconnect, _on_client_gone)
    app.add_exception_handler(Exception, _on_anything)
