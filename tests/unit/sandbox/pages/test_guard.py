"""No page of another site talks to the sandbox's systems through somebody's browser."""

import httpx
import pytest
from fastapi import FastAPI

from sandbox.pages.app import go_by, new_app


@pytest.fixture
def app() -> FastAPI:
    """An application with one thing to read and one to change."""
    made = new_app("Test")
    made.add_api_route("/", lambda: "read", methods=["GET"])
    made.add_api_route("/", lambda: "changed", methods=["POST", "PUT", "DELETE"])
    return made


async def status(app: FastAPI, method: str, host: str, **headers: str) -> int:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (await client.request(method, "/", headers={"host": host, **named})).status_code


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8900",
        "127.0.0.2",
        "[::1]:8900",
        "10.0.0.7:80",
        "localhost:8900",
        "sandbox:8900",
        "a.localhost",
    ],
)
async def test_addresses_and_names_without_a_dot_are_answered(app: FastAPI, host: str) -> None:
    """No site can make a browser take one of these for its own."""
    assert await status(app, "GET", host) == 200
    assert await status(app, "POST", host) == 200
    assert await status(app, "POST", host, origin=f"http://{host}") == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8900",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        "[::1",
        "@",
    ],
)
async def test_a_name_that_leads_here_by_rebinding_is_refused(app: FastAPI, method: str, host: str) -> None:
    """Reading included: the page that it came with could read the answer."""
    assert await status(app, method, host) == 403


async def test_a_name_of_the_sandbox_is_answered(app: FastAPI) -> None:
    """On another machine, under that machine's name."""
    go_by(app, ["Demo.Shop.Example"])

    assert await status(app, "GET", "demo.shop.example:8900") == 200
    assert await status(app, "GET", "shop.example:8900") == 403


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://127.0.0.1:8901",
        "http://127.0.0.1",
        "http://localhost:8900",
        "http://[",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_another_sites_page_changes_nothing(app: FastAPI, method: str, origin: str) -> None:
    """Another port of this machine is another site, too."""
    assert await status(app, method, "127.0.0.1:8900", origin=origin) == 403


async def test_what_a_browser_calls_cross_site_is_refused(app: FastAPI) -> None:
    """Also without an Origin."""
    assert await status(app, "POST", "127.0.0.1:8900", sec_fetch_site="cross-site") == 403
