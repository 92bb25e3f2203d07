"""The sandbox's pages on a phone, in the reader's own time, and their texts to copy."""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from running.whole_sandbox import WholeSandbox

from tests.browser.fixtures import PATIENCE_MS, browser, pay_examples, sandbox

__all__ = ["browser", "sandbox"]

PHONE: ViewportSize = {"width": 390, "height": 844}
#: An hour or two ahead of UTC, all year.
TIME_ZONE = "Europe/Paris"


@pytest.fixture(scope="module")
def shop(sandbox: WholeSandbox) -> WholeSandbox:
    """Leave a transaction of each status."""
    pay_examples(sandbox, 317)
    return sandbox


@pytest.fixture
def phone(shop: WholeSandbox, browser: Browser) -> Iterator[Page]:
    """A phone in Paris."""
    context = browser.new_context(
        viewport=PHONE, timezone_id=TIME_ZONE, permissions=["clipboard-read", "clipboard-write"]
    )
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    foreign: list[str] = []
    context.on("request", lambda asked: foreign.extend(_foreign(asked.url)))
    yield context.new_page()
    context.close()
    assert foreign == []


def _foreign(url: str) -> list[str]:
    return [] if urlsplit(url).hostname == "127.0.0.1" else [url]


@pytest.mark.parametrize("system", ["register", "screen", "flow", "console", "merchant"])
def test_no_page_is_wider_than_a_phone(sandbox: WholeSandbox, phone: Page, system: str) -> None:
    """A page that scrolls sideways hides its amounts."""
    phone.goto(sandbox.entry[system])
    expect(phone.get_by_role("heading", level=1)).to_be_visible()

    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_pay_is_in_reach_and_cards_come_before_receipts(sandbox: WholeSandbox, phone: Page) -> None:
    """Without scrolling, whatever is in the basket."""
    phone.goto(sandbox.entry["register"])
    phone.get_by_role("button", name="No funds").click()
    pay = phone.get_by_role("button", name="Pay 10.51")
    expect(pay).to_be_in_viewport()

    phone.goto(sandbox.entry["screen"])
    places = [phone.get_by_role("heading", name=name).bounding_box() for name in ("Cards", "Receipts")]
    cards, receipts = [place["y"] for place in places if place is not None]
    assert cards < receipts


def test_the_consoles_amounts_can_be_seen(sandbox: WholeSandbox, phone: Page) -> None:
    """Each with its column's title."""
    phone.goto(sandbox.entry["console"])
    row = phone.locator("tr").filter(has_text="POS2-317")
    row.scroll_into_view_if_needed()

    amount = row.locator('td[data-title="Captured"]')
    expect(amount).to_be_in_viewport(ratio=1)
    expect(amount).to_contain_text("64.50")


def test_local_time_is_beside_utc_and_a_request_is_copied_as_curl(sandbox: WholeSandbox, phone: Page) -> None:
    """Both on a sale's page, whose parts the server replaces."""
    number = sandbox.sell("BAGUETTE")
    phone.goto(f"{sandbox.entry['register']}/sales/{number}")
    expect(phone.locator("#standing")).to_have_text("Paid")

    expect(phone.locator("time").first).to_have_attribute("data-local", re.compile("local"))
    phone.get_by_text("As curl", exact=True).click()
    phone.get_by_role("button", name="Copy as curl").click()
    expect(phone.get_by_role("button", name="Copied")).to_be_visible()
    assert phone.evaluate("navigator.clipboard.readText()").startswith("curl -u ")
