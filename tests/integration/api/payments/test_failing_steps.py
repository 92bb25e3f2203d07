"""Errors between the order and its answer: what is stored is said, and the order is never sent twice."""

import asyncio

import pytest
from eventually import eventually
from races.cancelled_statements import Trouble, troubled
from structlog.testing import capture_logs
from system import System, payment_id
from wire.scripted_terminal import PORT, ScriptedTerminal, answers, answers_after

from shared.storage.db.engine import DatabaseBusy, StatementCancelled

API_STEPS = ("before_insert", "after_insert", "after_publish")


@pytest.mark.parametrize("step", API_STEPS)
async def test_an_error_at_any_step_of_an_order_is_no_second_payment(system: System, step: str) -> None:
    """The client hears that nothing is known; asked again, the order has been paid once."""
    failed: list[str] = []

    async def fails_once(reached: str) -> None:
        if reached == step and not failed:
            failed.append(step)
            raise RuntimeError(step)

    pos = await system.pos(await system.api(failpoint=fails_once))
    await system.worker(republish_after_seconds=0.3)
    # Without the log's traceback, whose drawing takes seconds.
    async with ScriptedTerminal(answers) as terminal:
        with capture_logs():
            first = await pos.pay(terminal.host, order_id="order-1")
        again = await pos.pay(terminal.host, order_id="order-1")

        assert (first.status_code, first.json()["error"]["code"]) == (500, "undefined.internal.server.error")
        assert first.json()["error"]["details"]["safe_to_retry"] is False
        assert again.json().get("paymentStatus") == "Success", again.text
        assert len(terminal.talks) == 1
    assert len(await system.payments()) == 1


async def test_an_order_whose_statement_is_cancelled_is_answered_as_one_of_a_database_away(
    system: System,
) -> None:
    """500, nothing is said to be safe, nothing is stored; the same order again is paid."""
    api = await system.api()
    pos = await system.pos(api)
    await system.worker()
    async with ScriptedTerminal(answers) as terminal:
        with troubled(api.database) as troubles:
            troubles[f"{terminal.host}:{PORT}"] = Trouble(at=0)
            first = await pos.pay(terminal.host, order_id="order-1")
        assert first.status_code == 500
        assert first.json()["error"]["code"] == "unavailable.database.internal.server.error"
        assert '"safe_to_retry":true' not in first.text.replace(" ", "")
        assert await system.payments() == []

        assert (await pos.pay(terminal.host, order_id="order-1")).json()["paymentStatus"] == "Success"


@pytest.mark.parametrize("step", API_STEPS)
async def test_an_order_that_finds_no_free_connection_is_told_that_the_service_is_busy(
    system: System, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 whether it is stored already or not, no outage; the same order again is paid once."""

    async def is_exhausted(_: object) -> None:
        raise DatabaseBusy("no connection was free")

    exhausted: list[str] = []

    async def exhausts_the_pool(reached: str) -> None:
        if reached == step and not exhausted:
            exhausted.append(step)
            monkeypatch.setattr(api.database, "write", is_exhausted)
            monkeypatch.setattr(api.database, "read", is_exhausted)

    api = await system.api(failpoint=exhausts_the_pool)
    pos = await system.pos(api)
    await system.worker()
    async with ScriptedTerminal(answers) as terminal:
        first = await pos.pay(terminal.host, order_id="order-1", headers={"prefer": "respond-async"})
        monkeypatch.undo()
        again = await pos.pay(terminal.host, order_id="order-1")

        assert (first.status_code, first.json()["error"]["code"]) == (
            503,
            "busy.connector.service.unavailable",
        )
        assert first.json()["error"]["details"]["safe_to_retry"] is False
        assert len(terminal.talks) == 1
    assert again.json().get("paymentStatus") == "Success", again.text


@pytest.mark.parametrize("error", [StatementCancelled("canceling statement"), RuntimeError("unexpected")])
async def test_a_waiting_caller_outlives_whatever_its_api_cannot_read(
    system: System, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result comes while no row can be read: told once it can."""
    api = await system.api()
    pos = await system.pos(api)
    await system.worker()
    customer_pays = asyncio.Event()

    async with ScriptedTerminal(answers_after(customer_pays)) as terminal, asyncio.TaskGroup() as group:
        paying = group.create_task(pos.pay(terminal.host))
        await eventually(lambda: terminal.talks and terminal.talks[0].received)
        failures: list[str] = []

        async def fails(_: object) -> None:
            failures.append("read")
            raise error

        with monkeypatch.context() as patched:
            patched.setattr(api.database, "read", fails)
            customer_pays.set()
            await eventually(lambda: len(failures) >= 2)
            assert not paying.done()

    assert paying.result().json()["paymentStatus"] == "Success"
    assert (await system.stored(payment_id(paying.result()))).state == "succeeded"
