"""What the fault tests share: short limits, a terminal, processes that are struck, and what must be right."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from eventually import eventually
from faulty_process import FAULT_LINE
from fleet import Fleet, Process, fleet_of
from limits import SHORT_LIMITS
from system import System, system_on

from sandbox.terminal.ledger import SessionRecord, charged_twice
from sandbox.terminal.server import VirtualTerminal

#: How soon a fault must show in the stored state, while another worker lives.
VISIBLE_SECONDS: Final = 15.0
READY_LINE: Final = "terminal worker is taking payments"

#: Stale after 2 s, and in doubt for 3.5 s after a takeover.
FAULT_LIMITS: Final[dict[str, object]] = {
    **SHORT_LIMITS,
    "queue_deadline_seconds": 10,
    "write_window_seconds": 1.5,
    "answer_timeout_seconds": 1.5,
    "terminal_own_time_seconds": 1.5,
    "heartbeat_seconds": 0.3,
    "worker_stale_seconds": 2,
    "takeover_free_after_seconds": 2,
    "caller_wait_in_doubt_seconds": 12,
    "reply_poll_after_seconds": 0.5,
    "log_format": "json",
}


@contextlib.asynccontextmanager
async def stage(
    url: str, amqp_url: str, prefix: str, folder: Path, limits: Mapping[str, object]
) -> AsyncIterator[tuple[Fleet, System]]:
    """Yield processes to be struck, and the same system as this test sees it."""
    settings = {**FAULT_LIMITS, **limits}
    addresses = {"database_url": url, "amqp_url": amqp_url, "amqp_prefix": prefix}
    async with (
        fleet_of({**settings, **addresses}, folder) as fleet,
        system_on(url, amqp_url, prefix, **settings) as system,
    ):
        yield fleet, system


async def start_faulty(fleet: Fleet, verb: str, step: str, number: signal.Signals) -> Process:
    return await fleet.start(verb, step, number.name, module="tests.support.faulty_process")


async def start_held_back(fleet: Fleet) -> Process:
    """Start a worker that recovers and sweeps, and takes payments only from SIGUSR1 on."""
    return await fleet.start("terminal-worker", "held_back", "SIGUSR1", module="tests.support.faulty_process")


async def struck(process: Process, number: signal.Signals) -> None:
    """Wait until the fault has come and the process is dead, or stopped."""
    await eventually(lambda: FAULT_LINE in process.text)
    await is_down(process, number)


async def is_down(process: Process, number: signal.Signals) -> None:
    if number is signal.SIGKILL:
        assert await process.ended() == -signal.SIGKILL
    else:
        await eventually(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED)


@contextlib.contextmanager
def never_left_stopped(process: Process) -> Any:
    """A stopped process would not hear SIGTERM."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.signal(signal.SIGCONT)


def debits(terminal: VirtualTerminal) -> list[SessionRecord]:
    """What the terminal itself recorded of debits, busy answers among them."""
    return [record for record in terminal.records if record.operation == "debit"]


def check_the_ledger(terminal: VirtualTerminal, *, requests: int) -> None:
    """The request came so often, each was carried out, and nothing moved money twice."""
    found = debits(terminal)
    assert len(found) == requests
    assert [record.charged for record in found] == [True] * requests
    assert charged_twice(found) == []
    assert len({record.reference for record in found}) == requests


def check_told(answered: httpx.Response, row: Any) -> None:
    """The caller's answer is what is stored."""
    told = answered.json()["payment"]
    assert (told["id"], told["state"], told.get("reason")) == (row.id, row.state, row.reason), answered.text
    assert told["amount"] == (row.amount_cents if row.paid_cents is None else row.paid_cents)
    for field in ("authorisation_number", "masked_card", "application"):
        assert told.get(field) == getattr(row, field), field


async def next_customer_pays(system: System, till: Any, terminal: VirtualTerminal) -> None:
    """The terminal's line is free again, and nothing of the fault is left on it."""
    await eventually(lambda: _is_free(system, terminal.host))
    answered = await till.pay(terminal.host, 777)
    assert answered.json().get("paymentStatus") == "Success", answered.text


async def _is_free(system: System, host: str) -> bool:
    return await system.holder(host) is None


async def within(seconds: float, task: "asyncio.Task[httpx.Response]") -> httpx.Response:
    async with asyncio.timeout(seconds):
        return await task
