"""The Python client against the real system: every fault ends in one charge and a true answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from cloud_terminal_client import (
    AsyncCloudTerminal,
    AuthenticationFailed,
    CloudTerminal,
    Conflict,
    Failed,
    Order,
    RetryPolicy,
    Succeeded,
    TerminalAddress,
    Unknown,
)
from eventually import eventually
from running.whole_sandbox import WholeSandbox
from system import LOOPBACK, Login, System
from wire.lossy_http import Loses, LossyTransport
from wire.shop_terminal import shop_terminal

from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.server.server import VirtualTerminal

PROMPT = RetryPolicy(first_pause_seconds=0.05, longest_pause_seconds=0.2)


@asynccontextmanager
async def client_of(system: System, *fates: Loses) -> AsyncIterator[AsyncCloudTerminal]:
    """Yield the client of a new merchant, whose first requests have these fates."""
    login: Login = await system.login(LOOPBACK)
    api = await system.api()
    transport = LossyTransport(api.client._transport, list(fates))
    async with AsyncCloudTerminal(
        "http://api", login.username, login.secret, retry=PROMPT, transport=transport
    ) as client:
        yield client


def sale(shop: VirtualTerminal, order_id: str = "ORDER_1") -> Order:
    return Order(order_id, 1250, TerminalAddress(shop.host))


def debits(shop: VirtualTerminal) -> int:
    return len([record for record in shop.records if record.operation == "debit"])


@pytest.mark.parametrize("fates", [["answer"], ["request"], ["answer", "request", "answer", "request"]])
async def test_lost_requests_and_answers_cost_no_second_charge(
    sqlite_system: System, fates: list[Loses]
) -> None:
    """Whatever the network loses, the client ends with the one result."""
    await sqlite_system.worker()
    async with shop_terminal() as shop, client_of(sqlite_system, *fates) as client:
        outcome = await client.pay(sale(shop))

        assert isinstance(outcome, Succeeded)
        assert outcome.receipt
        assert debits(shop) == 1
    assert len(await sqlite_system.payments()) == 1


async def test_a_charge_that_nothing_proves_is_unknown_and_then_found(sqlite_system: System) -> None:
    """The terminal drops the connection; the client waits, says unknown, and knows where to ask again."""
    await sqlite_system.worker()
    async with shop_terminal(Behaviour(fault=Fault.CLOSE_WITHOUT_ANSWER)) as shop:
        async with client_of(sqlite_system) as client:
            outcome = await client.pay(sale(shop), wait_seconds=3)

            assert isinstance(outcome, Unknown)
            assert outcome.payment is not None
            assert outcome.payment.state == "in_doubt"
            assert isinstance(await client.wait(outcome.payment.id, seconds=1), Unknown)
            again = await client.pay(sale(shop), wait_seconds=3)
            assert isinstance(again, Unknown)
            assert again.payment is not None
            assert again.payment.id == outcome.payment.id
        assert debits(shop) == 1


async def test_a_refused_customer_pays_at_the_second_try(sqlite_system: System) -> None:
    """The failure says that the order may be paid again; it is, and the same order again is the same sale."""
    await sqlite_system.worker()
    refusing = shop_terminal(Behaviour(customer=Customer.REFUSE))
    async with refusing as shop, client_of(sqlite_system) as client:
        refused = await client.pay(sale(shop))
        shop.behaviour = Behaviour()
        paid, again = [await client.pay(sale(shop)) for _ in range(2)]

        assert isinstance(refused, Failed)
        assert refused.code == "04"
        assert isinstance(paid, Succeeded)
        assert isinstance(again, Succeeded)
        assert (paid.payment.id, again.payment.replayed) == (again.payment.id, True)
        assert [payment.state async for payment in client.payments()] == ["succeeded", "refused"]
        with pytest.raises(Conflict) as raised:
            await client.pay(Order("ORDER_1", 999, TerminalAddress(shop.host)))
        assert raised.value.payment is not None


async def test_a_terminal_that_is_off_is_a_failure(sqlite_system: System) -> None:
    await sqlite_system.worker()
    async with shop_terminal() as shop:
        order = sale(shop)
    async with client_of(sqlite_system) as client:
        outcome = await client.pay(order)

    assert isinstance(outcome, Failed)
    assert outcome.payment.state == "unreachable"


async def test_a_queued_payment_is_cancelled_by_another_task(sqlite_system: System) -> None:
    """No worker runs: the payment waits, and the one who waits for it is told."""
    async with client_of(sqlite_system) as client:

        async def queued() -> list[str]:
            return [payment.id async for payment in client.payments(state="queued")]

        paying = asyncio.create_task(client.pay(Order("ORDER_1", 1250, TerminalAddress("127.0.0.9"))))
        (waiting,) = await eventually(queued)
        cancelled = await client.cancel(waiting)
        outcome = await paying

    assert cancelled.state == "cancelled"
    assert isinstance(outcome, Failed)
    assert outcome.code == "cancelled"


def test_over_http_the_client_pays_and_reads_lists_and_the_feed(sandbox: WholeSandbox) -> None:
    """The whole sandbox over real connections: sale, refund and reversal, history and events."""
    entry = sandbox.entry
    with CloudTerminal(entry["api"], entry["username"], entry["password"], trust_env=False) as client:
        before = [page.cursor for page in client.feed()]
        order = Order(sandbox.new_order_id(), 4200, entry["terminal_id"], description="Bread")
        paid = client.pay(order)
        refund = Order(order.order_id, 1000, entry["terminal_id"])
        refunded = [client.refund(refund, idempotency_key=f"{order.order_id}-1") for _ in range(2)]
        other = Order(sandbox.new_order_id(), 1200, entry["terminal_id"])
        client.pay(other)
        reversed_ = client.reverse(other)
        pages = list(client.feed(before[-1] if before else None))
        history = client.history(paid.payment.id) if isinstance(paid, Succeeded) else []
        terminals = list(client.items("/v1/terminals", "terminals"))

    assert isinstance(paid, Succeeded)
    assert [type(outcome) for outcome in (*refunded, reversed_)] == [Succeeded] * 3
    events = [event for page in pages for event in page.events]
    assert [(event.type, event.order_id) for event in events] == [
        ("payment.succeeded", order.order_id),
        ("payment.succeeded", order.order_id),
        ("payment.succeeded", other.order_id),
        ("payment.succeeded", other.order_id),
    ]
    assert [event.state for event in history][:3] == ["queued", "in_session", "succeeded"]
    assert entry["terminal_id"] in [terminal["id"] for terminal in terminals]


def test_over_http_a_wrong_secret_is_an_error_of_its_own(sandbox: WholeSandbox) -> None:
    entry = sandbox.entry
    client = CloudTerminal(entry["api"], entry["username"], "wrong", trust_env=False)
    with client, pytest.raises(AuthenticationFailed):
        client.pay(Order(sandbox.new_order_id(), 100, entry["terminal_id"]))


def test_the_transport_is_httpxs_own() -> None:
    """Proxies, certificates and the like are given as to httpx."""
    seen = []

    def answers(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(200, json={"payments": []})

    with CloudTerminal(
        "https://api.example.com/", "u", "s", transport=httpx.MockTransport(answers)
    ) as client:
        assert list(client.payments()) == []
    assert seen == ["Basic dTpz"]
