"""The API's root leads a person, and a program, to the documentation."""

import httpx
from fastapi import FastAPI

from api.openapi.root import serve_root


async def root(accept: str, root_path: str = "") -> httpx.Response:
    app = FastAPI(title="Cloud API")
    serve_root(app)
    transport = httpx.ASGITransport(app, root_path=root_path)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        return await client.get("/", headers={"accept": accept})


async def test_a_person_gets_links() -> None:
    """A page that loads nothing and runs nothing."""
    answer = await root("text/html,application/xhtml+xml")

    assert answer.headers["content-type"].startswith("text/html")
    assert all(f'href="{path}"' in answer.text for path in ("/docs", "/openapi.json"))
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert answer.headers["vary"] == "Accept"


async def test_a_program_gets_them_as_json() -> None:
    """Behind a proxy with the path at which it serves the API."""
    answer = await root("*/*", "/payments")

    assert answer.json()["links"] == {
        "documentation": "/payments/docs",
        "reference": "/payments/redoc",
        "errors": "/payments/docs/errors",
        "openapi": "/payments/openapi.json",
        "healthcheck": "/payments/v1/connector/healthcheck",
    }
