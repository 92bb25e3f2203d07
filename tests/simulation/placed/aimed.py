"""Histories with their faults placed by hand: one for each mistake that chance would rarely show."""

import asyncio

from sandbox.terminal.script.behaviour import Behaviour
from tests.simulation.mistakes.mistakes import (
    freed_while_enquiring,
    no_epoch,
    no_sweep,
    no_write_window,
    not_charged_by_enquiry,
    read_back_without_token,
)
from tests.simulation.model.terminal import Kind
from tests.simulation.placed.aimed_bytes import BYTES
from tests.simulation.placed.aimed_held import HELD
from tests.simulation.placed.aimed_kept import KEPT
from tests.simulation.placed.aimed_requests import REQUESTS
from tests.simulation.placed.aimed_told import TOLD
from tests.simulation.placed.found import FOUND
from tests.simulation.placed.placing import Aim, Customers, begin, ids, pays, stop, until, worker_of
from tests.simulation.world import World


async def message_lost_and_its_api_dead(world: World) -> Customers:
    """Stored, never published, and nobody waits: only the sweep knows of it."""
    begin(world, workers=1)
    world.faults.lost_publishes = 1.0
    customer = pays(world, "ORDER_1")
    await until(lambda: ids(world))
    world.apis[0].process.kill()
    await asyncio.sleep(1)
    return [customer]


async def enquired_aside_while_the_request_waits(world: World) -> Customers:
    """Two connections: the enquiry is answered, the old request is read afterwards."""
    terminal = begin(world, workers=2, kind=Kind(backlog=True, enquires_aside=True))
    await asyncio.sleep(1)
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
    """A worker is stopped between claim and write until its line is somebody else's."""
    terminal = begin(world, workers=2)
    await asyncio.sleep(1)
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


async def outcome_stored_twice(world: World) -> Customers:
    """A settled outcome whose answer was lost is stored again while the line is the next payment's."""
    terminal = begin(world, workers=2)
    # What this line answers is known: no identification follows, and the outcome frees it.
    await asyncio.sleep(1)
    before = pays(world, "ORDER_0")
    await until(lambda: world.store.rows("SELECT 1 FROM terminal_locks WHERE identifies AND held_by IS NULL"))
    customers = [before, pays(world, "ORDER_1")]
    await until(lambda: len(ids(world)) == 2 and world.store.state(ids(world)[1]) == "in_session")
    world.store.doomed.append(("UPDATE terminal_locks SET held_by = NULL", "done"))
    customers += [pays(world, "ORDER_2"), pays(world, "ORDER_3")]
    # Its worker's way back to the database is slow: the sweep of another one is faster.
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
    """A claim's answer is lost and it was not carried out; meanwhile another worker claims the payment."""
    begin(world, workers=2)
    await asyncio.sleep(1)
    world.faults.doubled_messages = 1.0
    world.store.doomed.append(("UPDATE terminal_locks SET held_by = :payment_id", "undone"))
    customer = pays(world, "ORDER_1")
    await asyncio.sleep(30)
    return [customer]


async def proved_while_it_is_asked(world: World) -> Customers:
    """The gateway settles a doubt while its enquiry waits for an answer, and another payment waits."""
    terminal = begin(world, workers=1, kind=Kind(backlog=True))
    await asyncio.sleep(1)
    terminal.wire_faults.append("connection lost at once")
    terminal.behaviours.appendleft(Behaviour(delay_seconds=1))
    first = pays(world, "ORDER_1")
    await until(lambda: world.ledger.charges)
    terminal.freeze(60)
    await until(lambda: any(note.action == "3" and note.wire.is_open for note in world.ledger.written))
    second = pays(world, "ORDER_2")
    world.people.report(ids(world)[0])
    await asyncio.sleep(20)
    return [first, second]


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
    **BYTES,
    **HELD,
    **KEPT,
    **REQUESTS,
    **TOLD,
    **FOUND,
}
