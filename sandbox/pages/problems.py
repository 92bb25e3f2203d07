"""Errors of pages: a page for a browser, JSON for programs."""

from typing import Final

from fastapi import FastAPI, Request
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sandbox.pages.language import language_of
from sandbox.pages.render import Pages

_NOT_FOUND: Final = 404


def show_problems(app: FastAPI, pages: Pages) -> None:
    """Make the application answer a browser's wrong addresses with a page that leads back."""

    async def on_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if not _reads_pages(request):
            return await http_exception_handler(request, error)
        # Without a text of its own an error has the status' name.
        detail = None if error.detail in ("Not Found", "Method Not Allowed") else error.detail
        return pages.page(
            "problem.html", status=error.status_code, language=language_of(request), detail=detail
        )

    async def on_invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        if not _reads_pages(request):
            return await request_validation_exception_handler(request, error)
        return pages.page("problem.html", status=_NOT_FOUND, language=language_of(request), detail=None)

    app.add_exception_handler(HTTPException, on_error)
    app.add_exception_handler(RequestValidationError, on_invalid)


def _reads_pages(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
