"""The web application: routes, errors, and the documentation page, which loads nothing from outside."""

import os

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.types import ASGIApp

from api.answering import handle_errors
from api.contract.openapi import openapi_document
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


def make_app(parts: Parts) -> ASGIApp:
    """Return the application around its wired parts."""
    document = openapi_document()
    app: FastAPI = FastAPIOffline(
        title=document["info"]["title"], version=document["info"]["version"], redoc_url=None
    )
    # The contract as it is published, not as a framework would guess it from the code.
    app.openapi = lambda: document  # type: ignore[method-assign]
    app.state.parts = parts
    app.include_router(connector.router)
    app.include_router(payments.router)
    app.include_router(gateway.router)
    app.include_router(operator.router)
    app.include_router(terminals.router)
    app.include_router(operator_terminals.router)
    app.include_router(webhook_endpoints.router)
    app.include_router(deliveries.router)
    app.include_router(events.router)
    app.include_router(operator_deliveries.router)
    app.include_router(operator_actions.router)
    handle_errors(app)
    # Around all of it: the framework answers unexpected errors outside of its own middleware.
    return RequestIds(app, random_bytes=os.urandom)
