"""The OpenAPI document of the API, made by FastAPI from the routes, and the page that shows it.

The page loads nothing from outside and runs no script but its own.
"""

import base64
import hashlib
import json
import re
from functools import cache
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from pydantic.json_schema import models_json_schema

from api.connector.answer import Answer
from api.connector.schema import order_schema
from api.http.responses import ERRORS_PAGE
from api.openapi.components import Error, published, string
from api.payments.models import Accepted
from api.routers import ROUTERS

TITLE: Final = "Cloud API for standalone payment terminals"
CONTRACT_VERSION: Final = "1.2.0"
#: Unless the installation is set otherwise.
WAIT_SECONDS: Final = 240

_RATE_LIMIT_HEADERS: Final[dict[str, Any]] = {
    "RateLimit-Limit": string("The number of calls that may come at once, e.g. `1000`."),
    "RateLimit-Remaining": string("The number of them that are left at this API process."),
    "RateLimit-Reset": string("Seconds until all of them are there again."),
}


@cache
def openapi_document(wait_seconds: int = WAIT_SECONDS) -> dict[str, Any]:
    """Return the document; a payment is waited for at most so long. Nobody changes it."""
    document = get_openapi(
        title=TITLE,
        version=CONTRACT_VERSION,
        description="One request wakes a payment terminal, the answer is the payment's result.",
        servers=[{"url": "/", "description": "This server"}],
        contact={"name": "The operator of this server"},
        license_info={"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        routes=[route for router in ROUTERS for route in router.routes],
        separate_input_output_schemas=False,
    )
    document["externalDocs"] = {"description": "Every error: its cause, and what to do", "url": ERRORS_PAGE}
    paths = document["paths"]
    _limit_wait(paths["/v1/payments/{payment_id}"]["get"]["parameters"], wait_seconds)
    for operations in paths.values():
        for operation in operations.values():
            _add_rate_limit_headers(operation)
        if "security" in operations.get("get", ()):
            _add_entity_tag(operations["get"]["responses"])
    # Those that written responses name.
    _, named = models_json_schema(
        [(model, "validation") for model in (Error, Answer, Accepted)],
        ref_template="#/components/schemas/{model}",
    )
    document["components"]["schemas"] = {
        "OrderRequest": order_schema(),
        **named["$defs"],
        **document["components"]["schemas"],
    }
    made: dict[str, Any] = json.loads(json.dumps({**document, **published(_described(document))}))
    return made


def _described(document: dict[str, Any]) -> dict[str, Any]:
    return {part: document[part] for part in ("paths", "components")}


def _limit_wait(parameters: list[dict[str, Any]], wait_seconds: int) -> None:
    (wait,) = (parameter for parameter in parameters if parameter["name"] == "wait")
    wait["schema"]["maximum"] = wait_seconds


def _add_rate_limit_headers(operation: dict[str, Any]) -> None:
    """Add the headers to successes, and to refusals to serve more, where a credential is required."""
    if "security" not in operation:
        return
    for status, response in operation["responses"].items():
        if status[0] == "2" or status == "429":
            response["headers"] = {**response.get("headers", {}), **_RATE_LIMIT_HEADERS}


def _add_entity_tag(responses: dict[str, Any]) -> None:
    """Add the tag, and the 304, to answers that are JSON; others are streamed."""
    found = responses.get("200", {})
    if found.get("content", {}).keys() != {"application/json"}:
        return
    tag = {"ETag": string("Names this answer; sent as `If-None-Match`, it gets a 304 while it stays.")}
    found["headers"] = {**found.get("headers", {}), **tag}
    responses["304"] = {"description": "The answer is still that of `If-None-Match`; without a body."}


#: Where the library that brings the page's files serves them.
FILES: Final = "/static-offline-docs"

_INLINE_SCRIPT: Final = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def serve_docs(app: FastAPI) -> None:
    """Serve the document as pages: `/docs` to try requests, `/redoc` to read."""

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title} - Swagger UI",
            swagger_js_url=f"{root}{FILES}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{FILES}/swagger-ui.css",
            swagger_favicon_url=f"{root}{FILES}/favicon.png",
        )
        return _guarded(page)

    @app.get("/redoc", include_in_schema=False)
    async def redoc(request: Request) -> HTMLResponse:
        root = request.scope.get("root_path", "")
        page = get_redoc_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=f"{app.title} - Redoc",
            redoc_js_url=f"{root}{FILES}/redoc.standalone.js",
            redoc_favicon_url=f"{root}{FILES}/favicon.png",
            with_google_fonts=False,
        )
        return _guarded(page)


def _guarded(page: HTMLResponse) -> HTMLResponse:
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body).decode())
    return page


def _policy(html: str) -> str:
    """Return the policy that allows the page's own files, its own inline scripts and calls to this server."""
    hashes = (hashlib.sha256(script.encode()).digest() for script in _INLINE_SCRIPT.findall(html))
    scripts = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in hashes)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {scripts}",
            # The page's library writes styles into elements.
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data:",
            "connect-src 'self'",
            # Redoc's search.
            "worker-src blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )
