"""Payments with an unknown outcome: never guessed, their terminal locked to the lease's end."""

import asyncio
import contextlib

import httpx
import pytest
from eventually import eventually
from limits import PATIENT_SESSIONS, STEADY_DOUBT
from system import System, payment_id
from wire.scripted_terminal import Script, ScriptedTerminal, Talk, answer_to, closes, says_nothing
from wire.shop_terminal import shop_terminal

from sandbox.terminal.script.behaviour import Behaviour, Fault
from sandbox.terminal.server.answer_delivery import NOISE

OTHER_PAYMENT = "pay_01JD7Z4QK5W8M2N3P6R9S0T1V5"


@pytest.fixture
def limits() -> dict[str, object]:
    return PATIENT_SESSIONS


async def in_doubt(system: System, answered: httpx.Response) -> str:
    """Check that the client's answer names the doubt as it is stored; return its reason."""
    body = answered.json()
    assert answered.status_code == 504, answered.text
    assert body["error"]["code"] == "timeout.terminal.gateway.timeout"
    assert body["payment"]["state"] == "in_doubt"
    assert body["payment"]["safe_to_retry"] is False
    assert "paymentStatus" not in body
    row = await system.stored(body["payment"]["id"])
    assert (row.state, row.ended_at) == ("in_doubt", None)
    assert row.reason == body["payment"]["reason"]
    assert row.receipt is None
    return str(row.reason)


async def resets(talk: Talk) -> None:
    await talk.request()
    talk.reset()


async def closes_in_the_middle(talk: Talk) -> None:
    talk.write(answer_to(await talk.request())[:-9])


async def writes_noise(talk: Talk) -> None:
    await talk.request()
    talk.write(NOISE)


async def writes_without_end(talk: Talk) -> None:
    await talk.request()
    talk.write(b"OD999" + b"x" * 999)
    for _ in range(30):
        talk.write(b"ID999" + b"x" * 999)
    await talk.peer_closed()


async def answers_another_payment(talk: Talk) -> None:
    talk.answer(await talk.request(), CF=OTHER_PAYMENT)


async def answers_another_amount(talk: Talk) -> None:
    talk.answer(await talk.request(), CB="99999")


async def pays_less(talk: Talk) -> None:
    talk.answer(await talk.request(), CB="100")


async def pays_without_a_card(talk: Talk) -> None:
    talk.answer(await talk.request(), CC=None, AC=None)


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (closes, "connection_lost"),
        (resets, "connection_lost"),
        (closes_in_the_middle, "connection_lost"),
        (writes_noise, "unreadable"),
        (writes_without_end, "unreadable"),
        (answers_another_payment, "contradicting_answer"),
        (answers_another_amount, "contradicting_answer"),
        (pays_less, "amount_lower"),
        (pays_without_a_card, "no_sign_of_card"),
    ],
)
async def test_whatever_is_no_valid_answer_is_doubt_with_its_reason(
    system: System, script: Script, reason: str
) -> None:
    """After the write only the terminal's answer makes a failure; the lock stays held."""
    pos = await system.pos()
    worker = await system.worker()

    async with ScriptedTerminal(script) as shop:
        answered = await pos.pay(shop.host)

        assert await in_doubt(system, answered) == reason
        assert await system.holder(shop.host) == payment_id(answered)
        assert worker.metric("payments_total", operation="debit", outcome="in_doubt", reason=reason) == 1
        assert len(shop.talks) == 1


@pytest.mark.parametrize("limits", [STEADY_DOUBT])
async def test_a_silent_terminal_stays_locked_to_the_leases_end_and_then_the_next_is_paid(
    system: System,
) -> None:
    """The client is answered at once; no other payment reaches the terminal before the lease ends."""

    async def silent_once(talk: Talk) -> None:
        asked = await talk.request()
        if len(shop.talks) == 1:
            await talk.peer_closed()
        else:
            talk.answer(asked)

    pos = await system.pos()
    await system.worker(sweep_interval_seconds=1, republish_after_seconds=60)
    loop = asyncio.get_running_loop()
    async with ScriptedTerminal(silent_once) as shop:
        began = loop.time()
        first = await pos.pay(shop.host)
        assert await in_doubt(system, first) == "answer_timeout"
        assert loop.time() - began < system.settings.lease_seconds

        second = await pos.pay(shop.host)

        assert second.json()["paymentStatus"] == "Success"
        assert loop.time() - began >= system.settings.lease_seconds
        assert (await system.events(payment_id(first)))[-1] == "hold_ended"
    assert (await system.stored(payment_id(first))).state == "in_doubt"


async def test_the_same_order_in_doubt_is_answered_again_and_never_sent_again(system: System) -> None:
    """A POS that asks again gets the same doubt: the order is not charged twice."""
    pos = await system.pos()
    await system.worker()

    async with ScriptedTerminal(closes) as shop:
        first = await pos.pay(shop.host, order_id="order-1")
        again = await pos.pay(shop.host, order_id="order-1")

        assert payment_id(again) == payment_id(first)
        assert await in_doubt(system, again) == "connection_lost"
        assert len(shop.talks) == 1


@pytest.mark.parametrize(
    ("fault", "reason", "charged"),
    [
        (Fault.LOSE_ANSWER, "connection_lost", True),
        (Fault.RESET, "connection_lost", False),
        (Fault.GARBAGE, "unreadable", True),
        (Fault.IMMEDIATE, "no_sign_of_card", True),
    ],
)
async def test_what_the_terminal_did_does_not_show_in_the_doubt(
    system: System, fault: Fault, reason: str, charged: bool
) -> None:
    """Charged or not, a terminal that loses its answer leaves the same doubt behind."""
    pos = await system.pos()
    await system.worker()

    async with shop_terminal(Behaviour(fault=fault)) as shop:
        answered = await pos.pay(shop.host)
        assert await in_doubt(system, answered) == reason
        assert await eventually(lambda: shop.records[0].outcome)
        assert shop.records[0].charged is charged


async def test_a_session_that_still_runs_at_the_drains_end_is_in_doubt(system: System) -> None:
    """SIGTERM, and the customer takes longer than the drain: the client gets the doubt at once."""
    pos = await system.pos(await system.api(reply_poll_after_seconds=10))
    worker = await system.worker(answer_timeout_seconds=5)

    async with ScriptedTerminal(says_nothing) as shop:
        async with asyncio.TaskGroup() as group:
            paying = group.create_task(pos.pay(shop.host))
            await eventually(lambda: shop.talks and shop.talks[0].received)
            await worker.deliveries.drain(0.05)
        assert await in_doubt(system, paying.result()) == "worker_lost"
        assert await system.holder(shop.host) == payment_id(paying.result())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(shop.talks[0].closed.wait(), 1)
        assert shop.talks[0].closed.is_set()
