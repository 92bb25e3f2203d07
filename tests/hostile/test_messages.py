"""Forged messages in every queue: no process ends, and the payments and notifications go on."""

import asyncio
import json
from collections.abc import Iterator

import aiormq
import pytest
from eventually import eventually
from loopback import terminal_host
from payments import rows
from running.attacks import Target
from running.fault_runs import NOTIFIER_READY_LINE, READY_LINE
from running.fleet import Process
from wire.endpoints import add_endpoint
from wire.webhook_receiver import receiving
from wire.webhooks import LOCAL

from sandbox.terminal.device.session_log import charged_twice
from sandbox.terminal.server.server import VirtualTerminal
from shared.broker.connections import topology_of

#: Messages of each form, to each queue, in rounds: a broker under full load would be slow for all, which
#: is another subject.
TIMES = 20
PAUSE_SECONDS = 0.5
PAYMENTS = 5
MEGABYTES = 40


@pytest.fixture
def more_settings() -> dict[str, object]:
    return {name: tuple(given) if isinstance(given, list) else given for name, given in LOCAL.items()}


def forged() -> Iterator[bytes]:
    """Return bodies that are no message of ours, or one about something that cannot be."""
    yield from (b"", b"\xff\xfe", b"[" * 4000, b"null", b"{}", b"1" * 5000, b"x" * 1_000_000)
    for name in ("\ud800", "pay_\x00", "x" * 3000, "pay_01", 7, None, ["pay_01"]):
        yield json.dumps({"v": 1, "type": "payment", "payment_id": name, "reply_to": name}).encode()
        yield json.dumps({"v": 1, "type": "probe", "probe_id": name, "reply_to": name}).encode()
        yield json.dumps({"v": 1, "type": "reply", "payment_id": name, "state": name}).encode()
        for kind in ("hipay", "merchant"):
            yield json.dumps(
                {"v": 1, "type": "notification", "kind": kind, "delivery_id": name, "target": name}
            ).encode()


async def publish(url: str, queues: list[str]) -> int:
    """Publish all of them to all queues; return how many."""
    connection = await aiormq.connect(url)
    bodies = list(forged())
    try:
        channel = await connection.channel()
        for _ in range(TIMES):
            await asyncio.gather(
                *(channel.basic_publish(body, routing_key=queue) for body in bodies for queue in queues)
            )
            await asyncio.sleep(PAUSE_SECONDS)
    finally:
        await connection.close()
    return len(bodies) * len(queues) * TIMES


async def test_forged_messages_end_no_process_and_hold_nobody_up(target: Target) -> None:
    """Meanwhile payments are paid and notified, and nothing of it is lost afterwards."""
    worker = await target.start("terminal-worker", READY_LINE)
    notifier = await target.start("notifier-worker", NOTIFIER_READY_LINE)
    system, topology = target.system, topology_of(target.system.settings)
    host = terminal_host()
    async with target.pos() as pos, receiving() as hooks, VirtualTerminal(host) as terminal:
        await add_endpoint(system.database, system.settings, pos.login.merchant_id, hooks.url)
        assert (await pos.pay(host)).status_code == 200
        (first,) = await system.payments()
        queues = [topology.payments, *map(topology.notifications, ("hipay", "merchant")), first.reply_to]

        async with target.attacked("forged messages in every queue", victim=notifier) as bystander:
            url = system.settings.require_amqp_url()
            publishing = asyncio.create_task(publish(url, queues))
            for _ in range(PAYMENTS):
                paid = await pos.pay(host)
                assert paid.json()["payment"]["state"] == "succeeded", paid.text
            number = await publishing
            assert (await pos.pay(host)).json()["payment"]["state"] == "succeeded"

            async def all_notified() -> bool:
                waiting = "SELECT count(*) AS number FROM deliveries WHERE state <> 'delivered'"
                (found,) = await rows(system.database, waiting)
                return not found.number

            await eventually(all_notified, within_seconds=120)

    target.print_line(f"  {number} messages; {PAYMENTS + 2} payments, {len(hooks.received)} webhooks")
    assert not charged_twice(terminal.records)
    assert [payment.state for payment in await system.payments()] == ["succeeded"] * (PAYMENTS + 2)
    assert bystander.megabytes < MEGABYTES
    assert all(map(is_running, (target.process, worker, notifier)))


def is_running(process: Process) -> bool:
    return process.exit_code is None
