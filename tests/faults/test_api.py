"""API process that is killed or stopped while it has an order; the client sends it to another one."""

import asyncio
from typing import Final

import httpx
import pytest
from eventually import eventually
from orders import order_for
from running.fault_runs import (
    API_READY_LINE,
    KILL,
    READY_LINE,
    STOP,
    VISIBLE_SECONDS,
    Fault,
    Staged,
    check_answer,
    check_the_ledger,
    debits,
    is_down,
    never_left_stopped,
    next_customer_pays,
    runs,
    start_faulty,
    struck,
    within,
)
from running.fleet import Fleet, Process
from system import Pos
from wire.shop_terminal import shop_terminal

from sandbox.terminal.script.behaviour import Behaviour

WHILE_WAITING: Final = "while_waiting"


CASES: Final = (
    Fault("before_insert", KILL),
    Fault("after_insert", KILL, sample=("sqlite",)),
    Fault("after_publish", KILL),
    Fault(WHILE_WAITING, KILL, sample=("postgresql",)),
    Fault("before_insert", STOP),
    Fault("after_insert", STOP),
    Fault("after_publish", STOP),
    Fault(WHILE_WAITING, STOP),
)


@pytest.mark.parametrize(("case", "dialect"), runs(CASES, "postgresql"))
async def test_an_api_struck_at_any_step_loses_nothing_and_the_retry_gets_the_answer(
    case: Fault, staged: Staged
) -> None:
    """The same order at another process: one payment, charged once, every client that waits answered."""
    async with (
        staged() as (fleet, system),
        shop_terminal(Behaviour(delay_seconds=0.5)) as terminal,
        httpx.AsyncClient(timeout=60) as client,
    ):
        retrying = await system.pos()
        worker = await fleet.start("terminal-worker")
        faulty = await _start_api(fleet, case)
        await worker.logged(READY_LINE)
        port = (await faulty.logged(API_READY_LINE))["port"]
        pos = Pos(client, retrying.login, f"http://127.0.0.1:{port}")
        order = order_for(terminal.host)

        with never_left_stopped(faulty):
            first = asyncio.create_task(pos.send(order))
            if case.step == WHILE_WAITING:
                await eventually(lambda: debits(terminal))
                faulty.signal(case.fault)
                await is_down(faulty, case.fault)
            else:
                await struck(faulty, case.fault)
            again = await within(VISIBLE_SECONDS, asyncio.create_task(retrying.send(order)))

        assert again.status_code == 200
        (row,) = await system.payments()
        assert row.state == "succeeded"
        check_answer(again, row)
        if case.fault is STOP:
            check_answer(await within(VISIBLE_SECONDS, first), row)
            faulty.terminate()
            assert await faulty.ended() == 0
        else:
            with pytest.raises(httpx.TransportError):
                await first
        await next_customer_pays(system, retrying, terminal)
        check_the_ledger(terminal, requests=2)


async def _start_api(fleet: Fleet, case: Fault) -> Process:
    if case.step == WHILE_WAITING:
        return await fleet.start("api")  # from outside: it is waiting once the terminal has the request
    return await start_faulty(fleet, "api", case.step, case.fault)
