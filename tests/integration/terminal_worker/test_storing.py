"""A result reaches the database whatever happens to the way there; a lost commit is read back."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from databases import Store
from eventually import eventually
from limits import PATIENT_SESSIONS
from payments import rows
from system import System, payment_id
from wire.amqp_proxy import AmqpProxy, amqp_proxy
from wire.scripted_terminal import ScriptedTerminal, answers, answers_after

from shared.broker.messages import PaymentMessage


@pytest.fixture
def limits() -> dict[str, object]:
    return PATIENT_SESSIONS


@pytest.fixture
async def way_to_postgres(postgres_store: Store) -> AsyncIterator[AmqpProxy]:
    async with amqp_proxy(postgres_store.url) as proxy:
        yield proxy


async def test_a_result_waits_for_an_unavailable_database(way_to_postgres: AmqpProxy, system: System) -> None:
    """The way to PostgreSQL is cut while the customer pays: stored as soon as it is back, once."""
    customer_pays = asyncio.Event()
    pos = await system.pos()
    await system.worker(database_url=way_to_postgres.url)
    async with ScriptedTerminal(answers_after(customer_pays)) as shop, asyncio.TaskGroup() as group:
        paying = group.create_task(pos.pay(shop.host))
        await eventually(lambda: shop.talks and shop.talks[0].received)
        await way_to_postgres.cut()
        customer_pays.set()
        await asyncio.wait_for(shop.talks[0].closed.wait(), 5)
        (row,) = await system.payments()
        assert row.state == "in_session"

        await way_to_postgres.mend()

    assert paying.result().json()["paymentStatus"] == "Success"
    events = await system.events(payment_id(paying.result()))
    # The identification after the first payment may have come by now.
    assert [event for event in events if event != "identified"] == ["accepted", "claimed", "answered_done"]
    await eventually(lambda: system.is_free(shop.host))


@pytest.mark.parametrize("lost_commits", [1, 2])
async def test_a_claim_whose_commit_answer_was_lost_is_read_back(
    system_on_both: System, lost_commits: int
) -> None:
    """It was carried out, so it is mine by its token: the session runs, and runs once."""
    system = system_on_both
    pos = await system.pos()
    worker = await system.worker(sweeps=False)

    async with ScriptedTerminal(answers) as shop:
        # First the claim's answer, then (with two) the result's.
        worker.database.lost_commits = lost_commits
        answered = await pos.pay(shop.host)

        assert answered.json()["paymentStatus"] == "Success"
        assert len(shop.talks) == 1
        assert worker.database.lost_commits == 0
    await eventually(lambda: system.is_free(shop.host))


async def test_another_runs_claim_is_never_mistaken_for_a_lost_one(system: System) -> None:
    """The same worker has the same message twice: the second run leaves it alone."""
    api = await system.api()
    pos = await system.pos(api)
    worker = await system.worker(sweeps=False)
    customer_pays = asyncio.Event()

    async with ScriptedTerminal(answers_after(customer_pays)) as shop, asyncio.TaskGroup() as group:
        paying = group.create_task(pos.pay(shop.host))
        await eventually(lambda: shop.talks and shop.talks[0].received)
        (row,) = await system.payments()
        worker.database.lost_commits = 1
        await worker.runs.run(PaymentMessage(row.id, api.replies.name))
        assert worker.database.lost_commits == 0
        assert len(shop.talks) == 1
        customer_pays.set()

    assert paying.result().json()["paymentStatus"] == "Success"
    await eventually(lambda: system.is_free(shop.host))
    (lock,) = await rows(system.database, "SELECT epoch FROM terminal_locks")
    assert lock.epoch == 2


async def test_a_claim_waits_for_an_unavailable_database(system: System) -> None:
    """The payment is still queued when the database is back, within its deadline: it is paid."""
    pos = await system.pos()
    worker = await system.worker(sweeps=False)
    async with ScriptedTerminal(answers) as shop, asyncio.TaskGroup() as group:
        worker.database.is_unavailable = True
        paying = group.create_task(pos.pay(shop.host))
        await eventually(lambda: worker.metric("session_slots_used") == 1)
        await asyncio.sleep(system.settings.write_window_seconds + 0.1)
        worker.database.is_unavailable = False

    assert paying.result().json()["paymentStatus"] == "Success"


async def test_no_acknowledgement_waits_for_the_confirmation_of_a_reply(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker takes its next payment; the client's answer is found in the database."""
    pos = await system.pos(await system.api(reply_poll_after_seconds=0.3))
    worker = await system.worker(sweeps=False)
    confirmed = asyncio.Event()

    async def unconfirmed(*_: object) -> None:
        await confirmed.wait()

    monkeypatch.setattr(worker.runs._reply_publisher._publisher, "reply", unconfirmed)
    async with ScriptedTerminal(answers) as shop:
        answered = await pos.pay(shop.host)

        assert answered.json()["paymentStatus"] == "Success"
        await eventually(lambda: worker.metric("session_slots_used") == 0)
    confirmed.set()
    await worker.runs._reply_publisher.finish()
