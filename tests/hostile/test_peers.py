"""Terminals and receivers of one merchant that never end or answer: another one pays and hears of it."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable

import httpx
import pytest
from eventually import eventually
from loopback import terminal_host
from orders import order_for
from running.attacks import Target
from running.fault_runs import NOTIFIER_READY_LINE, READY_LINE
from running.hostile_peers import hostile_peers
from wire.endpoints import add_endpoint
from wire.webhook_receiver import receiving
from wire.webhooks import LOCAL

from sandbox.terminal.server.server import VirtualTerminal

TERMINALS_EACH = 4
RECEIVERS_EACH = 3
#: Payments of the other merchant while the attack goes on.
PAYMENTS = 30
TESTS_OF_AN_ENDPOINT = 5
PAID_WITHIN_SECONDS = 5
HEARD_WITHIN_SECONDS = 5
MEGABYTES = 40


@pytest.fixture
def more_settings() -> dict[str, object]:
    return {
        **{name: tuple(given) if isinstance(given, list) else given for name, given in LOCAL.items()},
        "endpoint_tests_burst": 1_000_000,
    }


async def _timed(work: Callable[[], Awaitable[None]]) -> list[float]:
    """Return how long each of the payments took, the slowest last."""
    seconds = []
    for _ in range(PAYMENTS):
        began = time.perf_counter()
        await work()
        seconds.append(time.perf_counter() - began)
        await asyncio.sleep(0.1)
    return sorted(seconds)


async def test_terminals_that_never_end_hold_no_other_payment_up(target: Target) -> None:
    """Floods, drips, silence, at forty terminals at once; none of them is called paid."""
    worker = await target.start("terminal-worker", READY_LINE)
    host = terminal_host()
    async with (
        target.pos() as attacker,
        target.pos() as shop,
        hostile_peers("terminals", TERMINALS_EACH) as ports,
        VirtualTerminal(host),
    ):

        async def pay() -> None:
            paid = await shop.pay(host)
            assert paid.json()["payment"]["state"] == "succeeded", paid.text

        async with target.attacked("hostile terminals", victim=worker) as bystander:
            for port in [port for behaviour in ports.values() for port in behaviour]:
                order = order_for("127.0.0.1")
                order["pos_technical_info"]["host_information"]["port"] = port
                accepted = await attacker.send(order, {"Prefer": "respond-async"})
                assert accepted.status_code == 202, accepted.text
            seconds = await _timed(pay)

        states = Counter(payment.state for payment in await target.system.payments())

    shown = ", ".join(f"{state}: {number}" for state, number in sorted(states.items()))
    target.print_line(f"  {shown}; meanwhile {PAYMENTS} payments, slowest {seconds[-1]:.2f} s")
    assert states["succeeded"] == PAYMENTS
    assert seconds[-1] < PAID_WITHIN_SECONDS
    assert bystander.megabytes < MEGABYTES
    assert worker.exit_code is None


async def test_receivers_that_never_end_hold_no_other_webhook_up(target: Target) -> None:
    """Endless headers, bodies and interim answers, redirects inwards, silence, at 33 endpoints at once."""
    await target.start("terminal-worker", READY_LINE)
    notifier = await target.start("notifier-worker", NOTIFIER_READY_LINE)
    system, host = target.system, terminal_host()
    async with (
        target.pos() as attacker,
        target.pos() as shop,
        hostile_peers("receivers", RECEIVERS_EACH) as ports,
        receiving() as hooks,
        VirtualTerminal(host),
    ):
        await add_endpoint(system.database, system.settings, shop.login.merchant_id, hooks.url)
        tests = [
            f"{attacker.base_url}/v1/webhooks/endpoints/{endpoint.id}/test"
            for behaviour in ports.values()
            for port in behaviour
            for endpoint in [
                await add_endpoint(
                    system.database, system.settings, attacker.login.merchant_id, f"http://127.0.0.1:{port}/"
                )
            ]
        ]

        async def attack() -> None:
            for url in tests * TESTS_OF_AN_ENDPOINT:
                answered = await attacker.client.post(url, headers=attacker.login.headers)
                assert answered.status_code == 202, answered.text

        async def pay_and_hear() -> None:
            paid: httpx.Response = await shop.pay(host)
            payment_id = paid.json()["payment"]["id"]

            async def is_heard() -> bool:
                return any(payment_id in json.dumps(body) for body in hooks.bodies("payment.succeeded"))

            await eventually(is_heard)

        async with target.attacked("hostile webhook receivers", victim=notifier) as bystander:
            attacking = asyncio.create_task(attack())
            seconds = await _timed(pay_and_hear)
            await attacking

    target.print_line(
        f"  {len(tests) * TESTS_OF_AN_ENDPOINT} webhooks; meanwhile {PAYMENTS} payments and their webhooks,"
        f" slowest {seconds[-1]:.2f} s"
    )
    assert seconds[-1] < PAID_WITHIN_SECONDS + HEARD_WITHIN_SECONDS
    assert bystander.megabytes < MEGABYTES
    assert notifier.exit_code is None
