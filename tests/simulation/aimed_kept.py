"""A placed history of a worker that ends while only it knows an outcome."""

import asyncio

from sandbox.terminal.behaviour import Behaviour
from tests.simulation.limits import SETTINGS
from tests.simulation.mistakes_kept import drained_without_grace
from tests.simulation.placing import Aim, Customers, begin, pays, until, worker_of
from tests.simulation.terminal import Kind
from tests.simulation.world import World


async def stopped_while_the_database_is_away(world: World) -> Customers:
    """The answer comes to a worker that ends; the database is back within its grace."""
    terminal = begin(world, workers=2, kind=Kind(enquiry="refuses"))
    await asyncio.sleep(1)
    answered_after = SETTINGS.answer_timeout_seconds - 1
    terminal.behaviours.appendleft(Behaviour(delay_seconds=answered_after))
    first = pays(world, "ORDER_1")
    await until(lambda: world.ledger.written)
    worker_of(world, 0).stop()
    stopped_at = world.stage.now
    await asyncio.sleep(answered_after - 1)
    world.store.is_away = True
    back_at = stopped_at + SETTINGS.worker_drain_seconds + SETTINGS.storing_grace_seconds / 2
    await asyncio.sleep(back_at - world.stage.now)
    world.store.is_away = False
    await asyncio.sleep(30)
    return [first]


KEPT: dict[str, Aim] = {
    "a drain without grace": Aim(drained_without_grace, stopped_while_the_database_is_away),
}
