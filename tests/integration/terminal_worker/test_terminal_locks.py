"""One session a terminal: who waits, who is next, and what a message that comes twice does."""

import asyncio
from ipaddress import IPv4Address

import pytest
import structlog
from eventually import eventually
from limits import PATIENT_SESSIONS
from running.assembled import Api
from system import Pos, System, payment_id
from wire.scripted_terminal import ScriptedTerminal, Talk, answers, closes, says_nothing
from wire.shop_terminal import shop_terminal

from sandbox.terminal.device.session_log import overlapping_sessions
from shared.storage.payments import settling

#: No sweep while such a test runs: only a released terminal's next payment is published.
REPUBLISH_AFTER_SECONDS = 60
HELD = "payment waits for the terminal"


@pytest.fixture
def limits() -> dict[str, object]:
    return PATIENT_SESSIONS


async def test_payments_for_one_terminal_are_paid_one_after_the_other_in_their_order(
    system_on_both: System,
) -> None:
    """The second waits without a slot or a delivery, and is published when the first has ended."""
    system = system_on_both
    pos = await system.pos()
    workers = [await system.worker(republish_after_seconds=REPUBLISH_AFTER_SECONDS) for _ in range(2)]
    go_on = asyncio.Event()

    async def answers_when_told(talk: Talk) -> None:
        asked = await talk.request()
        amounts.append(asked["CB"])
        await go_on.wait()
        talk.answer(asked)

    amounts: list[str] = []
    with structlog.testing.capture_logs() as log:
        async with ScriptedTerminal(answers_when_told) as shop, asyncio.TaskGroup() as group:
            tasks = []
            for number in range(4):
                tasks.append(group.create_task(pos.pay(shop.host, 1000 + number)))
                await eventually(lambda: _stored(system, len(tasks)))
                await eventually(lambda: amounts)
            await eventually(lambda: [line["event"] for line in log].count(HELD) == 3)
            # Acked: a held payment keeps no worker's slot.
            await eventually(lambda: sum(worker.metric("session_slots_used") for worker in workers) == 1)
            go_on.set()

    assert [task.result().json()["paymentStatus"] for task in tasks] == ["Success"] * 4
    assert amounts == ["1000", "1001", "1002", "1003"]


async def _stored(system: System, count: int) -> bool:
    return len(await system.payments()) == count


async def test_a_redelivered_debit_is_never_sent_twice(system_on_both: System) -> None:
    """Three copies of its message while the session runs, three after it: one connection, one debit."""
    system = system_on_both
    api = await system.api()
    pos = await system.pos(api)
    workers = [await system.worker(), await system.worker()]
    copies = [0]

    async def answers_after_copies(talk: Talk) -> None:
        asked = await talk.request()
        for _ in range(3):
            await system.publish(asked["CF"], reply_to=api.replies.name)
            copies[0] += 1
        talk.answer(asked)

    async with ScriptedTerminal(answers_after_copies) as shop:
        answered = await pos.pay(shop.host)
        for _ in range(3):
            await system.publish(payment_id(answered), reply_to=api.replies.name)
        follows = await pos.pay(shop.host, 999)
        await eventually(lambda: all(worker.metric("session_slots_used") == 0 for worker in workers))

    assert answered.json()["paymentStatus"] == follows.json()["paymentStatus"] == "Success"
    # One for each payment: the copies after the first one's end opened nothing.
    assert len(shop.talks) == 2
    assert copies == [6]


async def test_a_payment_that_waits_too_long_for_its_terminal_expires_as_held(system: System) -> None:
    """Told as busy, with the time since when; safe to retry; and its bytes never reach the terminal."""
    api = await system.api(queue_deadline_seconds=1.2, publish_timeout_seconds=1, reply_poll_after_seconds=60)
    pos = await system.pos(api)
    await system.worker()

    async with ScriptedTerminal(says_nothing) as shop, asyncio.TaskGroup() as group:
        group.create_task(pos.pay(shop.host, 1000))
        await eventually(lambda: shop.talks)
        second = await pos.pay(shop.host, 2000)

        body = second.json()
        assert second.status_code == 200
        assert (body["paymentStatus"], body["errorCode"]) == ("Failed", "busy")
        assert (body["payment"]["state"], body["payment"]["reason"]) == ("expired", "held")
        assert body["payment"]["safe_to_retry"] is True
        assert body["payment"]["held_since"] < body["payment"]["ended_at"]
        assert len(shop.talks) == 1
        shop.talks[0].close()


async def test_a_message_that_was_lost_is_sent_again_by_the_sweep(system: System) -> None:
    """A payment is queued and its message is in no queue: the sweep of any worker finds it."""
    api = await system.api(reply_poll_after_seconds=60)
    pos = await system.pos(api)
    async with shop_terminal() as shop, asyncio.TaskGroup() as group:
        paying = group.create_task(pos.pay(shop.host))
        await eventually(lambda: _stored(system, 1))
        await eventually(system.purged)
        await system.worker(republish_after_seconds=0.2, sweep_interval_seconds=0.1)

    assert paying.result().json()["paymentStatus"] == "Success"
    assert (await system.stored(payment_id(paying.result()))).publish_count == 2
    assert overlapping_sessions(shop.records) == []


async def test_a_name_that_leads_elsewhere_during_a_doubt_is_identified_first(system_on_both: System) -> None:
    """The device may still show the first amount: it answers an identification, then it gets the second."""

    async def api_that_finds(host: str) -> Api:
        async def lookup(_name: str) -> list[IPv4Address]:
            return [IPv4Address(host)]

        return await system.api(lookup=lookup)

    async def identifies(talk: Talk) -> None:
        if len(moved.talks) == 1:
            assert await talk.identified()
        else:
            talk.answer(await talk.request())

    system = system_on_both
    await system.worker()

    async with (
        ScriptedTerminal(closes) as shop,
        ScriptedTerminal(identifies, scripts_all=True) as moved,
    ):
        pos = await system.pos(await api_that_finds(shop.host))
        first = await pos.pay("till.example", 1000)
        assert first.json()["payment"]["state"] == "in_doubt"
        # An API process knows a name for a while: another one looks it up anew.
        elsewhere = Pos((await api_that_finds(moved.host)).client, pos.login)
        second = await elsewhere.pay("till.example", 2000)

        assert second.json()["paymentStatus"] == "Success"
        assert len(moved.talks) == 2


async def test_a_run_whose_lock_was_taken_over_connects_to_its_terminal_no_more(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even for an identification that would not be written: another session may be there."""

    async def is_taken_over(*_: object) -> bool:
        return False

    monkeypatch.setattr(settling, "holds_lock", is_taken_over)
    pos = await system.pos()
    await system.worker()

    async with ScriptedTerminal(answers) as shop:
        answered = await pos.pay(shop.host)
        await eventually(lambda: system.is_free(shop.host))

        assert answered.json()["paymentStatus"] == "Success"
        assert len(shop.talks) == 1
