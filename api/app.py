"""The web application: routes, errors, and the documentation page, which loads nothing from outside."""

import os
from typing import Final

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import Route
from starlette.types import ASGIApp

from api.connector.routes import router as connector
from api.http.dependencies import Parts
from api.http.middleware import Edge
from api.http.request_ids import RequestIds
from api.http.responses import handle_errors
from api.openapi.document import openapi_document
from api.openapi.page import FILES, serve_docs
from api.operator.action_routes import router as operator_actions
from api.operator.delivery_routes import router as operator_deliveries
from api.operator.gateway_routes import router as gateway
from api.operator.routes import router as operator
from api.operator.terminal_routes import router as operator_terminals
from api.payments.routes import router as payments
from api.terminals.routes import router as terminals
from api.webhooks.delivery_routes import router as deliveries
from api.webhooks.event_routes import router as events
from api.webhooks.routes import router as webhook_endpoints

ROUTERS: Final = (
    connector,
    payments,
    gateway,
    operator,
    terminals,
    operator_terminals,
    webhook_endpoints,
    deliveries,
    events,
    operator_deliveries,
    operator_actions,
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
