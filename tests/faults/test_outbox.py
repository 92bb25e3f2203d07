"""Process that dies right after a commit: the notifications of that commit are sent all the same."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import httpx
import pytest
from eventually import eventually
from running.broker_parts import BrokerParts
from running.fault_runs import (
    API_READY_LINE,
    BOTH,
    KILL,
    NOTIFIER_READY_LINE,
    READY_LINE,
    Fault,
    Staged,
    restart,
    runs,
    start_faulty,
    struck,
)
from running.fleet import Process
from system import Pos
from wire.shop_terminal import shop_terminal

from sandbox.servers.start import RunningServer
from sandbox.terminal.script.behaviour import Behaviour
from shared.notification.kinds import HIPAY, MERCHANT
from tests.faults.subscribers import Scene, notified_stage


@dataclass(frozen=True)
class Case(Fault):
    """Process that dies, and the kind of deliveries that it has committed by then."""

    verb: str
    kind: str

    @property
    def id(self) -> str:
        return f"{self.verb}-{self.step}"


CASES: Final = (
    Case("before_waking", KILL, "api", HIPAY, sample=("postgresql",)),
    Case("after_insert", KILL, "api", HIPAY),
    Case("before_waking", KILL, "terminal-worker", MERCHANT, sample=("sqlite",)),
    Case("after_commit", KILL, "terminal-worker", MERCHANT),
)
#: Cases in which the broker certainly has no message.
UNTOLD: Final = tuple(case for case in CASES if case.step == "before_waking")


@pytest.mark.parametrize(("case", "dialect"), runs(CASES, *BOTH))
async def test_what_a_killed_process_had_committed_is_notified(case: Case, staged: Staged) -> None:
    """A notifier finds deliveries without a wake-up in the database: HiPay's order, the merchant's event."""
    async with notified_stage(staged) as scene:
        await _strike(scene, case)


@pytest.mark.full_faults
@pytest.mark.parametrize(("case", "dialect"), runs(UNTOLD, *BOTH))
async def test_it_is_notified_after_the_brokers_death_as_well(
    case: Case, staged_on_own_broker: Staged, own_broker: RunningServer
) -> None:
    """The broker has no message, the database has the deliveries."""
    async with notified_stage(staged_on_own_broker) as scene:
        await _strike(scene, case, own_broker)


async def _strike(scene: Scene, case: Case, broker: RunningServer | None = None) -> None:
    """Kill a payment's API or worker; kill and restart `broker` as well."""
    faulty = await start_faulty(scene.fleet, case.verb, case.step, case.fault)
    async with shop_terminal(Behaviour()) as terminal, httpx.AsyncClient(timeout=60) as client:
        if case.verb == "api":
            with pytest.raises(httpx.TransportError):
                await (await _pos_of(faulty, scene, client)).pay(terminal.host)
        else:
            api = await scene.system.api()
            await faulty.logged(READY_LINE)
            answered = await Pos(api.client, scene.login).pay(terminal.host)
            assert answered.json().get("paymentStatus") == "Success", answered.text
        await struck(faulty, case.fault)
        await _check_waiting(scene, case)

        if broker is not None:
            await restart(broker)
        if case.verb == "api":
            await scene.system.worker()
        await eventually(lambda: _is_paid(scene), within_seconds=30)
        notifier = await scene.fleet.start("notifier-worker")
        await notifier.logged(NOTIFIER_READY_LINE)
        await scene.grace_passes()
        await scene.all_delivered()

    assert [row.type for row in await scene.system.all_of("events")] == ["payment.succeeded"]
    assert len(scene.hipay.first_received()) == 1
    await scene.check_received()


async def _pos_of(api: Process, scene: Scene, client: httpx.AsyncClient) -> Pos:
    port = (await api.logged(API_READY_LINE))["port"]
    return Pos(client, scene.login, f"http://127.0.0.1:{port}")


async def _check_waiting(scene: Scene, case: Case) -> None:
    """Check that the deliveries are stored, and that the broker certainly has no message of them."""
    kept = [row.state for row in await scene.system.all_of("deliveries") if row.kind == case.kind]
    assert set(kept) == {"waiting"}
    if case.step != "before_waking":
        return  # the broker may have the message, or not
    settings = scene.system.settings
    async with AsyncExitStack() as stack:
        parts = BrokerParts(settings.require_amqp_url(), settings.amqp_prefix, stack)
        assert await parts.waiting_in(scene.system.topology.notifications(case.kind)) == 0


async def _is_paid(scene: Scene) -> bool:
    return [row.state for row in await scene.system.payments()] == ["succeeded"]
