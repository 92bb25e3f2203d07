"""Placed histories around leases and around the proofs of their payments."""

import asyncio
import math

from sandbox.terminal.script.behaviour import Behaviour
from shared.storage.payments.operators import Decision
from tests.simulation.engine.limits import SETTINGS
from tests.simulation.mistakes.lease_mistakes import (
    counter_not_compared,
    debit_left_open,
    early_proofs_forgotten,
    enquired_at_any_time,
    not_taken_back,
    order_left_open,
    released_after_takeover,
    released_at_once,
    token_kept_after_the_claim,
)
from tests.simulation.model.terminal import Kind
from tests.simulation.placed.placed_history import (
    Customers,
    PlacedHistory,
    begin,
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

_CLAIM = "UPDATE terminal_locks SET held_by = :payment_id"
_BEATS_SECONDS = 1.3 * SETTINGS.heartbeat_seconds


def _beats(world: World, worker: str) -> int:
    found = world.store.files.heartbeats.reader.execute("SELECT counter FROM workers WHERE id = ?", (worker,))
    row = found.fetchone()
    return 0 if row is None else row[0]


async def _beat_of(world: World, worker: str) -> None:
    """Wait for a worker's next heartbeat."""
    before = _beats(world, worker)
    await until(lambda: _beats(world, worker) > before)


async def probed_by_a_worker_that_sleeps(world: World) -> Customers:
    """Stop a probe's worker before it writes; it wakes after the takeover, within its write window."""
    terminal = begin(world, workers=1)
    await asyncio.sleep(0.4)  # so that the second one looks shortly after each beat of the first
    probing = world.workers[0]
    terminal.connect_seconds = 4.0
    new_owner = world.start_worker()
    await asyncio.sleep(1)
    await _beat_of(world, probing.id)
    # Just before its next heartbeat.
    await asyncio.sleep(SETTINGS.heartbeat_seconds - 0.4)
    world.broker.stop_consuming(new_owner.process)
    world.interventions.probe(terminal.terminal_address)
    await until(lambda: world.store.holder(terminal.terminal_address))
    stop(world, probing)
    terminal.connect_seconds = 0.0
    world.broker.limit(new_owner.process, SETTINGS.session_limit)
    began_at = world.stage.now
    first = pays(world, "ORDER_1")
    await asyncio.sleep(began_at + SETTINGS.write_window_seconds - 0.7 - world.stage.now)
    probing.process.resume()
    await asyncio.sleep(40)
    return [first]


async def woken_before_it_is_taken_over(world: World) -> Customers:
    """Wake a worker while the one that found it stale is about to take over."""
    terminal = await begun(world, workers=2)
    terminal.behaviours.appendleft(Behaviour(delay_seconds=30))
    first = pays(world, "ORDER_1")
    await until(lambda: ids(world) and _written(world, ids(world)[0]))
    sleeper = worker_of(world, 0)
    await _beat_of(world, sleeper.id)
    stop(world, sleeper)
    looks = math.ceil(SETTINGS.worker_stale_seconds / SETTINGS.heartbeat_seconds)
    for _ in range(looks):
        await _look_at_counters(world, answered_after=0.0)
    # The next look finds it stale. Before the answer is there, the stopped worker wakes and beats.
    await _look_at_counters(world, answered_after=1.5)
    sleeper.process.resume()
    await asyncio.sleep(30)
    return [first]


async def _look_at_counters(world: World, *, answered_after: float) -> None:
    world.store.delayed.append(("SELECT id, counter FROM workers", answered_after))
    await until(lambda: not world.store.delayed)


async def asleep_before_its_enquiry(world: World) -> Customers:
    """Stop a worker between its look and its enquiry; it wakes in another's session."""
    terminal = await begun(world, workers=2, kind=Kind(request_seconds=600))
    terminal.wire_faults.append("connection lost at once")
    terminal.behaviours.appendleft(Behaviour(delay_seconds=1))
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "in_doubt")
    world.store.delayed.append(("SELECT address FROM terminal_locks WHERE address", 1.0))
    await until(lambda: not world.store.delayed)
    enquirer = worker_of(world, 0)
    stop(world, enquirer)
    world.interventions.report(ids(world)[0])
    await until(lambda: world.store.holder(terminal.terminal_address) is None)
    second = pays(world, "ORDER_2")
    await until(lambda: len(ids(world)) > 1 and _written(world, ids(world)[1]))
    enquirer.process.resume()
    await asyncio.sleep(30)
    return [first, second]


def _written(world: World, payment_id: str) -> bool:
    return any(note.payment_id == payment_id for note in world.ledger.written)


async def proved_after_it_was_denied(world: World) -> Customers:
    """Decide that nothing was charged, prove by the gateway that it was, and send the order again."""
    terminal = await begun(world, workers=1, kind=Kind(enquiry="refuses"))
    terminal.wire_faults.append("connection lost at once")
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "in_doubt")
    await asyncio.sleep(SETTINGS.doubt_window_seconds + 5)
    world.interventions.decide(ids(world)[0], Decision.NOT_CHARGED)
    await until(lambda: state(world, 0) == "aborted")
    world.interventions.report(ids(world)[0])
    await until(lambda: world.store.rows("SELECT 1 FROM payments WHERE contradicted"))
    again = pays(world, "ORDER_1")
    await asyncio.sleep(30)
    return [first, again]


async def reversed_although_it_was_denied(world: World) -> Customers:
    """Do the same with a reversal, and send its debit again."""
    terminal = await begun(world, workers=1, kind=Kind(enquiry="refuses"))
    paid = pays(world, "ORDER_1")
    await until(lambda: state(world, 0) == "succeeded")
    await until(lambda: world.store.holder(terminal.terminal_address) is None)
    terminal.wire_faults.append("connection lost at once")
    given_back = pays(world, "ORDER_1", operation="reversal")
    await until(lambda: state(world, 1) == "in_doubt")
    await asyncio.sleep(SETTINGS.doubt_window_seconds + 5)
    world.interventions.decide(ids(world)[1], Decision.NOT_CHARGED)
    await until(lambda: state(world, 1) == "aborted")
    world.interventions.report(ids(world)[1])
    await until(lambda: world.store.rows("SELECT 1 FROM payments WHERE contradicted"))
    again = pays(world, "ORDER_1")
    await asyncio.sleep(10)
    return [paid, given_back, again]


async def proved_before_its_doubt(world: World) -> Customers:
    """Prove a payment by the gateway while its session waits for an answer that never comes."""
    terminal = await begun(world, workers=1, kind=Kind(enquiry="refuses"))
    terminal.wire_faults.append("answer lost, connection silent")
    first = pays(world, "ORDER_1")
    await until(lambda: world.ledger.charges)
    world.interventions.report(ids(world)[0])
    await until(lambda: state(world, 0) not in ("queued", "in_session"))
    return [first]


async def asked_for_while_the_request_is_under_way(world: World) -> Customers:
    """Lose the connection, deliver the request late, and ask for the early release at once."""
    terminal = await begun(world, workers=1)
    before = pays(world, "ORDER_0")
    await identified(world)
    terminal.wire_faults.append("connection lost, request read late")
    first = pays(world, "ORDER_1")
    await until(lambda: state(world, 1) == "in_doubt")
    second = pays(world, "ORDER_2")
    world.interventions.ask_for_terminal(ids(world)[1])
    await asyncio.sleep(60)
    return [before, first, second]


async def claim_ended_by_an_error(world: World) -> Customers:
    """Lose a claim's answer, and end its next try with an unexpected error."""
    await begun(world, workers=1)
    world.store.doomed.append((_CLAIM, "done"))
    first = pays(world, "ORDER_1")
    await until(lambda: not world.store.doomed)
    world.store.refused.append((_CLAIM, "XX000"))
    world.faults.count("statement refused, XX000")
    await until(lambda: not world.store.refused)
    return [first]


async def claim_read_back_late(world: World) -> Customers:
    """Lose a claim's answer, and read it back later than a heartbeat; its customer is slow."""
    terminal = await begun(world, workers=1)
    terminal.behaviours.appendleft(Behaviour(delay_seconds=35))
    world.store.doomed.append((_CLAIM, "done"))
    world.store.delayed.append(("identify_first FROM terminal_locks WHERE held_by", _BEATS_SECONDS))
    return [pays(world, "ORDER_1")]


LEASE_HISTORIES: dict[str, PlacedHistory] = {
    "a release right after a takeover": PlacedHistory(
        released_after_takeover, probed_by_a_worker_that_sleeps
    ),
    "a takeover that does not compare the counter": PlacedHistory(
        counter_not_compared, woken_before_it_is_taken_over
    ),
    "an enquiry written however late": PlacedHistory(enquired_at_any_time, asleep_before_its_enquiry),
    "conflicting evidence that leaves its order open": PlacedHistory(
        order_left_open, proved_after_it_was_denied
    ),
    "conflicting evidence of a reversal that leaves its debit open": PlacedHistory(
        debit_left_open, reversed_although_it_was_denied
    ),
    "evidence from before the doubt forgotten": PlacedHistory(
        early_proofs_forgotten, proved_before_its_doubt
    ),
    "an early release at once": PlacedHistory(released_at_once, asked_for_while_the_request_is_under_way),
    "a lock of one's own that is not taken back": PlacedHistory(not_taken_back, claim_ended_by_an_error),
    "a token that is kept after the claim": PlacedHistory(token_kept_after_the_claim, claim_read_back_late),
}
