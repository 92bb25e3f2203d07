"""An API process that is killed or stopped while it has an order; the till comes again to another one."""

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from databases import Store
from eventually import eventually
from fault_runs import (
    READY_LINE,
    VISIBLE_SECONDS,
    check_the_ledger,
    check_told,
    debits,
    is_down,
    never_left_stopped,
    next_customer_pays,
    stage,
    start_faulty,
    struck,
    within,
)
from fleet import Fleet, Process
from loopback import terminal_host
from system import Till, order_for

from sandbox.terminal.behaviour import Behaviour
from sandbox.terminal.device import Device
from sandbox.terminal.server import VirtualTerminal

KILL, STOP = signal.SIGKILL, signal.SIGSTOP
WHILE_WAITING: Final = "while_waiting"


@dataclass(frozen=True)
class Case:
    """One fault; whatever it is, the order is paid once and the retry hears of it."""

    step: str
    fault: signal.Signals
    is_in_sample: str = ""

    @property
    def id(self) -> str:
        return f"{self.fault.name}-{self.step}"


CASES: Final = (
    Case("before_insert", KILL),
    Case("after_insert", KILL, is_in_sample="sqlite"),
    Case("after_publish", KILL),
    Case(WHILE_WAITING, KILL, is_in_sample="postgresql"),
    Case("before_insert", STOP),
    Case("after_insert", STOP),
    Case("after_publish", STOP),
    Case(WHILE_WAITING, STOP),
)


def runs() -> list[Any]:
    """Every case on PostgreSQL, and the sample on its own database as well."""
    full = pytest.mark.full_faults
    found = [
        pytest.param(
            case,
            "postgresql",
            id=f"{case.id}-postgresql",
            marks=() if case.is_in_sample == "postgresql" else full,
        )
        for case in CASES
    ]
    return found + [
        pytest.param(case, "sqlite", id=f"{case.id}-sqlite")
        for case in CASES
        if case.is_in_sample == "sqlite"
    ]


@pytest.mark.parametrize(("case", "dialect"), runs())
@pytest.mark.usefixtures("dialect")
async def test_an_api_struck_at_any_step_loses_nothing_and_the_retry_gets_the_answer(
    case: Case, store: Store, amqp_url: str, prefix: str, tmp_path: Path
) -> None:
    """The same order at another process: one payment, charged once, every caller that is left told."""
    async with (
        stage(store.url, amqp_url, prefix, tmp_path, {}) as (fleet, system),
        VirtualTerminal(
            terminal_host(), behaviour=Behaviour(delay_seconds=0.5), device=Device(request_idle_seconds=0)
        ) as terminal,
        httpx.AsyncClient(timeout=60) as client,
    ):
        retrying = await system.till()
        worker = await fleet.start("terminal-worker")
        faulty = await _start_api(fleet, case)
        await worker.logged(READY_LINE)
        port = (await faulty.logged("API is serving"))["port"]
        till = Till(client, retrying.login, f"http://127.0.0.1:{port}")
        order = order_for(terminal.host)

        with never_left_stopped(faulty):
            first = asyncio.create_task(till.send(order))
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
        check_told(again, row)
        if case.fault is STOP:
            check_told(await within(VISIBLE_SECONDS, first), row)
            faulty.terminate()
            assert await faulty.ended() == 0
        else:
            with pytest.raises(httpx.TransportError):
                await first
        await next_customer_pays(system, retrying, terminal)
        check_the_ledger(terminal, requests=2)


async def _start_api(fleet: Fleet, case: Case) -> Process:
    if case.step == WHILE_WAITING:
        return await fleet.start("api")  # from outside: it is waiting once the terminal has the request
    return await start_faulty(fleet, "api", case.step, case.fault)
