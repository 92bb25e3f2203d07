"""The authorisation chain, HiPay and the merchant's server on free ports, with a client for tests."""

import base64
import itertools
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from fastapi import FastAPI
from standardwebhooks import Webhook

from sandbox.cards import DECK, Card, Mode
from sandbox.gateway import acquirer, issuer, nepting, preludd
from sandbox.hipay import app as hipay
from sandbox.hipay.settings import EvidenceTarget, Merchant, OrderSource
from sandbox.merchant import app as merchant
from sandbox.pages.render import NavLink
from sandbox.tracing.trace import Trace
from shared.concert.mask import mask_card
from shared.runtime.clock import SystemClock
from shared.runtime.ids import new_payment_id
from shared.runtime.serving import listen, port_of, serving

PASSPHRASE = "the merchant's passphrase"
ORDERS = OrderSource(
    username="cloud", password="pässword", secret="whsec_" + base64.b64encode(b"o" * 24).decode()
)
#: Retries without waiting, so that tests don't either.
RETRY_SECONDS = (0.05,)
SYSTEMS = ("issuer", "acquirer", "nepting", "preludd", "hipay", "merchant")

Json = dict[str, Any]


@dataclass
class Chain:
    """The running systems by name, and a client."""

    urls: dict[str, str]
    http: httpx.AsyncClient
    trace: Trace
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    async def get(self, system: str, path: str, **parameters: str) -> Any:
        answer = await self.http.get(self.urls[system] + path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, system: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = await self.http.post(self.urls[system] + path, json=body)
        assert answer.status_code == status, (answer.status_code, answer.text)
        return answer.json()

    async def notify_order(self, notice: Json, *, message_id: str | None = None) -> httpx.Response:
        """Send an order notification as the notifier does."""
        body = json.dumps(notice)
        name, now = message_id or notice["id"], datetime.now(UTC)
        return await self.http.post(
            f"{self.urls['hipay']}/orders",
            content=body.encode(),
            auth=(ORDERS.username, ORDERS.password),
            headers={
                "webhook-id": name,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": Webhook(ORDERS.secret).sign(name, now, body),
            },
        )

    async def order(self, order_id: str, amount_cents: int, operation: str = "debit", **more: Any) -> str:
        """Notify an order; return the payment's id."""
        notice = order_notice(order_id, amount_cents, operation, **more)
        answer = await self.notify_order(notice)
        assert answer.status_code == 200, answer.text
        return str(notice["reference"])

    async def authorise(self, reference: str | None, amount_cents: int, **more: Any) -> Json:
        """Ask as a terminal does; return the answer."""
        answer: Json = await self.post(
            "preludd", "/authorisations", question(reference, amount_cents, **more)
        )
        return answer

    def ended(
        self, reference: str | None, amount_cents: int, answer: Json | None = None, **more: Any
    ) -> Json:
        """Return an ended transaction as a terminal sends it; `answer`: its authorisation's, if any."""
        asked = answer or {}
        return {
            "id": str(next(self._numbers)),
            "reference": reference,
            "operation": "debit",
            "amount_cents": amount_cents,
            "approved": True,
            "authorisation_id": asked.get("id"),
            "authorisation_number": asked.get("authorisation_number"),
            "contract": "1999403",
            "rank": "001",
            "application": "001",
            "card": {"pan": mask_card(DECK[0].pan), "brand": "cb", "mode": "contact"},
            "aid": DECK[0].aid,
            "at_ms": now_ms(),
            "receipt": "CARTE BANCAIRE\nMONTANT : 12,50 EUR",
            **more,
        }

    async def complete(self, ended: Json) -> None:
        body = {"terminal": TERMINAL, "reference": ended["reference"], "transaction": ended}
        await self.post("preludd", "/completions", body)

    async def collect(self, *ended: Json, batch: int = 1) -> Json:
        body = {"terminal": TERMINAL, "batch": batch, "transactions": list(ended)}
        answer: Json = await self.post("preludd", "/collections", body)
        return answer

    async def transactions(self, **filters: str) -> list[Json]:
        """Return HiPay's transactions, the newest first."""
        listed: list[Json] = (await self.get("hipay", "/transactions", **filters))["transactions"]
        return listed

    async def statuses(self, order_id: str) -> list[int]:
        """Return the statuses of the order's transactions, the newest first."""
        return [one["status"] for one in await self.transactions(order_id=order_id)]

    async def notified(self) -> list[tuple[str, str]]:
        """Return order id and status of the notifications that the merchant's server took, in its order."""
        received = await self.get("merchant", "/hipay/notifications")
        return [
            (one["content"]["order[id]"], one["content"]["status"]) for one in received if one["is_taken"]
        ]


TERMINAL = {"serial": "SN 1/2", "pos_number": "01", "address": "127.0.0.2:8888"}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def question(
    reference: str | None,
    amount_cents: int,
    *,
    card: Card = DECK[0],
    operation: str = "debit",
    pin: str = "ok",
    wanted_code: str | None = None,
    contract: str | None = "1999403",
) -> Json:
    """Return the body of an authorisation as a terminal sends it."""
    return {
        "terminal": TERMINAL,
        "reference": reference,
        "contract": contract,
        "rank": "001",
        "application": card.application(Mode.CONTACT),
        "operation": operation,
        "amount_cents": amount_cents,
        "currency": "EUR",
        "card": {
            "pan": card.pan,
            "expiry": card.expiry,
            "brand": card.brand,
            "aid": card.aid,
            "mode": "contact",
        },
        "pin": pin,
        "test": None if wanted_code is None else {"wanted_code": wanted_code},
    }


def order_notice(
    order_id: str,
    amount_cents: int,
    operation: str = "debit",
    *,
    notify_url: str | None = None,
    contract: str | None = "1999403",
    order: Json | None = None,
    customer: Json | None = None,
) -> Json:
    """Return an order notification, version 1."""
    payment_id = new_payment_id(SystemClock(), os.urandom)
    pos: Json = {
        "host_information": {"host": "127.0.0.2", "port": 8888},
        "terminal_transaction_display": {
            "protocol": "ConcertV3.2",
            "contract_array": []
            if contract is None
            else [{"merchant_contract": contract, "rank": "001", "payment_application": "001"}],
        },
    }
    if notify_url is not None:
        pos["notify_url"] = notify_url
    return {
        "type": "order",
        "id": f"dlv_{payment_id[4:]}",
        "reference": payment_id,
        "merchant_id": "mer_1",
        "operation": operation,
        "attempt": 1,
        "created_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "order": {
            "order_id": order_id,
            "price": {"amount": amount_cents, "currency": "EUR"},
            **(order or {}),
        },
        "customer": customer or {},
        "pos_technical_info": pos,
    }


@asynccontextmanager
async def running_chain(api_url: str | None = None) -> AsyncIterator[Chain]:
    """Serve all six in this process; `api_url`: the API that gets gateway evidence."""
    clock = SystemClock()
    trace = Trace(clock)
    sockets = {name: listen("127.0.0.1", 0, setting=name) for name in SYSTEMS}
    urls = {name: f"http://127.0.0.1:{port_of(socket)}" for name, socket in sockets.items()}
    titles = {"hipay": "Console", "merchant": "Merchant"}
    navigation = tuple(NavLink(title, f"{urls[name]}/") for name, title in titles.items())
    target = None if api_url is None else EvidenceTarget(api_url=api_url, username="gw", password="secret")
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(trust_env=False, timeout=30))
        apps: dict[str, FastAPI] = {
            "issuer": issuer.make_app(clock=clock, trace=trace, random_bytes=os.urandom),
            "acquirer": acquirer.make_app(issuer_url=urls["issuer"], http=http, clock=clock, trace=trace),
            "nepting": nepting.make_app(acquirer_url=urls["acquirer"], http=http, clock=clock, trace=trace),
            "preludd": preludd.make_app(
                nepting_url=urls["nepting"],
                acquirer_url=urls["acquirer"],
                hipay_url=urls["hipay"],
                http=http,
                clock=clock,
                trace=trace,
                random_bytes=os.urandom,
                retry_seconds=RETRY_SECONDS,
            ),
            "hipay": hipay.make_app(
                orders_from=ORDERS,
                merchant=Merchant(
                    notify_url=f"{urls['merchant']}/hipay/notifications", passphrase=PASSPHRASE
                ),
                evidence_target=target,
                http=http,
                clock=clock,
                trace=trace,
                navigation=navigation,
                retry_seconds=RETRY_SECONDS,
            ),
            "merchant": merchant.make_app(
                passphrase=PASSPHRASE,
                webhook_secrets=(ORDERS.secret,),
                clock=clock,
                trace=trace,
                navigation=navigation,
            ),
        }
        for name, app in apps.items():
            await stack.enter_async_context(serving(app, sockets[name], drain_seconds=1, lifespan="on"))
        stack.callback(trace.close)
        yield Chain(urls, http, trace)
