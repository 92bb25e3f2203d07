"""API process on a real database, with neither broker nor worker: the test plays both.

For what the API decides by the database alone; whatever passes through RabbitMQ is tested with RabbitMQ.
"""

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest
from databases import Store
from orders import order_for
from payments import change, claimed_now, lose, settle
from stored.merchants import create_credential, create_merchant
from wire.raw_http import basic

from api.app import make_app
from api.connector.readiness import Readiness, database_check
from api.http.logins.auth import LastUses
from api.http.server.given_responses import GivenResponses
from api.payments.service import Payments
from api.payments.waiters import Waiters
from api.wiring import wire
from shared.broker.errors import NotAccepted
from shared.broker.interfaces import OnReply
from shared.broker.messages import PaymentMessage, ProbeMessage, ReplyMessage
from shared.metrics.metrics import Metrics
from shared.network.dns import Lookup, SystemResolver
from shared.payment.payment import Payment, Result
from shared.payment.states import Event, State
from shared.runtime.clock import SystemClock
from shared.security.credentials import CredentialKind, Role, hash_secret
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.payments.claims import Claimed
from shared.storage.terminals.merchants import DEFAULT_UNKNOWN_ORDERS, UnknownOrders

#: Marks of a test whose `api` runs on one database only: what it promises does not depend on it, or needs it.
on_sqlite: Final = pytest.mark.parametrize("store", ["sqlite"], indirect=True)
on_postgres: Final = pytest.mark.parametrize("store", ["postgresql"], indirect=True)

_SECRET_KEY: Final = b"a key for tests, 32 characters long"
_POLLS_OFTEN: Final[dict[str, Any]] = {"reply_poll_seconds": 0.05, "reply_poll_after_seconds": 0.1}


@dataclass
class Postbox:
    """Publisher that keeps messages, and brings replies to the API at once or loses them."""

    name: str = "reply.alone"
    published: list[str] = field(default_factory=list)
    loses_replies: bool = False
    is_unavailable: bool = False
    _on_reply: OnReply | None = None

    async def start(self, on_reply: OnReply) -> None:
        self._on_reply = on_reply

    async def ready(self) -> str | None:
        return "away" if self.is_unavailable else None

    async def publish_payment(self, message: PaymentMessage, *, traceparent: str | None = None) -> None:  # noqa: ARG002
        if self.is_unavailable:
            raise NotAccepted("away")
        self.published.append(message.payment_id)

    async def publish_probe(self, message: ProbeMessage, *, traceparent: str | None = None) -> None:  # noqa: ARG002
        raise NotAccepted("there is no worker")

    async def reply(self, reply_to: str, message: ReplyMessage, *, traceparent: str | None = None) -> None:  # noqa: ARG002
        if self._on_reply is not None and not self.loses_replies:
            self._on_reply(message.payment_id)


@dataclass(frozen=True)
class Caller:
    """Credential and the client that uses it."""

    client: httpx.AsyncClient
    merchant_id: str | None
    username: str

    async def get(self, path: str, **query: str) -> httpx.Response:
        return await self.client.get(path, params=query)

    async def post(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        """Post a body; headers are given with underscores: `idempotency_key="k"`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post(path, json=body, headers=named)

    async def order(self, host: str = "127.0.0.9", amount: int = 250, **more: Any) -> httpx.Response:
        """Send an order; `order_id` and other fields of `order` by name, `headers` as in `post`."""
        headers = more.pop("headers", {})
        return await self.post("/v1/connector/order", order_for(host, amount, **more), **headers)

    async def order_async(self, host: str = "127.0.0.9", amount: int = 250, **more: Any) -> str:
        """Send an order without waiting; return its payment's id."""
        headers = {"prefer": "respond-async", **more.pop("headers", {})}
        answered = await self.order(host, amount, headers=headers, **more)
        assert answered.status_code == 202, answered.text
        found: str = answered.json()["payment"]["id"]
        return found


@dataclass
class ApiAlone:
    """API process, and a worker's part beside it."""

    database: Database
    postbox: Postbox
    payments: Payments
    metrics: Metrics
    settings: Settings
    responses: GivenResponses
    last_uses: LastUses
    app: Any
    _stack: contextlib.AsyncExitStack

    async def merchant(
        self, *, guard_hours: int | None = None, unknown_orders: UnknownOrders = DEFAULT_UNKNOWN_ORDERS
    ) -> Caller:
        """Return the client of a new merchant."""
        merchant_id = f"mer_{secrets.token_hex(6)}"
        await create_merchant(
            self.database, merchant_id, "A bakery", ["127.0.0.0/8"], guard_hours, unknown_orders
        )
        return await self.caller(CredentialKind.PRIVATE, merchant_id)

    async def login(
        self, kind: CredentialKind, merchant_id: str | None = None, role: Role = Role.ADMIN
    ) -> tuple[str, str]:
        """Return name and secret of a new credential of this kind."""
        name, secret = f"ct_{secrets.token_hex(6)}", secrets.token_hex(16)
        hashed = hash_secret(_SECRET_KEY, secret)
        assert await create_credential(self.database, name, kind, merchant_id, hashed, role)
        return name, secret

    async def caller(
        self, kind: CredentialKind, merchant_id: str | None = None, role: Role = Role.ADMIN
    ) -> Caller:
        """Return a client with a credential of this kind."""
        name, secret = await self.login(kind, merchant_id, role)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://api",
            headers=basic(name, secret),
            timeout=30,
        )
        return Caller(await self._stack.enter_async_context(client), merchant_id, name)

    def known_to_waiters(self, payment_id: str) -> list[State | None]:
        """Return the state that each request waiting for a payment read last; None before its look."""
        return [waiter.known for waiter in self.payments.results._waiters._waiters.get(payment_id, ())]

    async def claim(self, payment_id: str) -> Claimed:
        """Claim a payment as a worker does before it sends a byte."""
        return await claimed_now(self.database, payment_id)

    async def in_doubt(self, pos: Caller, **order: Any) -> str:
        """Let an order end in doubt; return its payment's id."""
        payment_id = await pos.order_async(**order)
        await lose(self.database, await self.claim(payment_id))
        return payment_id

    async def age(self, seconds: float) -> None:
        """Let every doubt, claim and lease be so much older, by the database's clock."""
        ms = int(seconds * 1000)
        await change(
            self.database,
            "UPDATE payments SET doubted_at = doubted_at - :ms, claimed_at = claimed_at - :ms",
            ms=ms,
        )
        await change(self.database, "UPDATE terminal_locks SET acquired_at = acquired_at - :ms", ms=ms)

    async def settle(self, claimed: Claimed, event: Event, result: Result | None = None) -> Payment:
        """Store a result as a worker does, without any reply."""
        return await settle(self.database, claimed, event, result)


@contextlib.asynccontextmanager
async def api_alone(store: Store, **given: Any) -> AsyncIterator[ApiAlone]:
    """Yield an API process on a migrated store; `given` are settings, and a `look_up`."""
    lookup: Lookup | None = given.pop("lookup", None)
    settings = Settings(**{**_POLLS_OFTEN, "database_url": store.url, **given})
    async with contextlib.AsyncExitStack() as stack:
        database = store.open()
        stack.push_async_callback(database.close)
        clock, metrics, postbox = SystemClock(), Metrics("api"), Postbox()
        waiters = Waiters(database, clock, metrics, settings)
        await postbox.start(waiters.replied)
        system_lookup = SystemResolver()
        stack.callback(system_lookup.close)
        parts = wire(
            database=database,
            publisher=postbox,
            replies=postbox,
            waiters=waiters,
            readiness=Readiness({"database": database_check(database)}, SystemClock()),
            secret_key=_SECRET_KEY,
            clock=clock,
            metrics=metrics,
            settings=settings,
            random_bytes=os.urandom,
            lookup=lookup or system_lookup,
        )
        asking = asyncio.create_task(waiters.run())
        stack.callback(asking.cancel)
        yield ApiAlone(
            database,
            postbox,
            parts.payments,
            metrics,
            settings,
            parts.responses,
            parts.last_uses,
            make_app(parts),
            stack,
        )
