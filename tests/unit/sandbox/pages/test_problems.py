"""A wrong address is answered for whoever asks: a person, or a program."""

import httpx
import pytest
from fastapi import FastAPI

from sandbox.pages.app import new_app
from sandbox.pages.problems import show_problems
from sandbox.pages.render import NavLink, Pages

BROWSER = "text/html,application/xhtml+xml;q=0.9"
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def app() -> FastAPI:
    """An application with one page, of a number."""
    made = new_app("Test")
    pages = Pages("sandbox.merchant", system="Merchant", navigation=[NavLink("Flow", "http://127.0.0.1:9/")])
    show_problems(made, pages)
    made.add_api_route("/sales/{number}", _number, methods=["GET"])
    return made


async def _number(number: int) -> int:
    return number


async def get(app: FastAPI, path: str, accept: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        return await client.get(path, headers={"accept": accept})


@pytest.mark.parametrize("path", ["/nothing", "/sales/nothing", f"/{EVIL}", "/static/pages/nothing"])
async def test_a_person_gets_a_page_that_leads_back(app: FastAPI, path: str) -> None:
    """With the navigation, and nothing of what was asked for."""
    answer = await get(app, path, BROWSER)

    assert answer.status_code == 404
    assert "There is no such page" in answer.text
    assert 'href="/"' in answer.text
    assert "http://127.0.0.1:9/" in answer.text
    assert "alert(1)" not in answer.text


async def test_a_program_gets_json(app: FastAPI) -> None:
    """As before."""
    assert (await get(app, "/nothing", "*/*")).json() == {"detail": "Not Found"}
    assert (await get(app, "/sales/nothing", "application/json")).status_code == 422
