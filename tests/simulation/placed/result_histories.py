"""Placed histories in which only one worker knows a result."""

import asyncio

from sandbox.terminal.script.behaviour import Behaviour
from tests.simulation.engine.limits import SETTINGS
from tests.simulation.mistakes.result_mistakes import (
    drained_without_grace,
    given_up_at_the_unexpected,
    stopped_while_it_listens,
)
from tests.simulation.model.terminal import Kind
from tests.simulation.placed.placed_history import (
    Customers,
    PlacedHistory,
    begun,
    pays,
    state,
    until,
    worker_of,
)
from tests.simulation.world import World


async def stopped_while_the_database_is_away(world: World) -> Customers:
    """Answer a worker that ends while the database is unavailable, for less than its grace."""
    terminal = await begun(world, workers=2, kind=Kind(enquiry="refuses"))
    answered_after = SETTINGS.answer_timeout_seconds - 1
    terminal.behaviours.appendleft(Behaviour(delay_seconds=answered_after))
    first = pays(world, "ORDER_1")
    await until(lambda: world.ledger.written)
    worker_of(world, 0).stop()
    stopped_at = world.stage.now
    await asyncio.sleep(answered_after - 1)
    world.store.is_unavailable = True
    back_at = stopped_at + SETTINGS.worker_drain_seconds + SETTINGS.storing_grace_seconds / 2
    await asyncio.sleep(back_at - world.stage.now)
    world.store.is_unavailable = False
    await asyncio.sleep(30)
    return [first]


async def asleep_while_its_answer_comes(world: World) -> Customers:
    """Pause a worker that is to end past its answer's time-out; the answer is there when it wakes."""
    terminal = await begun(world, workers=1, kind=Kind(enquiry="refuses"))
    terminal.behaviours.appendleft(Behaviour(delay_seconds=5, keeps_open=True))
    first = pays(world, "ORDER_1")
    await until(lambda: terminal.open_requests)
    worker = worker_of(world, 0)
    worker.process.pause()
    worker.stop()
    await asyncio.sleep(SETTINGS.answer_timeout_seconds + 5)
    worker.process.resume()
    await until(lambda: state(world, 0) != "in_session")
    return [first]


async def result_refused(world: World) -> Customers:
    """Refuse the statement that stores a result with an unexpected error."""
    terminal = await begun(world, workers=2, kind=Kind(enquiry="refuses"))
    first = pays(world, "ORDER_1")
    await until(lambda: terminal.open_requests)
    world.store.refused.append(("UPDATE payments SET state = ", "XX000"))
    await until(lambda: not world.store.refused)
    await asyncio.sleep(30)
    return [first]


RESULT_HISTORIES: dict[str, PlacedHistory] = {
    "a result given up at an unexpected error": PlacedHistory(given_up_at_the_unexpected, result_refused),
    "a drain without grace": PlacedHistory(drained_without_grace, stopped_while_the_database_is_away),
    "an end that does not wait for an answer's silence": PlacedHistory(
        stopped_while_it_listens, asleep_while_its_answer_comes
    ),
}
