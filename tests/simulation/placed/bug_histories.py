"""Placed histories for mistakes that were in the product, and that random histories rarely show."""

import asyncio
import sqlite3

from sandbox.terminal.script.behaviour import Behaviour
from shared.concert.fields import Action
from tests.simulation.mistakes.earlier_bugs import (
    busy_taken_for_an_answer,
    identified_at_any_time,
    identified_without_a_look,
    not_marked_after_early_release,
    takeover_forgets_the_mark,
    takeover_read_back_once,
)
from tests.simulation.model.processes.workers import Worker
from tests.simulation.model.terminal import Kind, Terminal
from tests.simulation.placed.placed_history import (
    Customers,
    PlacedHistory,
    begun,
    identified,
    ids,
    pays,
    state,
    stop,
    until,
    worker_of,
)
from tests.simulation.world import World


async def takeover_lost_twice(world: World) -> Customers:
    """Lose the answer of a takeover, and that of its read-back."""
    await begun(world, workers=2)
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "in_session")
    world.store.doomed += [
        ("UPDATE terminal_locks SET worker", "done"),
        ("held_by FROM terminal_locks WHERE address", "done"),
    ]
    worker_of(world, 0).process.kill()
    await until(lambda: not world.store.doomed)
    return [first]


async def stopped_before_it_identifies(world: World) -> Customers:
    """Stop a worker before the identification that follows a payment; it wakes in another's session."""
    terminal = await begun(world, workers=2)
    first = pays(world, "ORDER_1")
    await until(lambda: world.ledger.charges)
    terminal.connect_seconds = 3.0
    await until(lambda: state(world, 0) == "succeeded")
    return [first, await _wakes_in_anothers_session(world, terminal, worker_of(world, 0))]


async def stopped_before_it_identifies_first(world: World) -> Customers:
    """Stop a worker before the identification that begins a session at a marked terminal."""
    terminal = await begun(world, workers=2)
    before = pays(world, "ORDER_0")
    await identified(world)
    await until(lambda: _marked(world))
    terminal.connect_seconds = 3.0
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 1) == "in_session")
    return [before, first, await _wakes_in_anothers_session(world, terminal, worker_of(world, 1))]


def _marked(world: World) -> bool:
    try:
        world.store.rows("UPDATE terminal_locks SET identify_first = true")
    except sqlite3.OperationalError:
        return False  # somebody is writing
    return True


async def _wakes_in_anothers_session(
    world: World, terminal: Terminal, worker: Worker
) -> "asyncio.Task[None]":
    stop(world, worker)
    terminal.connect_seconds = 0.0
    await until(lambda: world.store.holder(terminal.terminal_address) is None)
    second = pays(world, "ORDER_2")
    number = len(ids(world))
    await until(lambda: any(note.payment_id in ids(world)[number:] for note in world.ledger.written))
    worker.process.resume()
    await asyncio.sleep(30)
    return second


async def busy_with_our_own_request(world: World) -> Customers:
    """Settle a doubt by the gateway while the terminal is busy with its request."""
    terminal = await begun(world, workers=1)
    terminal.wire_faults.append("connection lost at once")
    terminal.behaviours.appendleft(Behaviour(delay_seconds=40))
    first = pays(world, "ORDER_1")
    await until(lambda: any(note.action == Action.DUPLICATE for note in world.ledger.written))
    await asyncio.sleep(5)
    second = pays(world, "ORDER_2")
    world.interventions.report(ids(world)[0])
    await asyncio.sleep(45)
    return [first, second]


async def asked_for_while_the_request_waits(world: World) -> Customers:
    """Release a terminal early that answers enquiries while the request waits unread."""
    terminal = await begun(world, workers=1, kind=Kind(backlog=True, enquires_aside=True))
    terminal.type_by_hand(990)
    terminal.freeze(60)
    terminal.wire_faults.append("connection lost at once")
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "in_doubt")
    await asyncio.sleep(43)
    second = pays(world, "ORDER_2")
    await until(lambda: len(ids(world)) == 2)
    world.interventions.ask_for_terminal(ids(world)[0])
    await asyncio.sleep(30)
    return [first, second]


async def settled_while_its_worker_is_dead(world: World) -> Customers:
    """Settle a doubt by the gateway before the takeover, while the request waits at the terminal."""
    terminal = await begun(world, workers=2, kind=Kind(backlog=True))
    terminal.freeze(90)
    terminal.wire_faults.append("connection lost at once")
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "in_doubt")
    worker_of(world, 0).process.kill()
    world.interventions.report(ids(world)[0])
    await until(lambda: state(world, 0) == "succeeded")
    await until(lambda: world.store.holder(terminal.terminal_address) is None)
    second = pays(world, "ORDER_2")
    await until(lambda: world.ledger.charges)
    return [first, second]


BUG_HISTORIES: dict[str, PlacedHistory] = {
    "a takeover's commit lost twice": PlacedHistory(takeover_read_back_once, takeover_lost_twice),
    "an identification after a takeover": PlacedHistory(
        identified_without_a_look, stopped_before_it_identifies
    ),
    "an identification past the write window": PlacedHistory(
        identified_at_any_time, stopped_before_it_identifies_first
    ),
    "a busy enquiry counted as answered": PlacedHistory(busy_taken_for_an_answer, busy_with_our_own_request),
    "an early release without a mark": PlacedHistory(
        not_marked_after_early_release, asked_for_while_the_request_waits
    ),
    "a takeover without a mark": PlacedHistory(takeover_forgets_the_mark, settled_while_its_worker_is_dead),
}
