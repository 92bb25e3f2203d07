"""The web application: routes, errors, and the documentation page, which loads nothing from outside."""

import os
from typing import Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import Route
from starlette.types import ASGIApp

from api.answering import handle_errors
from api.contract.openapi import openapi_document
from api.docs_page import FILES, serve_docs
from api.edge import Edge
from api.parts import Parts
from api.request_ids import RequestIds
from api.routes import (
    connector,
    deliveries,
    events,
    gateway,
    operator,
    operator_actions,
    operator_deliveries,
    operator_terminals,
    payments,
    terminals,
    webhook_endpoints,
)

ROUTERS: Final = (
    connector.router,
    payments.router,
    gateway.router,
    operator.router,
    terminals.router,
    operator_terminals.router,
    webhook_endpoints.router,
    deliveries.router,
    events.router,
    operator_deliveries.router,
    operator_actions.router,
)


def routes_of(app: FastAPI) -> list[Route]:
    """Return every route with its methods: the framework keeps those of routers to itself."""
    included = (route for router in ROUTERS for route in router.routes)
    return [route for route in (*app.routes, *included) if isinstance(route, Route)]


def make_app(parts: Parts) -> ASGIApp:
    """Return the application around its wired parts."""
    document = openapi_document(int(parts.settings.caller_wait_seconds))
    app: FastAPI = FastAPIOffline(
        title=document["info"]["title"],
        version=document["info"]["version"],
        docs_url=None,
        redoc_url=None,
        static_url=FILES,
        # A path has one name. The redirection would be built from the Host header.
        redirect_slashes=False,
    )
    serve_docs(app)
    # The contract as it is published, not as a framework would guess it from the code.
    app.openapi = lambda: document  # type: ignore[method-assign]
    app.state.parts = parts
    for router in ROUTERS:
        app.include_router(router)
    handle_errors(app, routes_of(app))
    # Around all of it: the framework answers unexpected errors outside of its own middleware.
    return RequestIds(Edge(app), random_bytes=os.urandom)
