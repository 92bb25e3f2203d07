"""SIGTERM while the database is unavailable: results are kept until the container's grace is over."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from databases import Store
from eventually import eventually
from system import Pos, System, Worker, payment_id, system_on
from wire.scripted_terminal import ScriptedTerminal, Talk

from terminal_worker.session.connection import TcpConnection


@dataclass
class Scene:
    """A payment whose customer has paid while the worker's database is unavailable."""

    system: System
    worker: Worker
    pos: Pos
    paying: "asyncio.Task[httpx.Response]"
    terminal: ScriptedTerminal


@asynccontextmanager
async def paid_while_unavailable(
    store: Store, amqp_url: str, prefix: str, **limits: Any
) -> AsyncIterator[Scene]:
    customer_pays = asyncio.Event()

    async def pays(talk: Talk) -> None:
        asked = await talk.request()
        await customer_pays.wait()
        talk.answer(asked)

    async with (
        system_on(store.url, amqp_url, prefix) as system,
        ScriptedTerminal(pays) as terminal,
        asyncio.TaskGroup() as group,
    ):
        pos = await system.pos()
        worker = await system.worker(**limits)
        paying = group.create_task(pos.pay(terminal.host))
        await eventually(lambda: terminal.talks and terminal.talks[0].received)
        worker.database.is_unavailable = True
        customer_pays.set()
        await asyncio.wait_for(terminal.talks[0].closed.wait(), 10)
        yield Scene(system, worker, pos, paying, terminal)


async def test_a_known_result_outlives_the_drain_while_the_database_is_unavailable(
    postgres_store: Store, amqp_url: str, system_prefix: str
) -> None:
    """The drain is over at once, the database comes back after it: stored as it was, not as a doubt."""
    async with paid_while_unavailable(postgres_store, amqp_url, system_prefix) as scene:
        draining = asyncio.create_task(scene.worker.deliveries.drain(0.05))
        await asyncio.sleep(1)
        assert not draining.done()
        scene.worker.database.is_unavailable = False
        await asyncio.wait_for(draining, 20)

        answered = await scene.paying
        assert answered.json()["paymentStatus"] == "Success"
        events = [detail["event"] for detail in await scene.system.details(payment_id(answered))]
        assert events[:3] == ["accepted", "claimed", "answered_done"]


async def test_the_process_ends_with_its_grace_where_the_database_stays_unavailable(
    postgres_store: Store, amqp_url: str, system_prefix: str
) -> None:
    """Its lock stays held: the takeover puts the payment in doubt and never sends it again."""
    limits: dict[str, Any] = {"worker_drain_seconds": 10, "worker_stop_grace_seconds": 12}
    async with paid_while_unavailable(postgres_store, amqp_url, system_prefix, **limits) as scene:
        began = time.monotonic()
        await asyncio.wait_for(scene.worker.deliveries.drain(0.05), 20)

        assert time.monotonic() - began >= 1.5
        assert (await scene.system.payments())[0].state == "in_session"
        scene.worker.database.is_unavailable = False
        told = (await scene.paying).json()["payment"]
        assert (told["state"], told["reason"]) == ("in_doubt", "worker_lost")
        assert len(scene.terminal.talks) == 1


async def test_a_drain_that_ends_while_the_connection_closes_keeps_the_result(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The terminal said 'paid': that is stored, not a doubt."""
    closing = asyncio.Event()

    async def close(_self: TcpConnection) -> None:
        closing.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(TcpConnection, "close", close)
    pos = await system.pos()
    worker = await system.worker()

    async def pays(talk: Talk) -> None:
        talk.answer(await talk.request())

    async with ScriptedTerminal(pays) as shop, asyncio.TaskGroup() as group:
        paying = group.create_task(pos.pay(shop.host))
        await asyncio.wait_for(closing.wait(), 20)
        await asyncio.wait_for(worker.deliveries.drain(0.05), 20)
        answered = await paying

    assert answered.json()["paymentStatus"] == "Success", answered.text
    events = [detail["event"] for detail in await system.details(payment_id(answered))]
    assert events[:3] == ["accepted", "claimed", "answered_done"]
