"""SIGTERM while the database is unavailable: results are kept until the container's grace is over."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from eventually import eventually
from running.assembled import Worker
from system import System, payment_id
from wire.scripted_terminal import ScriptedTerminal, answers, answers_after

from terminal_worker.session.connection import TcpConnection


@dataclass
class Scene:
    """A payment whose customer has paid while the worker's database is unavailable."""

    worker: Worker
    paying: "asyncio.Task[httpx.Response]"
    terminal: ScriptedTerminal


@asynccontextmanager
async def paid_while_unavailable(system: System, **limits: Any) -> AsyncIterator[Scene]:
    customer_pays = asyncio.Event()
    pos = await system.pos()
    worker = await system.worker(**limits)
    async with ScriptedTerminal(answers_after(customer_pays)) as terminal, asyncio.TaskGroup() as group:
        paying = group.create_task(pos.pay(terminal.host))
        await eventually(lambda: terminal.talks and terminal.talks[0].received)
        worker.database.is_unavailable = True
        customer_pays.set()
        await asyncio.wait_for(terminal.talks[0].closed.wait(), 10)
        yield Scene(worker, paying, terminal)


async def test_a_known_result_outlives_the_drain_while_the_database_is_unavailable(system: System) -> None:
    """The drain is over at once, the database comes back after it: stored as it was, not as a doubt."""
    async with paid_while_unavailable(system) as scene:
        (payment,) = await system.payments()
        (run,) = [task for task in asyncio.all_tasks() if task.get_name() == payment.id]
        draining = asyncio.create_task(scene.worker.deliveries.drain(0.05))
        await eventually(run.cancelling)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not draining.done()
        scene.worker.database.is_unavailable = False
        await asyncio.wait_for(draining, 20)

        answered = await scene.paying
        assert answered.json()["paymentStatus"] == "Success"
        assert (await system.events(payment_id(answered)))[:3] == ["accepted", "claimed", "answered_done"]


async def test_the_process_ends_with_its_grace_where_the_database_stays_unavailable(system: System) -> None:
    """Its lock stays held: the takeover puts the payment in doubt and never sends it again."""
    limits: dict[str, Any] = {"worker_drain_seconds": 10, "worker_stop_grace_seconds": 12}
    async with paid_while_unavailable(system, **limits) as scene:
        began = time.monotonic()
        await asyncio.wait_for(scene.worker.deliveries.drain(0.05), 20)

        assert time.monotonic() - began >= 1.5
        assert (await system.payments())[0].state == "in_session"
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

    async with ScriptedTerminal(answers) as shop, asyncio.TaskGroup() as group:
        paying = group.create_task(pos.pay(shop.host))
        await asyncio.wait_for(closing.wait(), 20)
        await asyncio.wait_for(worker.deliveries.drain(0.05), 20)
        answered = await paying

    assert answered.json()["paymentStatus"] == "Success", answered.text
    assert (await system.events(payment_id(answered)))[:3] == ["accepted", "claimed", "answered_done"]
