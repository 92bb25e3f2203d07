"""Webhooks from the payment to the receiver, on real servers."""


from endpoints import add_endpoint
from eventually import eventually
from loopback import terminal_host
from system import System
from webhook_receiver import receiving

from sandbox.terminal.server import VirtualTerminal


async def test_a_payment_is_told_to_the_merchants_endpoint_signed(system_on_both: System) -> None:
    """The receiver verifies it with the public library alone, and finds the result in it."""
    system = system_on_both
    till = await system.till()
    await system.worker()
    await system.notifier()
    async with receiving() as hooks, VirtualTerminal(terminal_host()) as shop:
        endpoint = await add_endpoint(system.database, system.settings, till.login.merchant_id, hooks.url)

        answered = await till.pay(shop.host)
        (received,) = await hooks.heard(1)

    endpoint.verify(received)
    assert received.json["type"] == "payment.succeeded"
    assert received.json["payment_id"] == answered.json()["payment"]["id"]
    assert received.json["sequence"] == 1
    assert received.json["result"]["status"] == "Success"
    assert received.json["result"]["amount"] == 250
    assert received.json["safe_to_retry"] is False
    await eventually(lambda: _states(system, "delivered"))


async def _states(system: System, *states: str) -> bool:
    found = [row.state for row in await system.all_of("deliveries")]
    return found == list(states)
