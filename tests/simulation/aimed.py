"""Histories with their faults placed by hand: one for each mistake that chance would rarely show."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sandbox.terminal.behaviour import Behaviour
from tests.simulation.mistakes import (
    Mistake,
    freed_while_enquiring,
    no_epoch,
    no_sweep,
    no_write_window,
    not_charged_by_enquiry,
    read_back_without_token,
)
from tests.simulation.terminal import Kind
from tests.simulation.world import Script, World

Customers = list["asyncio.Task[None]"]
_HOST = "127.0.0.2"


async def _until(seen: Callable[[], object], seconds: float = 300.0) -> None:
    """Look often, in virtual time."""
    for _ in range(int(seconds / 0.02)):
        if seen():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("what this history is about did not happen")


def _customer(world: World, order_id: str, amount: int = 500) -> "asyncio.Task[None]":
    async def pay() -> None:
        await world.tills.pay(world.tills.order(order_id, "debit", amount, _HOST, 8888))

    return world.loop.create_task(pay())


def _ids(world: World) -> list[str]:
    return [row["id"] for row in world.store.rows("SELECT id FROM payments ORDER BY created_at, id")]


def _begin(world: World, workers: int, kind: Kind | None = None) -> None:
    world.add_terminal(kind or Kind()).behaviours.extend([Behaviour(delay_seconds=5)] * 20)
    for _ in range(workers):
        world.start_worker()
    world.start_api()


async def message_lost_and_its_api_dead(world: World) -> Customers:
    """Stored, never published, and nobody waits: only the sweep knows of it."""
    _begin(world, workers=1)
    world.faults.lost_publishes = 1.0
    customer = _customer(world, "ORDER_1")
    await _until(lambda: _ids(world))
    world.apis[0].process.kill()
    await asyncio.sleep(1)
    return [customer]


async def enquired_aside_while_the_request_waits(world: World) -> Customers:
    """Two connections: the enquiry is answered, the old request is read afterwards."""
    _begin(world, workers=2, kind=Kind(backlog=True, enquires_aside=True))
    terminal = next(iter(world.around.terminals.values()))
    await asyncio.sleep(1)
    terminal.type_by_hand(990)
    terminal.freeze(25)
    terminal.wire_faults.append("connection lost at once")
    first = _customer(world, "ORDER_1")
    await _until(lambda: _ids(world) and world.store.state(_ids(world)[0]) != "queued")
    await asyncio.sleep(12)
    again = _customer(world, "ORDER_1")
    await asyncio.sleep(25)
    return [first, again]


async def paused_before_its_write(world: World) -> Customers:
    """A worker is stopped between claim and write until its line is somebody else's."""
    _begin(world, workers=2)
    terminal = next(iter(world.around.terminals.values()))
    await asyncio.sleep(1)
    terminal.connect_seconds = 3.0
    first = _customer(world, "ORDER_1")
    await _until(lambda: _ids(world) and world.store.state(_ids(world)[0]) == "in_session")
    claimed_by = world.store.rows("SELECT worker FROM payments")[0]["worker"]
    stopped = next(worker for worker in world.workers if worker.id == claimed_by)
    stopped.process.pause()
    world.broker.process_paused(stopped.process)
    terminal.connect_seconds = 0.0
    await _until(lambda: world.store.state(_ids(world)[0]) == "in_doubt")
    await _until(lambda: world.store.holder(terminal.line) is None)
    second = _customer(world, "ORDER_2")
    await _until(lambda: world.store.holder(terminal.line))
    stopped.process.resume()
    await asyncio.sleep(30)
    return [first, second]


async def outcome_stored_twice(world: World) -> Customers:
    """A settled outcome whose answer was lost is stored again while the line is the next payment's."""
    _begin(world, workers=2)
    terminal = next(iter(world.around.terminals.values()))
    # What this line answers is known: no identification follows, and the outcome frees it.
    await asyncio.sleep(1)
    before = _customer(world, "ORDER_0")
    await _until(lambda: world.store.rows("SELECT 1 FROM lines WHERE identifies AND held_by IS NULL"))
    customers = [before, _customer(world, "ORDER_1")]
    await _until(lambda: len(_ids(world)) == 2 and world.store.state(_ids(world)[1]) == "in_session")
    world.store.doomed.append(("UPDATE lines SET held_by = NULL", "done"))
    customers += [_customer(world, "ORDER_2"), _customer(world, "ORDER_3")]
    # Its worker's way back to the database is slow: the sweep of another one is faster.
    claimed_by = world.store.rows("SELECT worker FROM payments ORDER BY id")[1]["worker"]
    slow = next(worker for worker in world.workers if worker.id == claimed_by)
    await _until(lambda: not world.store.doomed)
    slow.process.pause()
    world.broker.process_paused(slow.process)
    await _until(
        lambda: world.store.holder(terminal.line) and world.store.holder(terminal.line) != _ids(world)[1]
    )
    slow.process.resume()
    await asyncio.sleep(40)
    return customers


async def claimed_by_another_after_a_lost_commit(world: World) -> Customers:
    """A claim's answer is lost and it was not carried out; meanwhile another worker claims the payment."""
    _begin(world, workers=2)
    await asyncio.sleep(1)
    world.faults.doubled_messages = 1.0
    world.store.doomed.append(("UPDATE lines SET held_by = :payment_id", "undone"))
    customer = _customer(world, "ORDER_1")
    await asyncio.sleep(30)
    return [customer]


async def proved_while_it_is_asked(world: World) -> Customers:
    """The gateway settles a doubt while its enquiry waits for an answer, and another payment waits."""
    _begin(world, workers=1, kind=Kind(backlog=True))
    terminal = next(iter(world.around.terminals.values()))
    await asyncio.sleep(1)
    terminal.wire_faults.append("connection lost at once")
    terminal.behaviours.appendleft(Behaviour(delay_seconds=1))
    first = _customer(world, "ORDER_1")
    await _until(lambda: world.ledger.charges)
    terminal.freeze(60)
    await _until(lambda: any(note.action == "3" and note.wire.is_open for note in world.ledger.written))
    second = _customer(world, "ORDER_2")
    world.people.report(_ids(world)[0])
    await asyncio.sleep(20)
    return [first, second]


@dataclass(frozen=True)
class Aim:
    """A mistake and the history that shows it."""

    mistake: Mistake
    script: Script


AIMED: dict[str, Aim] = {
    "sweep off": Aim(no_sweep, message_lost_and_its_api_dead),
    "non-completion concluded from an enquiry": Aim(
        not_charged_by_enquiry, enquired_aside_while_the_request_waits
    ),
    "no write window": Aim(no_write_window, paused_before_its_write),
    "epoch not raised at the claim": Aim(no_epoch, outcome_stored_twice),
    "a lost claim read back without its token": Aim(
        read_back_without_token, claimed_by_another_after_a_lost_commit
    ),
    "a heartbeat that frees the line while its enquiry goes on": Aim(
        freed_while_enquiring, proved_while_it_is_asked
    ),
}
