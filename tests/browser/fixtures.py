"""Fixtures of a headless Chromium and the sandbox whose pages it opens."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright
from running.whole_sandbox import WholeSandbox, soon, whole_sandbox

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 30_000


@pytest.fixture(scope="module")
def sandbox(amqp_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeSandbox]:
    with whole_sandbox(amqp_url, tmp_path_factory.mktemp("sandbox") / "kept", "--by-hand") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    assert found is not None, "Chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=ARGUMENTS)
        yield chromium
        chromium.close()


def pay_examples(sandbox: WholeSandbox, first_number: int) -> None:
    """Leave a transaction of each status in the Console, in orders of these numbers."""
    sandbox.post("screen", "/settings", {"by_hand": False, "delay_seconds": 0})
    steps = [{"card": "visa"}, {"card": "amex", "contactless": True}, {"card": "mastercard"}]
    orders = [f"POS2-{first_number + place}" for place in range(4)]
    sandbox.post("screen", "/script", {"next": steps})
    for order, amount_cents in zip(orders, (6450, 1890, 11900), strict=False):
        sandbox.paid(amount_cents, order)
    sandbox.collect()
    soon(lambda: [sandbox.statuses(order) for order in orders[:3]] == [[118]] * 3)
    sandbox.paid(1900, orders[2], "Credit")
    sandbox.collect()
    soon(lambda: sandbox.statuses(orders[2]) == [126])
    sandbox.pay(3451, orders[3])
    soon(lambda: sandbox.statuses(orders[3]) == [113])
