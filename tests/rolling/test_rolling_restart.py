"""Every replica of every process is replaced under load, behind the real proxy: no client notices."""

import asyncio
import contextlib
import secrets
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from databases import Store
from eventually import eventually
from loopback import terminal_host
from orders import order_for
from running.fleet import REPOSITORY, Fleet, Process, fleet_of
from system import LOOPBACK, Login, Pos, System, delete_queues, system_on
from wire.webhook_receiver import WebhookReceiver, receiving

from sandbox.servers.private.children import free_ports
from sandbox.servers.private.haproxy import ApiAddress, balanced
from sandbox.terminal.device.device import Device
from sandbox.terminal.device.session_log import charged_twice, overlapping_sessions
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.server import VirtualTerminal
from shared.security.credentials import new_webhook_secret

KINDS = ("terminal-worker", "notifier-worker", "api")
REPLICAS = 2
TERMINALS = 8
CUSTOMER_SECONDS = 0.5
SECRET_KEY = "a key for tests, 32 characters long"


@dataclass
class Load:
    """Cash registers that sell one order after the other, each on a terminal of its own."""

    url: str
    login: Login
    hosts: list[str]
    answers: list[httpx.Response] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    is_over: bool = False

    async def sell(self, host: str, *, keeps_connection: bool) -> None:
        limits = httpx.Limits(max_keepalive_connections=1 if keeps_connection else 0)
        async with httpx.AsyncClient(timeout=250, limits=limits) as client:
            while not self.is_over:
                try:
                    answer = await Pos(client, self.login, self.url).send(order_for(host))
                    self.answers.append(answer)
                except httpx.HTTPError as error:
                    self.failures.append(repr(error))

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sell while the block runs; afterwards every order is answered."""
        selling = [
            asyncio.create_task(self.sell(host, keeps_connection=number % 2 == 0))
            for number, host in enumerate(self.hosts)
        ]
        try:
            yield
        finally:
            self.is_over = True
            await asyncio.gather(*selling)


class Replicas:
    """The running processes by kind; the API's are at places that the proxy knows, one of which is free."""

    def __init__(self, fleet: Fleet, places: list[ApiAddress]) -> None:
        self._fleet = fleet
        self._free = list(places)
        self._place: dict[Process, ApiAddress] = {}
        self.running: dict[str, list[Process]] = {}

    async def add(self, kind: str) -> Process:
        settings = {}
        place = self._free.pop() if kind == "api" else None
        if place is not None:
            settings = {
                "CLOUD_TERMINAL_API_PORT": str(place.port),
                "CLOUD_TERMINAL_MANAGEMENT_PORT": str(place.management_port),
            }
        process = await self._fleet.start(kind, settings=settings)
        if place is not None:
            self._place[process] = place
        await process.ready()
        self.running.setdefault(kind, []).append(process)
        return process

    async def replace(self, kind: str, old: Process) -> None:
        """Start a new one, then end the old one, as an operator does."""
        await self.add(kind)
        old.terminate()
        assert await old.ended(within_seconds=260) == 0
        self.running[kind].remove(old)
        if old in self._place:
            self._free.append(self._place.pop(old))


async def test_no_client_notices_that_every_process_is_replaced(
    postgres_store: Store, amqp_url: str, amqp_prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No connection refused, no order unanswered, none in doubt, none charged or notified twice."""
    ports = free_ports(2 * (REPLICAS + 1))
    places = [ApiAddress(*ports[number : number + 2]) for number in range(0, len(ports), 2)]
    async with contextlib.AsyncExitStack() as stack:
        hipay = await stack.enter_async_context(receiving())
        settings = {
            "database_url": postgres_store.url,
            "amqp_url": amqp_url,
            "amqp_prefix": amqp_prefix,
            "secret_key": SECRET_KEY,
            "management_port": 0,
            "hipay_url": hipay.url,
            "hipay_signing_secret": new_webhook_secret(secrets.token_bytes),
            "notify_allow_http": True,
            "log_format": "json",
        }
        system = await stack.enter_async_context(
            system_on(postgres_store.url, amqp_url, amqp_prefix, secret_key=SECRET_KEY)
        )
        replicas = Replicas(await stack.enter_async_context(fleet_of(settings, tmp_path)), places)
        for _ in range(REPLICAS):
            await asyncio.gather(*(replicas.add(kind) for kind in KINDS))
        terminals = [
            await stack.enter_async_context(
                VirtualTerminal(
                    terminal_host(),
                    behaviour=Behaviour(delay_seconds=CUSTOMER_SECONDS),
                    device=Device(request_idle_seconds=0),
                )
            )
            for _ in range(TERMINALS)
        ]
        url = stack.enter_context(balanced(REPOSITORY / "deploy" / "haproxy", places))
        load = Load(url, await system.login(LOOPBACK), [terminal.host for terminal in terminals])
        await eventually(lambda: serves(url))
        began = time.monotonic()

        async with load.running():
            for kind in KINDS:
                for old in list(replicas.running[kind]):
                    await replicas.replace(kind, old)

        took = time.monotonic() - began
        assert load.failures == []
        troubles = Counter(
            (answer.status_code, answer.text) for answer in load.answers if not is_paid(answer)
        )
        assert not troubles
        stored = await system.payments()
        assert {row.state for row in stored} == {"succeeded"}
        assert [row.id for row in stored if row.doubted_at is not None] == []
        assert len(stored) == len(load.answers)
        for terminal in terminals:
            records = list(terminal.records)
            assert charged_twice(records) == []
            assert overlapping_sessions(records) == []
        assert sum(one.charged for terminal in terminals for one in terminal.records) == len(stored)
        await notified_once(system, hipay, len(stored))
        with capsys.disabled():
            sys.stdout.write(f"\n{summary(load, took)}")
    await delete_queues(amqp_url, amqp_prefix)


def is_paid(answer: httpx.Response) -> bool:
    return answer.status_code == 200 and answer.json()["paymentStatus"] == "Success"


async def serves(url: str) -> bool:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"{url}/v1/connector/healthcheck")).status_code == 200


async def notified_once(system: System, hipay: WebhookReceiver, count: int) -> None:
    """Each order notification came, and came once, although its sender was replaced."""
    await hipay.heard(count, 60)
    assert set(Counter(one.headers["webhook-id"] for one in hipay.received).values()) == {1}
    await eventually(lambda: delivered(system, count))


async def delivered(system: System, count: int) -> bool:
    return Counter(row.state for row in await system.all_of("deliveries")) == {"delivered": count}


def summary(load: Load, seconds: float) -> str:
    slowest = max(answer.elapsed.total_seconds() for answer in load.answers)
    return f"{len(load.answers)} orders in {seconds:.0f} s, the slowest answered after {slowest:.1f} s"
