"""Notifier worker that is killed or stopped at each step of a delivery, while another one runs."""

import asyncio
import itertools
import json
from typing import Final

import pytest
from orders import order_for
from payments import in_doubt, prove
from running.fault_runs import (
    BOTH,
    KILL,
    NOTIFIER_READY_LINE,
    STOP,
    Fault,
    Staged,
    never_left_stopped,
    restart,
    runs,
    start_faulty,
    struck,
)

from sandbox.servers.start import RunningServer
from shared.payment.states import Event
from shared.storage.db.engine import Database
from tests.faults.subscribers import Scene, notified_stage

#: Number of payments before a fault, and after it; each has three events.
PAYMENTS: Final = 8

KILLED: Final = (
    Fault("claimed", KILL, sample=("sqlite",)),
    Fault("sent", KILL, sample=("postgresql",)),
    Fault("stored", KILL),
)
STOPPED: Final = tuple(Fault(case.step, STOP) for case in KILLED)

_numbers = itertools.count(1)


@pytest.mark.parametrize(("case", "dialect"), [*runs(KILLED, *BOTH), *runs(STOPPED, "postgresql")])
async def test_a_notifier_struck_at_any_step_loses_no_event_and_invents_none(
    case: Fault, staged: Staged
) -> None:
    """The other one sends what was leased; repeats have the same id; each payment's order holds."""
    async with notified_stage(staged) as scene:
        await _strike(scene, case)


@pytest.mark.full_faults
@pytest.mark.parametrize(("case", "dialect"), runs(KILLED, *BOTH))
async def test_a_notifier_and_then_the_broker_are_killed_and_no_event_is_lost(
    case: Fault, staged_on_own_broker: Staged, own_broker: RunningServer
) -> None:
    """Events during the broker's outage arrive once it is back."""
    async with notified_stage(staged_on_own_broker) as scene:
        await _strike(scene, case, own_broker)


async def _strike(scene: Scene, case: Fault, broker: RunningServer | None = None) -> None:
    """Two notifiers share the work and one is struck; `broker` is killed as well, and started again."""
    database = (await scene.system.api()).database
    faulty = await start_faulty(scene.fleet, "notifier-worker", case.step, case.fault)
    other = await scene.fleet.start("notifier-worker")
    for process in (faulty, other):
        await process.logged(NOTIFIER_READY_LINE)

    with never_left_stopped(faulty):
        await _news(database, scene.login.merchant_id)
        await struck(faulty, case.fault)
        if broker is None:
            await _news(database, scene.login.merchant_id)
        else:
            await restart(broker, meanwhile=_news(database, scene.login.merchant_id))
        await scene.grace_passes()
        await scene.all_delivered()
    if case.fault is STOP:
        faulty.terminate()
        assert await faulty.ended() == 0

    assert len(await scene.system.payments()) == 2 * PAYMENTS
    assert len(await scene.system.all_of("events")) == 3 * 2 * PAYMENTS
    await scene.check_received()
    if case.step == "sent":
        # It had arrived, and nobody knew: it was sent once more.
        assert sum(subscriber.repeats for subscriber in scene.subscribers) > 0


async def _news(database: Database, merchant_id: str | None) -> None:
    """Make payments with three events each: a doubt, its proof, and conflicting evidence."""

    async def thrice(number: int) -> None:
        claimed = await in_doubt(
            database,
            merchant_id=merchant_id,
            order_id=f"order-{number}",
            port=number,
            terminal_address=f"127.0.0.9:{number}",
            request=json.dumps(order_for("127.0.0.9")),
            notifies_hipay=True,
            reply_to=None,
        )
        for proof in (Event.PROVED_DONE, Event.PROVED_ABORTED):
            await prove(database, claimed.payment.id, proof)

    await asyncio.gather(*(thrice(next(_numbers)) for _ in range(PAYMENTS)))
