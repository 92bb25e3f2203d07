"""The web application: routes, errors, and the documentation page, which loads nothing from outside."""

import os

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.routing import Route
from starlette.types import ASGIApp

from api.connector.routes import HEALTH_PATH, OrderPath
from api.http.dependencies import Dependencies
from api.http.responses import handle_errors
from api.http.server.access import Measured
from api.http.server.middleware import Edge, RequestIds, RequestTurns
from api.http.server.tracing import Traced
from api.openapi.document import CONTRACT_VERSION, FILES, TITLE, openapi_document, serve_docs
from api.openapi.errors_page import serve_errors_page
from api.openapi.root import serve_root
from api.routers import ROUTERS
from shared.tracing.spans import is_tracing


def make_app(dependencies: Dependencies) -> ASGIApp:
    """Return the application around its dependencies."""
    document = openapi_document(int(dependencies.settings.caller_wait_seconds))
    app: FastAPI = FastAPIOffline(
        title=TITLE,
        version=CONTRACT_VERSION,
        docs_url=None,
        redoc_url=None,
        static_url=FILES,
        # A path has one name. The redirection would be built from the Host header.
        redirect_slashes=False,
        # The framework's own records texts: paths, queries, messages of errors.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    serve_docs(app)
    serve_errors_page(app)
    serve_root(app)
    app.openapi = lambda: document  # type: ignore[method-assign]
    app.state.dependencies = dependencies
    # `include_router` would build each route a second time, at its first request: 70 ms of everybody's. The
    # routers have their prefix and dependencies already.
    app.router.routes[:0] = [route for router in ROUTERS for route in router.routes]
    if dependencies.settings.operator_page:
        from api.operator_page.app import serve_operator_page

        serve_operator_page(app, dependencies)
    handle_errors(app, [route for route in app.routes if isinstance(route, Route)])
    # Around all of it: the framework answers unexpected errors outside of its own middleware.
    edge = Edge(OrderPath(app, dependencies), dependencies.responses)
    turns = RequestTurns(edge, exempt=frozenset({HEALTH_PATH}))
    measured: ASGIApp = Measured(turns, dependencies.metrics.http)
    if is_tracing():
        measured = Traced(measured)
    return RequestIds(measured, random_bytes=os.urandom)
