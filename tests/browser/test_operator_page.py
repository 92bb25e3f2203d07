"""The operators' page in a headless Chromium, by keyboard and on a phone's width."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from databases import Store
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from running.served_api import ServedApi, served_api

from api.operator import fleet_routes
from shared.security.credentials import CredentialKind, Role
from shared.storage.terminals.heartbeats import Heartbeats

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WIDTHS: tuple[ViewportSize, ...] = ({"width": 1360, "height": 860}, {"width": 390, "height": 844})
PLACES = (
    "",
    "/payments",
    "/payments?twice=1",
    "/terminals",
    "/merchants",
    "/deliveries",
    "/workers",
    "/audit",
)
WORKER = "0123456789abcdef"
HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script>'


@dataclass
class Installation:
    """A served API with a doubt, a hostile terminal and an operator."""

    served: ServedApi
    payment_id: str
    merchant_id: str
    login: tuple[str, str]


@pytest.fixture(autouse=True)
def worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal worker that beats between two looks at it."""
    counters = Heartbeats.counters

    async def counters_before_a_beat(looking: Heartbeats) -> dict[str, int]:
        if WORKER not in await counters(looking):
            await looking.register(WORKER, HOSTILE, "1.2.3")
        found = await counters(looking)
        await looking.beat(WORKER)
        return found

    monkeypatch.setattr(Heartbeats, "counters", counters_before_a_beat)
    monkeypatch.setattr(fleet_routes, "_LOOK_AGAIN_SECONDS", 0)


@pytest.fixture
def installation(sqlite_store: Store) -> Iterator[Installation]:
    with served_api(sqlite_store, operator_page=True) as served:

        async def fill() -> tuple[str, str]:
            pos = await served.api.merchant()
            assert pos.merchant_id is not None
            await pos.client.put("/v1/terminals/till-1", json={"host": "127.0.0.9", "label": HOSTILE})
            payment_id = await served.api.in_doubt(pos, order_id="ORDER_" + "7" * 40)
            await served.api.age(1000)
            return payment_id, pos.merchant_id

        payment_id, merchant_id = served.run(fill())
        login = served.run(served.api.login(CredentialKind.OPERATOR, role=Role.ADMIN))
        yield Installation(served, payment_id, merchant_id, login)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found is not None, "Chromium is missing"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=found, args=ARGUMENTS)


def logged_in(browser: Browser, one: Installation, width: ViewportSize, problems: list[str]) -> Page:
    """Log in by the keyboard alone."""
    page = browser.new_page(viewport=width, color_scheme="dark" if width["width"] < 500 else "light")
    url = one.served.url
    page.on("request", lambda asked: problems.append(asked.url) if not asked.url.startswith(url) else None)
    page.on("console", lambda said: problems.append(said.text))
    page.on("dialog", lambda shown: problems.append(shown.message))
    page.goto(f"{url}/operator")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type(one.login[0])
    page.keyboard.press("Tab")
    page.keyboard.type(one.login[1])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("What needs a person now")
    return page


@pytest.mark.parametrize("width", WIDTHS, ids=["desk", "phone"])
def test_a_doubt_is_settled_from_the_first_page_on(
    browser: Browser, installation: Installation, width: ViewportSize
) -> None:
    """Seen, decided with a reason, found in the audit trail; then the session is ended."""
    problems: list[str] = []
    page = logged_in(browser, installation, width, problems)
    page.get_by_role("link", name=installation.payment_id).first.click()
    form = page.locator("form").filter(has_text="It was charged")
    form.get_by_label("Reason").fill("receipt 42")
    form.get_by_role("button", name="It was charged").click()
    expect(page.locator("body")).to_contain_text("succeeded")
    expect(page.get_by_role("button", name="It was charged")).to_have_count(0)

    page.get_by_role("link", name="Audit trail").click()
    expect(page.locator("body")).to_contain_text("receipt 42")
    page.get_by_role("button", name="Log out").click()
    page.goto(f"{installation.served.url}/operator")
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    assert problems == []


@pytest.mark.parametrize("width", WIDTHS, ids=["desk", "phone"])
def test_a_worker_is_drained_from_their_list(
    browser: Browser, installation: Installation, width: ViewportSize
) -> None:
    """With a reason, once."""
    problems: list[str] = []
    page = logged_in(browser, installation, width, problems)
    page.get_by_role("link", name="Workers").click()
    page.get_by_text("Drain", exact=True).first.click()
    page.get_by_label("Reason").fill("new machine")
    page.get_by_role("button", name="Drain").click()
    expect(page.locator("tbody")).to_contain_text("drains")
    expect(page.get_by_label("Reason")).to_have_count(0)
    assert problems == []


@pytest.mark.parametrize("width", WIDTHS, ids=["desk", "phone"])
def test_no_page_is_wider_than_the_screen_or_runs_what_a_merchant_wrote(
    browser: Browser, installation: Installation, width: ViewportSize
) -> None:
    """Each page at both widths; pictures are taken where SCREENSHOTS names a folder."""
    problems: list[str] = []
    page = logged_in(browser, installation, width, problems)
    folder = os.environ.get("SCREENSHOTS")
    own = (f"/payments/{installation.payment_id}", f"/merchants/{installation.merchant_id}")
    for place in (*PLACES, *own):
        page.goto(f"{installation.served.url}/operator{place}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width["width"], place
        if place == "/payments":
            # With the long number of an order: its row is whole without scrolling.
            table = page.locator(".scroll").first
            assert table.evaluate("each => each.scrollWidth - each.clientWidth") == 0
        if folder and place == own[0]:
            page.screenshot(path=Path(folder) / f"operator-{width['width']}.png", full_page=True)
    assert problems == []
