"""The sandbox's pages in a headless Chromium, used as a customer and a cashier use them."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect
from running.whole_sandbox import WholeSandbox

from tests.browser.fixtures import PATIENCE_MS, browser, pay_examples, sandbox

__all__ = ["browser", "sandbox"]

WINDOW: ViewportSize = {"width": 1360, "height": 860}


@dataclass
class Counter:
    """A cash register, a terminal and a back office, each in a tab of its own."""

    sandbox: WholeSandbox
    register: Page
    terminal: Page
    #: Everything that a tab asked for from elsewhere, and what its scripts complained of.
    problems: list[str] = field(default_factory=list)

    def sell(self, *articles: str, price: str | None = None) -> str:
        """Put articles into the basket and press Pay; return the order's number."""
        self.register.goto(self.sandbox.entry["register"])
        for article in articles:
            self.register.get_by_role("button", name=re.compile(f"^{article} [0-9]")).click()
        if price is not None:
            self.register.get_by_label("Article at another price").fill(price)
            self.register.get_by_role("button", name="Add article").click()
        self.register.get_by_role("button", name=re.compile("^Pay ")).click()
        return self.register.get_by_role("heading", level=1).inner_text()

    def insert(self, card: str) -> None:
        """Put a card into the terminal and type its PIN on the keyboard."""
        expect(self.terminal.locator("#display")).to_have_attribute("data-stage", "card")
        self.terminal.get_by_role("button", name=f"Insert {card}", exact=True).click()
        expect(self.terminal.locator("#display")).to_have_attribute("data-stage", "pin")
        self.terminal.keyboard.type("1234")
        self.terminal.keyboard.press("Enter")

    def expect_standing(self, text: str) -> None:
        """Expect the sale's standing on the register's page, without a reload."""
        expect(self.register.locator("#standing")).to_have_text(text)

    def expect_status(self, order: str, status: str) -> None:
        """Expect the order's row in the Console, once, with this status."""
        console = self.register.context.new_page()
        console.goto(self.sandbox.entry["console"])
        row = console.get_by_role("row").filter(has_text=order)
        expect(row).to_have_count(1)
        expect(row).to_contain_text(status)
        console.close()


@pytest.fixture(params=["light", "dark"])
def counter(sandbox: WholeSandbox, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Counter]:
    """Reset all systems; the customer acts by hand."""
    sandbox.reset()
    sandbox.post("screen", "/settings", {"by_hand": True})
    sandbox.post("flow", "/reset")
    context = browser.new_context(viewport=WINDOW, color_scheme=request.param)
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    counter = Counter(sandbox, context.new_page(), context.new_page())
    context.on("request", lambda asked: counter.problems.extend(_foreign(asked.url)))
    context.on("weberror", lambda error: counter.problems.append(str(error.error)))
    context.on("console", lambda said: counter.problems.extend([said.text] if said.type == "error" else []))
    counter.terminal.goto(sandbox.entry["screen"])
    yield counter
    context.close()
    assert counter.problems == []


def _foreign(url: str) -> list[str]:
    return [] if urlsplit(url).hostname in ("127.0.0.1", None) else [url]


def test_a_debit_lights_up_the_whole_flow_and_is_authorised(
    counter: Counter, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """From the basket to the printed receipt, the Console and the diagram, each page by itself."""
    flow = counter.register.context.new_page()
    flow.goto(counter.sandbox.entry["flow"])

    order = counter.sell("Gâteau, eight people", "Café crème", "Café crème")
    expect(counter.register.locator("#standing")).to_have_text("Waiting")
    expect(counter.terminal.locator("#display")).to_contain_text("48.40 EUR")
    counter.insert("CB")

    counter.expect_standing("Paid")
    expect(counter.register.locator(".receipt[lang=fr]")).to_contain_text("48,40 EUR")
    counter.expect_status(order, "116 Authorized")
    expect(flow.get_by_text("13 of 13")).to_be_visible()
    expect(flow.locator(".arrow.lit").filter(has_text="116 Authorized")).to_be_visible()
    take_pictures(counter, flow, tmp_path, request.node.callspec.params["counter"])


def test_a_refusal_has_its_reason_at_the_register_and_in_the_console(counter: Counter) -> None:
    """A blocked card: the issuer's 62 travels back, and the order may be sent again."""
    order = counter.sell("Croissant")
    counter.insert("CB, blocked")

    counter.expect_standing("Not paid")
    expect(counter.register.locator("#sale")).to_contain_text("Nothing was charged")
    expect(counter.register.locator("#sale")).to_contain_text(re.compile(r"\b62\b"))
    counter.expect_status(order, "113 Refused")


def test_a_customer_who_abandons_leaves_nothing_behind(counter: Counter) -> None:
    """The red key, by the keyboard; the same order may be sent again and is paid."""
    counter.sell("Macarons, a dozen")
    expect(counter.terminal.locator("#display")).to_have_attribute("data-stage", "card")
    counter.terminal.keyboard.press("Escape")

    counter.expect_standing("Not paid")
    counter.register.get_by_role("button", name="Send the same order again").click()
    counter.insert("Visa")
    counter.expect_standing("Paid")


def test_a_reversal_cancels_and_a_collection_captures_the_rest(counter: Counter) -> None:
    """Two debits, one of them reversed at the register; the terminal's button collects the other."""
    kept = counter.sell("Gâteau, eight people")
    counter.insert("Mastercard")
    counter.expect_standing("Paid")
    reversed_one = counter.sell("Gâteau, eight people", "Baguette")
    counter.insert("Mastercard")
    counter.expect_standing("Paid")

    counter.register.get_by_role("button", name="Reverse").click()
    expect(counter.terminal.locator("#display")).to_contain_text(re.compile("reversal", re.IGNORECASE))
    counter.terminal.get_by_role("button", name="Insert Mastercard", exact=True).click()
    expect(counter.register.get_by_text("Reversal · 43.30")).to_be_visible()
    if counter.terminal.locator("#display").get_attribute("data-stage") == "pin":
        counter.terminal.keyboard.type("1234")
        counter.terminal.keyboard.press("Enter")
    counter.expect_standing("Reversed")
    counter.expect_status(reversed_one, "115 Cancelled")
    counter.terminal.get_by_role("button", name="Remote collection").click()

    counter.expect_status(kept, "118 Captured")
    counter.expect_status(reversed_one, "115 Cancelled")
    merchant = counter.register.context.new_page()
    merchant.goto(counter.sandbox.entry["merchant"])
    expect(merchant.locator("main")).to_contain_text("payment.succeeded")


def test_an_unplugged_network_never_charges_twice(counter: Counter) -> None:
    """The customer pays while the register has no network: the same order gets the stored answer."""
    counter.sell("Tarte aux pommes", "Macarons, a dozen")
    expect(counter.terminal.locator("#display")).to_have_attribute("data-stage", "card")
    counter.register.get_by_role("button", name="Unplug the network").click()
    counter.expect_standing("Not known")
    counter.insert("CB")
    expect(counter.terminal.locator("#display")).to_contain_text("Approved")

    counter.register.get_by_role("button", name="Plug in again").click()
    counter.register.get_by_role("button", name="Send the same order again").click()

    counter.expect_standing("Paid")
    expect(counter.register.locator("#sale")).to_contain_text("nothing was charged again")
    assert len(counter.sandbox.get("screen", "/journal")) == 1


def take_pictures(counter: Counter, flow: Page, otherwise: Path, scheme: str) -> None:
    """Save pictures of the pages: where SCREENSHOTS names a folder, there."""
    folder = Path(os.environ.get("SCREENSHOTS") or otherwise)
    folder.mkdir(parents=True, exist_ok=True)
    suffix = "" if scheme == "light" else "-dark"
    sale = counter.register
    for name, page in (("sale", sale), ("terminal", counter.terminal)):
        page.screenshot(path=folder / f"{name}{suffix}.png", animations="disabled")
    flow.locator(".card.flow").screenshot(path=folder / f"flow{suffix}.png", animations="disabled")
    pay_examples(counter.sandbox, 117 if scheme == "light" else 217)
    console = sale.context.new_page()
    console.goto(counter.sandbox.entry["console"])
    console.screenshot(path=folder / f"console{suffix}.png", animations="disabled")
    sale.goto(counter.sandbox.entry["register"])
    for article in ("Tarte aux pommes", "Café crème", "Café crème"):
        sale.get_by_role("button", name=re.compile(f"^{article} [0-9]")).click()
    sale.screenshot(path=folder / f"register{suffix}.png", animations="disabled")
