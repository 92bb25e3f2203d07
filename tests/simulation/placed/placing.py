"""What the placed histories have in common: who is there at first, customers, waiting for a moment."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.terminal.script.behaviour import Behaviour
from tests.simulation.mistakes.mistaken import Mistake
from tests.simulation.model.terminal import Kind, Terminal
from tests.simulation.model.workers import Worker
from tests.simulation.world import Script, World

Customers = list["asyncio.Task[None]"]
_HOST = "127.0.0.2"


@dataclass(frozen=True)
class Aim:
    """A mistake and the history that shows it."""

    mistake: Mistake
    script: Script


async def until(seen: Callable[[], object], seconds: float = 300.0) -> None:
    """Look often, in virtual time."""
    for _ in range(int(seconds / 0.02)):
        if seen():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("what this history is about did not happen")


def pays(
    world: World, order_id: str, amount: int = 500, operation: str = "debit", host: str = _HOST
) -> "asyncio.Task[None]":
    """A customer pays, or gets money back: the till asks once."""

    async def ask() -> None:
        await world.tills.pay(world.tills.order(order_id, operation, amount, host, 8888))

    return world.loop.create_task(ask())


def ids(world: World) -> list[str]:
    """Return the payments, the oldest first."""
    return [row["id"] for row in world.store.rows("SELECT id FROM payments ORDER BY created_at, id")]


def state(world: World, number: int) -> str | None:
    """Return the state of the payment of that number, from 0 on; None: it is not stored."""
    stored = ids(world)
    return world.store.state(stored[number]) if number < len(stored) else None


def begin(world: World, workers: int, kind: Kind | None = None) -> Terminal:
    """One terminal, whose customers take five seconds, so many workers and an API."""
    terminal = world.add_terminal(kind or Kind())
    terminal.behaviours.extend([Behaviour(delay_seconds=5)] * 20)
    for _ in range(workers):
        world.start_worker()
    world.start_api()
    return terminal


def worker_of(world: World, number: int) -> Worker:
    """Return the worker that claimed the payment of that number."""
    rows = world.store.rows("SELECT worker FROM payments ORDER BY created_at, id")
    return next(worker for worker in world.workers if worker.id == rows[number]["worker"])


def stop(world: World, worker: Worker) -> None:
    """SIGSTOP; the broker closes its connection."""
    worker.process.pause()
    world.broker.process_paused(worker.process)
