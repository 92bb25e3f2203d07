"""Histories with faults placed by hand, one for each mistake that random histories would rarely show."""

import asyncio

from sandbox.terminal.script.behaviour import Behaviour
from tests.simulation.mistakes.random_mistakes import (
    no_epoch,
    no_sweep,
    no_write_window,
    not_charged_by_enquiry,
    read_back_without_token,
    released_while_enquiring,
)
from tests.simulation.model.terminal import Kind
from tests.simulation.placed.bug_histories import BUG_HISTORIES
from tests.simulation.placed.byte_histories import BYTE_HISTORIES
from tests.simulation.placed.lease_histories import LEASE_HISTORIES
from tests.simulation.placed.notification_histories import NOTIFICATION_HISTORIES
from tests.simulation.placed.placed_history import (
    Customers,
    PlacedHistory,
    begin,
    begun,
    identified,
    ids,
    pays,
    stop,
    until,
    worker_of,
)
from tests.simulation.placed.request_histories import REQUEST_HISTORIES
from tests.simulation.placed.result_histories import RESULT_HISTORIES
from tests.simulation.world import World


async def message_lost_and_its_api_dead(world: World) -> Customers:
    """Lose a payment's message and kill its API: only the sweep finds it."""
    begin(world, workers=1)
    world.faults.lost_publishes = 1.0
    customer = pays(world, "ORDER_1")
    await until(lambda: ids(world))
    world.apis[0].process.kill()
    await asyncio.sleep(1)
    return [customer]


async def enquired_aside_while_the_request_waits(world: World) -> Customers:
    """Answer an enquiry on a second connection before the request is read."""
    terminal = await begun(world, workers=2, kind=Kind(backlog=True, enquires_aside=True))
    terminal.type_by_hand(990)
    terminal.freeze(25)
    terminal.wire_faults.append("connection lost at once")
    first = pays(world, "ORDER_1")
    await until(lambda: ids(world) and world.store.state(ids(world)[0]) != "queued")
    await asyncio.sleep(12)
    again = pays(world, "ORDER_1")
    await asyncio.sleep(25)
    return [first, again]


async def paused_before_its_write(world: World) -> Customers:
    """Stop a worker between claim and write until its terminal has a new owner."""
    terminal = await begun(world, workers=2)
    terminal.connect_seconds = 3.0
    first = pays(world, "ORDER_1")
    await until(lambda: ids(world) and world.store.state(ids(world)[0]) == "in_session")
    stopped = worker_of(world, 0)
    stop(world, stopped)
    terminal.connect_seconds = 0.0
    await until(lambda: world.store.state(ids(world)[0]) == "in_doubt")
    await until(lambda: world.store.holder(terminal.terminal_address) is None)
    second = pays(world, "ORDER_2")
    await until(lambda: world.store.holder(terminal.terminal_address))
    stopped.process.resume()
    await asyncio.sleep(30)
    return [first, second]


async def result_stored_twice(world: World) -> Customers:
    """Store a result twice, the second time while the next payment holds the terminal."""
    terminal = begin(world, workers=2)
    # The terminal's capabilities are known: no identification follows, and the result frees it.
    await asyncio.sleep(1)
    before = pays(world, "ORDER_0")
    await identified(world)
    customers = [before, pays(world, "ORDER_1")]
    await until(lambda: len(ids(world)) == 2 and world.store.state(ids(world)[1]) == "in_session")
    world.store.doomed.append(("UPDATE terminal_locks SET held_by = NULL", "done"))
    customers += [pays(world, "ORDER_2"), pays(world, "ORDER_3")]
    # Its worker is slow to reach the database again: the sweep of another one is faster.
    slow = worker_of(world, 1)
    await until(lambda: not world.store.doomed)
    stop(world, slow)
    await until(
        lambda: (
            world.store.holder(terminal.terminal_address)
            and world.store.holder(terminal.terminal_address) != ids(world)[1]
        )
    )
    slow.process.resume()
    await asyncio.sleep(40)
    return customers


async def claimed_by_another_after_a_lost_commit(world: World) -> Customers:
    """Lose a claim that was not carried out, while another worker claims the payment."""
    await begun(world, workers=2)
    world.faults.doubled_messages = 1.0
    world.store.doomed.append(("UPDATE terminal_locks SET held_by = :payment_id", "undone"))
    customer = pays(world, "ORDER_1")
    await asyncio.sleep(30)
    return [customer]


async def proved_while_it_is_asked(world: World) -> Customers:
    """Settle a doubt by the gateway while its enquiry runs and another payment waits."""
    terminal = await begun(world, workers=1, kind=Kind(backlog=True))
    terminal.wire_faults.append("connection lost at once")
    terminal.behaviours.appendleft(Behaviour(delay_seconds=1))
    first = pays(world, "ORDER_1")
    await until(lambda: world.ledger.charges)
    terminal.freeze(60)
    await until(lambda: any(note.action == "3" and note.wire.is_open for note in world.ledger.written))
    second = pays(world, "ORDER_2")
    world.interventions.report(ids(world)[0])
    await asyncio.sleep(20)
    return [first, second]


ALL_HISTORIES: dict[str, PlacedHistory] = {
    "sweep off": PlacedHistory(no_sweep, message_lost_and_its_api_dead),
    "non-completion concluded from an enquiry": PlacedHistory(
        not_charged_by_enquiry, enquired_aside_while_the_request_waits
    ),
    "no write window": PlacedHistory(no_write_window, paused_before_its_write),
    "epoch not raised at the claim": PlacedHistory(no_epoch, result_stored_twice),
    "a lost claim read back without its token": PlacedHistory(
        read_back_without_token, claimed_by_another_after_a_lost_commit
    ),
    "a release during an enquiry": PlacedHistory(released_while_enquiring, proved_while_it_is_asked),
    **BYTE_HISTORIES,
    **LEASE_HISTORIES,
    **RESULT_HISTORIES,
    **REQUEST_HISTORIES,
    **NOTIFICATION_HISTORIES,
    **BUG_HISTORIES,
}
