"""A cash register by HTTP alone: the rules that any language needs, in Python's standard library.

    CT_URL=http://127.0.0.1:8080 CT_USERNAME=... CT_SECRET=... python3 examples/plain_pos.py 1250

Sells for 12.50 euro. Kill it whenever you like: started again, with an amount or without, it first says what
became of each sale. Its exit code is 0 if all are paid, or not paid for certain; 2 while nobody knows of one.
"""

import base64
import json
import os
import sqlite3
import sys
import time
import uuid
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import Request, urlopen

PAID: Final = "Paid / Payé"
NOT_PAID: Final = "Not paid, nothing was charged / Non payé, rien n'a été débité"
UNKNOWN: Final = "Do not take the money again / Résultat inconnu. N'encaissez pas une seconde fois"
#: The states of a payment that goes on.
RUNNING: Final = ("queued", "in_session", "in_doubt")
#: For so long an order that nobody answers is sent again, and a payment that nobody answers for is asked for.
SILENT_SECONDS: Final = 120
#: A request that was on its way when this program ended is accepted within this time, or never.
ARRIVING_SECONDS: Final = 30
SALES: Final = (
    "CREATE TABLE IF NOT EXISTS sales (order_id TEXT PRIMARY KEY, amount_cents INTEGER, terminal TEXT,"
    " key TEXT, result TEXT)"
)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer; its status is 0 where none came."""

    status: int
    body: Any
    pause_seconds: float = 0

    @property
    def payment(self) -> Any:
        return self.body.get("payment") if isinstance(self.body, dict) else None


@dataclass(frozen=True)
class Sale:
    """One sale as it is stored; the result is empty while nobody knows."""

    order_id: str
    amount_cents: int
    terminal: str
    key: str
    result: str = ""


def call(method: str, path: str, order: Any = None, key: str = "") -> Answer:
    """Send one request. No answer is an answer, too: it says nothing of the card."""
    login = base64.b64encode(f"{os.environ['CT_USERNAME']}:{os.environ['CT_SECRET']}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    if key:
        headers |= {"Idempotency-Key": key, "Prefer": "respond-async"}
    data = None if order is None else json.dumps(order).encode()
    request = Request(os.environ["CT_URL"] + path, data, headers, method=method)
    try:
        with urlopen(request, timeout=30) as answer:
            return Answer(answer.status, json.load(answer))
    except HTTPError as error:
        retry_after = error.headers.get("Retry-After", "0")
        return Answer(error.code, _json(error.read()), float(retry_after) if retry_after.isdigit() else 0)
    except (OSError, HTTPException, ValueError):
        return Answer(0, None)


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def pay(sale: Sale) -> str:
    """Send the order until an answer names its payment; return the result, '' while nobody knows."""
    order = {
        "order": {"order_id": sale.order_id, "price": {"amount": sale.amount_cents, "currency": "EUR"}},
        "pos_technical_info": {
            "terminal_id": sale.terminal,
            "terminal_transaction_display": {"contract_array": []},
        },
    }
    pause_seconds, is_first, until = 0.5, True, time.monotonic() + SILENT_SECONDS
    while time.monotonic() < until:
        answer = call("POST", "/v1/connector/order", order, sale.key)
        if answer.status == 409 and answer.payment:
            # Another payment stands in the way: a person reads its code.
            return ""
        if answer.payment:
            return wait(answer.payment["id"])
        if is_first and 400 <= answer.status < 500 and answer.status not in (408, 429):
            # Nothing was accepted: the request is wrong.
            return f"{NOT_PAID} ({answer.body})"
        is_first = False
        time.sleep(max(pause_seconds, answer.pause_seconds))
        pause_seconds = min(2 * pause_seconds, 8)
    return find_out(sale)


def wait(payment_id: str) -> str:
    """Wait for the payment's end; return the result, '' where it is in doubt and stays so."""
    seconds, until = os.environ.get("LOOK_SECONDS", "20"), time.monotonic() + SILENT_SECONDS
    while time.monotonic() < until:
        answer = call("GET", f"/v1/payments/{payment_id}?wait={seconds}")
        if answer.status == 200:
            payment, until = answer.payment, time.monotonic() + SILENT_SECONDS
            if payment["state"] == "succeeded":
                receipt = base64.b64decode(answer.body["receipt"]).decode()
                return f"{PAID}: {payment['amount'] / 100:.2f} {payment['currency']}\n{receipt}"
            if payment["state"] not in RUNNING:
                return f"{NOT_PAID} ({payment['state']})" if payment["safe_to_retry"] else ""
            if payment.get("resolving") is False:
                return ""
        time.sleep(0.5)
    return ""


def find_out(sale: Sale) -> str:
    """Return what became of a sale of which no answer is known; start nothing.

    Before everything has arrived, 'not paid' may change; a success never does.
    """
    begun = time.monotonic()
    while time.monotonic() < begun + SILENT_SECONDS:
        has_arrived = time.monotonic() > begun + ARRIVING_SECONDS
        answer = call("GET", f"/v1/payments?order_id={sale.order_id}&operation=debit")
        if answer.status == 200:
            newest = next(iter(answer.body["payments"]), None)
            result = wait(newest["id"]) if newest else NOT_PAID
            if has_arrived or not result.startswith(NOT_PAID):
                return result
        time.sleep(1)
    return ""


def main(*amounts_cents: str) -> int:
    """Find out what became of the sales that are stored without a result; sell for the amounts."""
    store = sqlite3.connect(os.environ.get("SALES_FILE", "sales.db"), isolation_level=None)
    store.execute(SALES)
    unfinished = [Sale(*row) for row in store.execute("SELECT * FROM sales WHERE result = ''")]
    results = [_finish(store, sale, find_out(sale)) for sale in unfinished]
    for amount_cents in map(int, amounts_cents):
        terminal = os.environ.get("TERMINAL", "counter-1")
        sale = Sale(str(uuid.uuid4()), amount_cents, terminal, key=str(uuid.uuid4()))
        # Before a byte is sent.
        store.execute("INSERT INTO sales VALUES (?, ?, ?, ?, ?)", tuple(vars(sale).values()))
        print(f"{sale.order_id}: Follow the terminal / Suivez le terminal", flush=True)
        results.append(_finish(store, sale, pay(sale)))
    return 0 if all(results) else 2


def _finish(store: sqlite3.Connection, sale: Sale, result: str) -> str:
    store.execute("UPDATE sales SET result = ? WHERE order_id = ?", (result, sale.order_id))
    print(f"{sale.order_id}: {result or UNKNOWN}", flush=True)
    return result


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
