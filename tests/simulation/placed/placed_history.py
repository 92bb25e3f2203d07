"""Placed history: a mistake, the script that shows it, and the steps that scripts share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.terminal.script.behaviour import Behaviour
from tests.simulation.mistakes.mistake import Mistake
from tests.simulation.model.processes.workers import Worker
from tests.simulation.model.terminal import Kind, Terminal
from tests.simulation.world import Script, World

Customers = list["asyncio.Task[None]"]
_HOST = "127.0.0.2"


@dataclass(frozen=True)
class PlacedHistory:
    """Mistake and the script that shows it."""

    mistake: Mistake
    script: Script


async def until(seen: Callable[[], object], seconds: float = 300.0) -> None:
    """Wait for a condition, in virtual time."""
    for _ in range(int(seconds / 0.02)):
        if seen():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the condition did not come true")


def pays(
    world: World, order_id: str, amount: int = 500, operation: str = "debit", host: str = _HOST
) -> "asyncio.Task[None]":
    """Send one order as a POS does; return its task."""

    async def ask() -> None:
        await world.pos.pay(world.pos.order(order_id, operation, amount, host, 8888))

    return world.loop.create_task(ask())


def ids(world: World) -> list[str]:
    """Return the payments, the oldest first."""
    return [row["id"] for row in world.store.rows("SELECT id FROM payments ORDER BY created_at, id")]


def state(world: World, number: int) -> str | None:
    """Return the state of the payment of that number, from 0 on; None: it is not stored."""
    stored = ids(world)
    return world.store.state(stored[number]) if number < len(stored) else None


def begin(world: World, workers: int, kind: Kind | None = None) -> Terminal:
    """Start a terminal, whose customers take five seconds, so many workers and an API."""
    terminal = world.add_terminal(kind or Kind())
    terminal.behaviours.extend([Behaviour(delay_seconds=5)] * 20)
    for _ in range(workers):
        world.start_worker()
    world.start_api()
    return terminal


async def begun(world: World, workers: int, kind: Kind | None = None) -> Terminal:
    """Do the same, and let them start for a second."""
    terminal = begin(world, workers, kind)
    await asyncio.sleep(1)
    return terminal


async def identified(world: World) -> None:
    """Wait until a terminal has answered the identification after its first payment, and is free."""
    await until(lambda: world.store.rows("SELECT 1 FROM terminal_locks WHERE identifies AND held_by IS NULL"))


def worker_of(world: World, number: int) -> Worker:
    """Return the worker that claimed the payment of that number."""
    rows = world.store.rows("SELECT worker FROM payments ORDER BY created_at, id")
    return next(worker for worker in world.workers if worker.id == rows[number]["worker"])


def stop(world: World, worker: Worker) -> None:
    """Pause a worker as SIGSTOP does; the broker closes its connection."""
    worker.process.pause()
    world.broker.process_paused(worker.process)
