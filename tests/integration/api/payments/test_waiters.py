"""Clients that wait: for a reply, for a row, for a worker, for somebody else's payment."""

import asyncio
import time
from typing import Any

import pytest
from databases import Store
from eventually import eventually
from loopback import terminal_host
from orders import order_for
from payments import change, rows
from running.api_alone import api_alone
from running.assembled import Api
from system import LOOPBACK, Pos, System, payment_id
from wire.amqp_proxy import AmqpProxy
from wire.scripted_terminal import ScriptedTerminal, Talk, answers, answers_after, says_nothing

from shared.broker.errors import Unconfirmed
from shared.payment.states import Event
from shared.storage.db.engine import Database
from shared.storage.payments import claims


async def test_without_any_worker_the_payment_expires_in_time(system_on_both: System) -> None:
    """The API itself ends it at the deadline: 504, nothing was sent, safe to retry."""
    system = system_on_both
    pos = await system.pos(await system.api(queue_deadline_seconds=1.1, publish_timeout_seconds=1))
    began = time.monotonic()

    answered = await pos.pay(terminal_host())

    assert answered.status_code == 504
    assert answered.json()["error"]["code"] == "expired.payment.gateway.timeout"
    payment = answered.json()["payment"]
    assert (payment["state"], payment["reason"]) == ("expired", "no_worker")
    assert payment["safe_to_retry"] is True
    assert 1 <= time.monotonic() - began < 30


async def test_a_broker_that_is_away_is_told_fast_and_the_payment_is_cancelled(
    way: AmqpProxy, system: System
) -> None:
    """500, nothing was sent, safe to retry; and once the broker is back the same order is paid."""
    api = await system.api(amqp_url=way.url, publish_timeout_seconds=10, queue_deadline_seconds=12)
    pos = await system.pos(api)
    await system.worker()
    async with ScriptedTerminal(answers) as shop:
        await way.cut()
        await eventually(lambda: _is_not_ready(api))
        began = time.monotonic()

        answered = await pos.pay(shop.host, order_id="order-1")

        assert time.monotonic() - began < 9
        assert answered.status_code == 500
        assert answered.json()["error"]["code"] == "unavailable.broker.internal.server.error"
        payment = answered.json()["payment"]
        assert (payment["state"], payment["reason"]) == ("cancelled", "broker_away")
        assert payment["safe_to_retry"] is True
        assert shop.talks == []

        await way.mend()
        await eventually(lambda: _is_up(api))
        again = await pos.pay(shop.host, order_id="order-1")
        assert again.json()["paymentStatus"] == "Success"


async def _is_not_ready(api: Api) -> bool:
    return await api.publisher.ready() is not None


async def _is_up(api: Api) -> bool:
    return (await api.client.get("/v1/connector/healthcheck")).status_code == 200


async def test_a_worker_that_claimed_first_wins_over_a_lost_confirmation(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message arrived, its confirmation did not: the call goes on waiting and answers the result."""
    api = await system.api()
    pos = await system.pos(api)
    await system.worker()
    publish = api.publisher.publish_payment
    claimed = asyncio.Event()

    async def loses_the_confirmation(message: Any, **options: Any) -> None:
        await publish(message, **options)
        await claimed.wait()
        raise Unconfirmed("no confirmation")

    async def answers_late(talk: Talk) -> None:
        asked = await talk.request()
        claimed.set()
        await eventually(lambda: raised)
        talk.answer(asked)

    raised: list[bool] = []
    cancelling = api.database.write

    async def write(work: Any) -> Any:
        result = await cancelling(work)
        if claimed.is_set():
            raised.append(True)
        return result

    monkeypatch.setattr(api.publisher, "publish_payment", loses_the_confirmation)
    monkeypatch.setattr(api.database, "write", write)
    async with ScriptedTerminal(answers_late) as shop:
        answered = await pos.pay(shop.host)

    assert answered.json()["paymentStatus"] == "Success"
    assert raised


async def test_a_lost_reply_never_costs_the_answer(system: System) -> None:
    """The reply goes nowhere: the batched query finds the result within its second."""
    api = await system.api(reply_poll_after_seconds=0.3)
    pos = await system.pos(api)
    await system.worker()
    customer_pays = asyncio.Event()

    async with ScriptedTerminal(answers_after(customer_pays)) as shop, asyncio.TaskGroup() as group:
        paying = group.create_task(pos.pay(shop.host))
        await eventually(lambda: shop.talks)
        await change(system.database, "UPDATE payments SET reply_to = NULL")
        # What the worker read at its claim still names the queue.
        await _stop_listening(api)
        customer_pays.set()

    assert paying.result().json()["paymentStatus"] == "Success"
    assert api.metric("replies_total", way="database") == 1


async def _stop_listening(api: Any) -> None:
    await api.replies._channel.close()


async def test_fifty_equal_requests_at_once_give_one_session(system_on_both: System) -> None:
    """Over two API processes and two workers: one payment, one session, fifty equal answers."""
    system = system_on_both
    apis = [await system.api(), await system.api()]
    login = await system.login(LOOPBACK)
    registers = [Pos(api.client, login) for api in apis]
    for _ in range(2):
        await system.worker()

    async with ScriptedTerminal(answers) as shop:
        body = order_for(shop.host, order_id="order-1")
        answered = await asyncio.gather(*(registers[number % 2].send(body) for number in range(50)))

        assert len(shop.talks) == 1
    told = [
        {**answer.json(), "payment": {**answer.json()["payment"], "replayed": None}} for answer in answered
    ]
    assert {answer.status_code for answer in answered} == {200}
    assert all(each == told[0] for each in told)
    assert len(await system.payments()) == 1


async def test_the_same_order_again_is_the_same_result_and_another_one_a_conflict(system: System) -> None:
    """Replayed with `replayed: true`; another amount or terminal is a 409; later it is one, too."""
    api = await system.api(replay_window_seconds=600)
    pos = await system.pos(api)
    await system.worker()

    async with ScriptedTerminal(answers) as shop:
        first = await pos.pay(shop.host, order_id="order-1")
        again = await pos.pay(shop.host, order_id="order-1")
        other_amount = await pos.pay(shop.host, 999, order_id="order-1")
        other_terminal = await pos.pay(terminal_host(), order_id="order-1")
        await change(system.database, "UPDATE payments SET ended_at = ended_at - 601000")
        late = await pos.pay(shop.host, order_id="order-1")

        assert len(shop.talks) == 1
    assert again.json()["payment"] == {**first.json()["payment"], "replayed": True}
    assert again.json()["receipt"] == first.json()["receipt"]
    for refused, code in (
        (other_amount, "different.order.conflict"),
        (other_terminal, "different.order.conflict"),
        (late, "used.order.conflict"),
    ):
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, code)
        assert payment_id(refused) == payment_id(first)
        assert refused.json()["payment"]["safe_to_retry"] is False


async def test_a_refused_reversal_spoils_no_terminal(system_on_both: System) -> None:
    """A 409 that names a terminal for the first time: the terminal's next debit is paid all the same."""
    system = system_on_both
    pos = await system.pos()
    await system.worker()

    async with ScriptedTerminal(answers) as shop, ScriptedTerminal(answers) as other:
        await pos.pay(shop.host, order_id="order-1")
        reversal = await pos.pay(other.host, order_id="order-1", transaction_type="Cancel")
        assert (reversal.status_code, reversal.json()["error"]["code"]) == (409, "terminal.order.conflict")

        debit = await pos.pay(other.host)

    assert debit.json().get("paymentStatus") == "Success", debit.text


@pytest.mark.parametrize("commits", [1, 2])
async def test_an_acceptance_whose_commit_answer_was_lost_is_found_and_paid_once(
    system: System, commits: int
) -> None:
    """The row is there and mine: it is published; the client sees nothing of it."""
    api = await system.api()
    pos = await system.pos(api)
    await system.worker(sweeps=False)
    async with ScriptedTerminal(answers) as shop:
        api.database.lost_commits = commits
        answered = await pos.pay(shop.host)

        assert answered.json()["paymentStatus"] == "Success"
        assert len(shop.talks) == 1
    (row,) = await rows(system.database, "SELECT count(*) AS number FROM payments")
    assert row.number == 1


async def test_a_caller_whose_time_is_over_is_told_of_the_running_payment(system: System) -> None:
    """504 with the payment's id and state; not safe to retry; the same order goes on waiting."""
    api = await system.api(
        queue_deadline_seconds=2.5,
        publish_timeout_seconds=2,
        answer_timeout_seconds=0.2,
        idle_end_seconds=0.2,
        write_window_seconds=0.55,
        caller_wait_in_doubt_seconds=1,
        caller_wait_seconds=3.5,
        accept_wait_seconds=3,
    )
    pos = await system.pos(api)
    await system.worker()
    async with ScriptedTerminal(says_nothing) as shop:
        began = time.monotonic()
        answered = await pos.pay(shop.host)

        assert 3.4 < time.monotonic() - began < 30
        assert answered.status_code == 504
        assert answered.json()["error"]["code"] == "timeout.terminal.gateway.timeout"
        assert answered.json()["payment"]["state"] == "in_session"
        assert answered.json()["payment"]["safe_to_retry"] is False
        shop.talks[0].close()


async def test_the_end_of_a_session_that_outlasted_the_deadline_is_only_read(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits for a customer locks no terminal to learn that its payment cannot expire any more."""
    expired: list[str] = []

    async def expire(_database: Database, payment_id: str) -> None:
        expired.append(payment_id)

    monkeypatch.setattr(claims, "expire", expire)
    async with api_alone(sqlite_store, queue_deadline_seconds=1.1, publish_timeout_seconds=1) as api:
        pos = await api.merchant()
        began = time.monotonic()
        waiting = asyncio.create_task(pos.order())
        await eventually(lambda: bool(api.postbox.published))
        claimed = await api.claim(api.postbox.published[0])
        await eventually(lambda: time.monotonic() - began > 1.2)
        await api.settle(claimed, Event.ANSWERED_DONE)

        answered = await waiting

    assert answered.json()["paymentStatus"] == "Success"
    assert expired == []
