"""The web application: routes, errors, and the documentation page, which loads nothing from outside."""

import os

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline

from api.answering import handle_errors
from api.contract.openapi import openapi_document
from api.parts import Parts
from api.request_ids import RequestIds
from api.routes import connector


def make_app(parts: Parts) -> FastAPI:
    """Return the application around its wired parts."""
    document = openapi_document()
    app: FastAPI = FastAPIOffline(
        title=document["info"]["title"], version=document["info"]["version"], redoc_url=None
    )
    # The contract as it is published, not as a framework would guess it from the code.
    app.openapi_schema = document
    app.state.parts = parts
    app.include_router(connector.router)
    handle_errors(app)
    app.add_middleware(RequestIds, random_bytes=os.urandom)
    return app
