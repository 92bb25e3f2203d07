"""Cases, short limits, struck processes and checks of the fault tests."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
import pytest
from eventually import eventually
from limits import SHORT_LIMITS
from running.fleet import Fleet, Process, fleet_of
from system import System, system_on

from sandbox.servers.start import RunningServer
from sandbox.terminal.device.session_log import SessionRecord, charged_twice
from sandbox.terminal.server.server import VirtualTerminal
from tests.faults.root import FAULT_LINE, GO_ON, WAITING_LINE

KILL, STOP = signal.SIGKILL, signal.SIGSTOP
BOTH: Final = ("postgresql", "sqlite")
ROOT: Final = "tests.faults.root"
#: Opens a case's stage with these limits.
Staged = Callable[..., AbstractAsyncContextManager[tuple[Fleet, System]]]
#: A fault must show in the stored state so soon while another worker runs.
VISIBLE_SECONDS: Final = 15.0
READY_LINE: Final = "terminal worker is taking payments"
API_READY_LINE: Final = "API is serving"
NOTIFIER_READY_LINE: Final = "notifier worker is delivering"
#: A node that is killed within about a second of declaring a quorum queue comes back without its leader.
LEADER_SECONDS: Final = 2.0

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


@dataclass(frozen=True)
class Fault:
    """Fault of a process, and its step."""

    step: str
    fault: signal.Signals
    _: KW_ONLY
    #: The databases on which it is part of the usual test run.
    sample: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.fault.name}-{self.step}"


def runs(cases: Sequence[Fault], *dialects: str) -> list[Any]:
    """Return the parameters `case` and `dialect`: every case on these databases, its sample wherever."""
    return [
        pytest.param(
            case,
            dialect,
            id=f"{case.id}-{dialect}",
            marks=() if dialect in case.sample else pytest.mark.full_faults,
        )
        for dialect in BOTH
        for case in cases
        if dialect in (*dialects, *case.sample)
    ]


@contextlib.asynccontextmanager
async def stage(
    url: str, amqp_url: str, prefix: str, folder: Path, limits: Mapping[str, object]
) -> AsyncIterator[tuple[Fleet, System]]:
    """Yield processes to be struck, and the same system for the test."""
    settings = {**FAULT_LIMITS, **limits}
    addresses = {"database_url": url, "amqp_url": amqp_url, "amqp_prefix": prefix}
    async with (
        fleet_of({**settings, **addresses}, folder) as fleet,
        system_on(url, amqp_url, prefix, **settings) as system,
    ):
        yield fleet, system


def stage_of(url: str, amqp_url: str, prefix: str, folder: Path) -> Staged:
    """Return what opens a stage on this database and this broker."""

    def open_stage(**limits: object) -> AbstractAsyncContextManager[tuple[Fleet, System]]:
        return stage(url, amqp_url, prefix, folder, limits)

    return open_stage


async def restart(broker: RunningServer, meanwhile: Awaitable[None] | None = None) -> None:
    """Kill a broker of the test's own and start it again; `meanwhile` runs while it is down."""
    await asyncio.sleep(LEADER_SECONDS)
    await asyncio.to_thread(broker.kill)
    if meanwhile is not None:
        await meanwhile
    await asyncio.to_thread(broker.start)


async def start_faulty(fleet: Fleet, verb: str, step: str, number: signal.Signals) -> Process:
    """Start a process that sends itself the signal when it reaches the step."""
    return await fleet.start(verb, step, number.name, module=ROOT)


async def start_held_back(fleet: Fleet) -> Process:
    """Start a worker that recovers and sweeps, and takes payments only after `go_on`."""
    return await fleet.start("terminal-worker", "before_consuming", GO_ON.name, module=ROOT)


async def is_waiting(process: Process) -> None:
    """Wait until the process has come to the step at which it waits."""
    await process.logged(WAITING_LINE)


def go_on(process: Process) -> None:
    """Let a process that waits at a step go on; no harm where it has gone on already."""
    process.signal(GO_ON)


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
def never_left_stopped(process: Process, *waiting: Process) -> Iterator[None]:
    """Continue stopped and waiting processes at the block's end: they would not end by SIGTERM."""
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.signal(signal.SIGCONT)
        for one in waiting:
            with contextlib.suppress(ProcessLookupError):
                go_on(one)


def debits(terminal: VirtualTerminal) -> list[SessionRecord]:
    """Return the terminal's own records of debits, busy answers included."""
    return [record for record in terminal.records if record.operation == "debit"]


def check_the_ledger(terminal: VirtualTerminal, *, requests: int) -> None:
    """Check that so many requests came, each was carried out, and none moved money twice."""
    found = debits(terminal)
    assert len(found) == requests
    assert [record.charged for record in found] == [True] * requests
    assert charged_twice(found) == []
    assert len({record.reference for record in found}) == requests


def check_answer(answered: httpx.Response, row: Any) -> None:
    """Check that the client's answer equals the stored row."""
    shown = answered.json()["payment"]
    assert (shown["id"], shown["state"], shown.get("reason")) == (row.id, row.state, row.reason), (
        answered.text
    )
    assert shown["amount"] == (row.amount_cents if row.paid_cents is None else row.paid_cents)
    for field in ("authorisation_number", "masked_card", "application"):
        assert shown.get(field) == getattr(row, field), field


async def next_customer_pays(system: System, pos: Any, terminal: VirtualTerminal) -> None:
    """Check that the next customer can pay at the terminal."""
    await eventually(lambda: system.is_free(terminal.host))
    answered = await pos.pay(terminal.host, 777)
    assert answered.json().get("paymentStatus") == "Success", answered.text


async def within(seconds: float, task: "asyncio.Task[httpx.Response]") -> httpx.Response:
    async with asyncio.timeout(seconds):
        return await task
