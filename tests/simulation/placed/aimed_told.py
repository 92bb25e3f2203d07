"""A placed history of what others are told."""

import asyncio

from tests.simulation.mistakes.told import told_as_it_is_now, told_in_any_order
from tests.simulation.model.terminal import Kind
from tests.simulation.placed.placing import Aim, Customers, begin, ids, pays, state, until
from tests.simulation.world import World


async def doubt_told_after_its_end(world: World) -> Customers:
    """The wake-up of a doubt is lost; that of its end comes before anybody looks for the first."""
    world.tell_others(1)
    terminal = begin(world, workers=1, kind=Kind(enquiry="refuses"))
    world.start_notifier()
    await asyncio.sleep(1)
    terminal.wire_faults.append("connection lost at once")
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "in_session")
    world.faults.lost_publishes = 1.0
    await until(lambda: state(world, 0) == "in_doubt")
    await asyncio.sleep(1)
    world.faults.lost_publishes = 0.0
    await until(lambda: world.ledger.charges)
    world.people.report(ids(world)[0])
    await asyncio.sleep(30)
    return [first]


TOLD: dict[str, Aim] = {
    "deliveries in any order": Aim(told_in_any_order, doubt_told_after_its_end),
    "an event that tells what is so now": Aim(told_as_it_is_now, doubt_told_after_its_end),
}
