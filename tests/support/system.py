"""API, terminal and notifier workers as their composition roots wire them, in this process."""

import asyncio
import contextlib
import os
import random
import secrets
from collections.abc import AsyncIterator, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from databases import as_account
from limits import SHORT_LIMITS
from orders import order_for
from running.assembled import Api, Notifier, Worker
from stored.lossy_database import LossyDatabase
from stored.merchants import create_credential, create_merchant
from stored.reading import StoredState
from wire.raw_http import basic

from api import main as api_main
from api.app import make_app
from notifier_worker import main as notifier_main
from shared.broker.connections import connected, topology_of
from shared.broker.messages import PaymentMessage
from shared.broker.publisher import Publisher
from shared.metrics.metrics import Metrics
from shared.network.dns import Lookup, SystemResolver
from shared.runtime.clock import Clock, SystemClock
from shared.runtime.ids import new_process_id
from shared.runtime.resilience import Failpoint, no_failpoint
from shared.security.credentials import CredentialKind, hash_secret, new_secret
from shared.security.secret_key import load_secret_key
from shared.settings.load import load_settings
from shared.settings.settings import Settings
from shared.storage.db.opening import open_database
from terminal_worker import main as worker_main

ORDER_PATH = "/v1/connector/order"
LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class Login:
    """A merchant's credential."""

    merchant_id: str | None
    username: str
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return basic(self.username, self.secret)


def payment_id(answered: httpx.Response) -> str:
    """Return the id of the payment in the answer."""
    found: str = answered.json()["payment"]["id"]
    return found


class Pos:
    """POS of one merchant that pays over HTTP."""

    def __init__(self, client: httpx.AsyncClient, login: Login, base_url: str = "") -> None:
        self.client = client
        self.login = login
        self.base_url = base_url

    async def pay(
        self, host: str, amount: int = 250, *, headers: Mapping[str, str] | None = None, **order: Any
    ) -> httpx.Response:
        """Pay an order (a fresh one unless `order_id` is given) on the terminal of this host."""
        return await self.send(order_for(host, amount, **order), headers)

    async def send(self, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> httpx.Response:
        return await self.client.post(
            self.base_url + ORDER_PATH, json=body, headers={**self.login.headers, **(headers or {})}
        )


class System(StoredState):
    """Factory of API processes, terminal and notifier workers; all of them end with the system."""

    def __init__(
        self,
        database_url: str,
        amqp_url: str,
        amqp_prefix: str,
        stack: contextlib.AsyncExitStack,
        given: Mapping[str, object],
    ) -> None:
        self._given = {
            **SHORT_LIMITS,
            "database_url": database_url,
            "amqp_url": amqp_url,
            "amqp_prefix": amqp_prefix,
            **given,
        }
        self._stack = stack
        self.settings: Settings = load_settings(**self._given)
        self.topology = topology_of(self.settings)
        super().__init__(self._open_database(self.settings))

    async def login(
        self, *networks: str, kind: CredentialKind = CredentialKind.PRIVATE, merchant: bool = True
    ) -> Login:
        """Make a merchant with one credential; without networks only public addresses are allowed."""
        merchant_id = f"mer_{secrets.token_hex(6)}" if merchant else None
        if merchant_id is not None:
            await create_merchant(self.database, merchant_id, "A bakery", list(networks))
        name, secret = f"cred_{secrets.token_hex(6)}", new_secret(os.urandom)
        hashed = hash_secret(load_secret_key(self.settings, os.urandom), secret)
        assert await create_credential(self.database, name, kind, merchant_id, hashed)
        return Login(merchant_id, name, secret)

    async def pos(self, api: Api | None = None) -> Pos:
        """Return the POS of a new merchant whose terminals are on loopback addresses."""
        return Pos((api or await self.api()).client, await self.login(LOOPBACK))

    async def api(
        self, *, lookup: Lookup | None = None, failpoint: Failpoint = no_failpoint, **given: object
    ) -> Api:
        """Start an API process."""
        settings = self._settings_of("api", given)
        metrics, database = Metrics("api"), self._open_database(settings)
        assembled = await api_main.assemble(
            self._stack,
            settings,
            database=database,
            lookup=lookup or self._system_lookup(),
            secret_key=load_secret_key(settings, os.urandom),
            clock=SystemClock(),
            metrics=metrics,
            failpoint=failpoint,
        )
        self._run(*assembled.loops())
        app = make_app(assembled.dependencies)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        client = await self._stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url="http://api", timeout=30)
        )
        return Api(database, metrics, client, assembled.publisher, assembled.replies)

    async def worker(
        self,
        *,
        clock: Clock | None = None,
        sweeps: bool = True,
        failpoint: Failpoint = no_failpoint,
        **given: object,
    ) -> Worker:
        """Start a terminal worker; `clock` is that of its sessions and leases."""
        settings = self._settings_of("terminal", given)
        metrics, database = Metrics("terminal-worker"), self._open_database(settings)
        worker = new_process_id(os.urandom)
        assembled = await worker_main.assemble(
            self._stack,
            settings,
            database=database,
            worker=worker,
            clock=clock or SystemClock(),
            metrics=metrics,
            failpoint=failpoint,
        )
        parts, heartbeats = assembled.parts, assembled.heartbeats
        await heartbeats.register(worker)
        await parts.deliveries.start()
        self._stack.push_async_callback(parts.deliveries.drain, 0)
        loops = (parts.heartbeat, parts.doubts, parts.recovery, *((parts.sweep,) if sweeps else ()))
        self._run(assembled.outbox_publisher.run(), *(loop.run() for loop in loops))
        return Worker(
            database,
            metrics,
            worker,
            parts.runs,
            parts.doubts,
            parts.deliveries,
            assembled.publisher,
            heartbeats,
        )

    async def notifier(self, *, failpoint: Failpoint = no_failpoint, **given: object) -> Notifier:
        """Start a notifier worker."""
        settings = self._settings_of("notifier", given)
        metrics, database = Metrics("notifier-worker"), self._open_database(settings)
        assembled = await notifier_main.assemble(
            self._stack,
            settings,
            database=database,
            clock=SystemClock(),
            metrics=metrics,
            failpoint=failpoint,
        )
        self._run(*assembled.loops())
        for kind, consumer in assembled.consumers.items():
            await consumer.start(assembled.dispatchers[kind].take)
            self._stack.push_async_callback(consumer.stop)
        return Notifier(database, metrics, assembled.parts)

    async def publish(self, payment_id: str, *, reply_to: str | None = None) -> None:
        """Send a payment's message once more."""
        metrics = Metrics("test")
        publisher = await self._publisher(
            await self._connect(self.settings, "publish"), self.settings, metrics
        )
        await publisher.publish_payment(PaymentMessage(payment_id, reply_to))

    async def purged(self) -> bool:
        """Purge the waiting payment messages; return whether there was one."""
        connection = await self._connect(self.settings, "publish")
        channel = await connection.channel()
        result = await channel.get_underlay_channel()
        purged = await result.queue_purge(self.topology.payments)
        return bool(purged.message_count)

    def _settings_of(self, process: str, given: Mapping[str, object]) -> Settings:
        """Return a process's settings; on PostgreSQL it has its kind's account as in production."""
        url = as_account(str(self._given["database_url"]), f"cloud_terminal_{process}")
        return load_settings(**{**self._given, "database_url": url, **given})

    def _system_lookup(self) -> Lookup:
        lookup = SystemResolver()
        self._stack.callback(lookup.close)
        return lookup

    def _open_database(self, settings: Settings) -> LossyDatabase:
        database = LossyDatabase(
            open_database(
                settings.database_url.get_secret_value(),
                pool_size=4,
                rng=random.Random(1),
                pooler=settings.database_pooler,
            )
        )
        self._stack.push_async_callback(database.close)
        return database

    async def _connect(self, settings: Settings, purpose: Any) -> Any:
        return await self._stack.enter_async_context(connected(settings, process="test", purpose=purpose))

    async def _publisher(self, connection: Any, settings: Settings, metrics: Metrics) -> Publisher:
        return await Publisher.open(
            connection, self.topology, settings=settings, random_bytes=os.urandom, metrics=metrics
        )

    def _run(self, *loops: Coroutine[Any, Any, None]) -> None:
        tasks = [asyncio.create_task(loop) for loop in loops]

        async def end() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._stack.push_async_callback(end)


async def delete_queues(amqp_url: str, amqp_prefix: str) -> None:
    """Delete the queues of all systems that used this prefix."""
    settings = load_settings(amqp_url=amqp_url, amqp_prefix=amqp_prefix)
    async with connected(settings, process="test", purpose="publish") as connection:
        channel = await connection.channel()
        for name in topology_of(settings).durable_queues:
            await channel.queue_delete(name)


@contextlib.asynccontextmanager
async def system_on(
    database_url: str, amqp_url: str, amqp_prefix: str, **given: object
) -> AsyncIterator[System]:
    """Yield a system on a migrated database; `given` are settings of all its processes."""
    async with contextlib.AsyncExitStack() as stack:
        yield System(database_url, amqp_url, amqp_prefix, stack, given)
