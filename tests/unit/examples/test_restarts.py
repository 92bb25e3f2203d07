"""Cash registers that start again, where a request may still be on its way, and one that is refused."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Final

import httpx
import pytest
from cloud_terminal_client import AsyncCloudTerminal

from examples import plain_pos
from examples.pos.paying import Counter
from examples.pos.sales import Sales

REFUSED: Final[dict[str, Any]] = {"id": "pay_1", "state": "refused", "safe_to_retry": True}
PAID: Final[dict[str, Any]] = {"id": "pay_2", "state": "succeeded", "safe_to_retry": False}
COMMON: Final = {
    "order_id": "ORDER_1",
    "operation": "debit",
    "amount": 1250,
    "currency": "EUR",
    "replayed": False,
    "created_at": "2026-03-05T12:00:00.000Z",
    "warnings": [],
}
#: The attempt that arrives late is the first one, or follows one that was refused before the restart.
EARLIER: Final = pytest.mark.parametrize("earlier", [[], [REFUSED]], ids=["none", "refused"])


def answer_to(path: str, listed: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the API's answer to a list or to a look at one payment."""
    if path.startswith("/v1/payments?"):
        return {"payments": [{**COMMON, **payment} for payment in listed]}
    shown = next(payment for payment in (REFUSED, PAID) if payment["id"] in path)
    return {"receipt": "", "payment": {**COMMON, **shown}}


class Lists:
    """Lists of an order: as it is at the restart, and with the late attempt from the second look on."""

    def __init__(self, earlier: list[dict[str, Any]]) -> None:
        self._lists = iter([earlier])

    def answer(self, path: str) -> dict[str, Any]:
        is_list = path.startswith("/v1/payments?")
        return answer_to(path, next(self._lists, [PAID]) if is_list else [])


@contextmanager
def served(lists: Lists) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(lists.answer(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@EARLIER
def test_a_plain_register_waits_for_what_was_on_its_way(
    earlier: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second look finds the payment: paid, and never called unpaid."""
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with served(Lists(earlier)) as url:
        for name, value in {"CT_URL": url, "CT_USERNAME": "", "CT_SECRET": "", "no_proxy": "*"}.items():
            monkeypatch.setenv(name, value)

        result = plain_pos.find_out(plain_pos.Sale("ORDER_1", 1250, "counter-1", "key"))

    assert result.startswith(plain_pos.PAID)


@EARLIER
async def test_a_register_waits_for_what_was_on_its_way(earlier: list[dict[str, Any]]) -> None:
    """The sale is unknown until the second look, never not paid; so is one that was only stored."""
    lists, sales, seen = Lists(earlier), Sales(":memory:"), []
    sale = sales.new(1250)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(sales.get(sale.number).state)
        return httpx.Response(200, json=lists.answer(request.url.raw_path.decode()))

    transport = httpx.MockTransport(answer)
    async with AsyncCloudTerminal("http://api", "name", "secret", transport=transport) as api:
        (unfinished,) = sales.unfinished()
        await Counter(api, sales, "counter-1", pause_seconds=0).resume(unfinished)

    assert sales.get(sale.number).state == "paid"
    assert set(seen) == {"open", "unknown"}


@pytest.mark.parametrize(
    ("body", "result"),
    [({"error": {}}, plain_pos.NOT_PAID), ({"error": {}, "payment": PAID}, "")],
    ids=["nothing", "another payment"],
)
def test_a_plain_register_knows_what_a_conflict_leaves(
    body: dict[str, Any], result: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a payment nothing was accepted; with one a person has to read what stands in the way."""
    monkeypatch.setattr(plain_pos, "call", lambda *_: plain_pos.Answer(409, body))

    assert plain_pos.pay(plain_pos.Sale("ORDER_1", 1250, "counter-1", "key"))[: len(result) or None] == result
