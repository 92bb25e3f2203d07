"""Placed history of notifications."""

import asyncio

from tests.simulation.mistakes.notification_mistakes import delivered_in_any_order, event_with_state_of_now
from tests.simulation.model.terminal import Kind
from tests.simulation.placed.placed_history import Customers, PlacedHistory, begin, ids, pays, state, until
from tests.simulation.world import World


async def doubt_notified_after_its_end(world: World) -> Customers:
    """Lose the wake-up of a doubt; that of its end comes before the sweep."""
    world.add_notified(1)
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
    world.interventions.report(ids(world)[0])
    await asyncio.sleep(30)
    return [first]


NOTIFICATION_HISTORIES: dict[str, PlacedHistory] = {
    "deliveries in any order": PlacedHistory(delivered_in_any_order, doubt_notified_after_its_end),
    "an event with the state of now": PlacedHistory(event_with_state_of_now, doubt_notified_after_its_end),
}
