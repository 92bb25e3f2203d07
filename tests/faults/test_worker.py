"""Worker that is killed or stopped at each step of a payment, while another one runs."""

import asyncio
import signal
from dataclasses import dataclass
from typing import Final

import pytest
from eventually import eventually
from running.fault_runs import (
    KILL,
    READY_LINE,
    STOP,
    VISIBLE_SECONDS,
    Fault,
    Staged,
    check_answer,
    check_the_ledger,
    go_on,
    is_waiting,
    never_left_stopped,
    next_customer_pays,
    runs,
    start_faulty,
    start_held_back,
    struck,
    within,
)
from running.fleet import Fleet, Process
from system import System
from wire.shop_terminal import shop_terminal

from sandbox.terminal.device.session_log import overlapping_sessions
from sandbox.terminal.script.behaviour import Behaviour
from shared.settings.settings import Settings

#: The customer takes a moment, the answer comes in two pieces.
SHOP: Final = Behaviour(delay_seconds=0.3, piece_bytes=400, piece_pause_seconds=0.2)


@dataclass(frozen=True)
class Case(Fault):
    """One fault, and the payment's expected end."""

    state: str
    reason: str | None
    status: int
    #: Requests that the terminal got; each was charged.
    requests: int
    #: The worker had the terminal lock.
    is_taken_over: bool

    @property
    def limits(self) -> dict[str, object]:
        """Return limits: an enquiry needs a long lease; a doubt that stays must not be waited for."""
        if self.state == "in_doubt":
            return {"caller_wait_in_doubt_seconds": 1}
        if self.fault is KILL and self.is_taken_over:
            return {"lease_after_doubt_seconds": 40, "enquiry_timeout_seconds": 1}
        return {}


PAID = ("succeeded", None, 200)
UNKNOWN = ("in_doubt", "worker_lost", 504)
NOT_SENT = ("unreachable", "not_sent", 502)

CASES: Final = (
    # The message comes back, and the other worker takes it.
    Case("before_claim", KILL, *PAID, requests=1, is_taken_over=False),
    # Nobody knows how far it came: nothing is ever sent again.
    Case("after_claim", KILL, *UNKNOWN, requests=0, is_taken_over=True),
    Case("after_connect", KILL, *UNKNOWN, requests=0, is_taken_over=True),
    Case("before_write", KILL, *UNKNOWN, requests=0, is_taken_over=True),
    # The customer pays after the worker's death: the enquiry of the one that took over proves it.
    Case("after_write", KILL, *PAID, requests=1, is_taken_over=True, sample=("sqlite",)),
    Case("mid_answer", KILL, *PAID, requests=1, is_taken_over=True),
    Case("after_answer", KILL, *PAID, requests=1, is_taken_over=True),
    # The result is stored; its terminal was still locked for the identification after the first payment.
    Case("after_commit", KILL, *PAID, requests=1, is_taken_over=True),
    Case("after_reply", KILL, *PAID, requests=1, is_taken_over=False),
    # The sweep of the other worker sends the message once more.
    Case("before_claim", STOP, *PAID, requests=1, is_taken_over=False),
    # Awake again it finds its write window passed: it says for certain that nothing was sent.
    Case("after_claim", STOP, *NOT_SENT, requests=0, is_taken_over=True),
    Case("after_connect", STOP, *NOT_SENT, requests=0, is_taken_over=True),
    Case("before_write", STOP, *NOT_SENT, requests=0, is_taken_over=True),
    # The late answer, or the enquiry of the one that took over, proves it.
    Case("after_write", STOP, *PAID, requests=1, is_taken_over=True),
    Case("mid_answer", STOP, *PAID, requests=1, is_taken_over=True),
    Case("after_answer", STOP, *PAID, requests=1, is_taken_over=True, sample=("postgresql",)),
    Case("after_commit", STOP, *PAID, requests=1, is_taken_over=True),
    Case("after_reply", STOP, *PAID, requests=1, is_taken_over=False),
)


@pytest.mark.parametrize(("case", "dialect"), runs(CASES, "postgresql"))
async def test_a_worker_struck_at_any_step_costs_nobody_a_payment(case: Case, staged: Staged) -> None:
    """Visible in time, answered as stored, charged at most once, the terminal free at the end."""
    async with staged(**case.limits) as (fleet, system), shop_terminal(SHOP) as terminal:
        pos = await system.pos()
        faulty, other = await _start_two(fleet, case.step, case.fault)

        with never_left_stopped(faulty, other):
            paying = asyncio.create_task(pos.pay(terminal.host))
            await struck(faulty, case.fault)
            go_on(other)

            await eventually(lambda: _is_visible(system), within_seconds=VISIBLE_SECONDS)
            if case.is_taken_over:
                await other.logged("terminal lock taken over", within_seconds=VISIBLE_SECONDS)
        answered = await within(VISIBLE_SECONDS, paying)
        (row,) = await system.payments()
        check_answer(answered, row)
        assert (row.state, row.reason, answered.status_code) == (case.state, case.reason, case.status)
        if case.fault is STOP:
            faulty.terminate()
            assert await faulty.ended() == 0

        await next_customer_pays(system, pos, terminal)

        check_the_ledger(terminal, requests=case.requests + 1)
        row = await system.stored(row.id)
        assert (row.state, row.reason, bool(row.contradicted)) == (case.state, case.reason, False)
        assert ("terminal lock taken over" in other.text) is case.is_taken_over


async def _start_two(fleet: Fleet, step: str, fault: signal.Signals) -> tuple[Process, Process]:
    """Start the worker to be struck, and another one that takes payments only after `go_on`."""
    faulty = await start_faulty(fleet, "terminal-worker", step, fault)
    other = await start_held_back(fleet)
    await faulty.logged(READY_LINE)
    await is_waiting(other)
    return faulty, other


async def _is_visible(system: System) -> bool:
    return {row.state for row in await system.payments()}.isdisjoint({"queued", "in_session"})


@pytest.mark.full_faults
@pytest.mark.parametrize("dialect", ["postgresql"])
async def test_a_death_is_answered_within_fifteen_seconds_by_the_usual_limits(staged: Staged) -> None:
    """A heartbeat every 2 s, stale after 10 s: the waiting client gets the doubt that soon."""
    usual = {
        name: Settings.model_fields[name].default for name in ("heartbeat_seconds", "worker_stale_seconds")
    }
    limits = {**usual, "terminal_own_time_seconds": 20, "caller_wait_in_doubt_seconds": 0.1}
    async with staged(**limits) as (fleet, system), shop_terminal(SHOP) as terminal:
        pos = await system.pos()
        faulty, other = await _start_two(fleet, "after_write", KILL)
        with never_left_stopped(faulty, other):
            paying = asyncio.create_task(pos.pay(terminal.host))
            await struck(faulty, KILL)
            go_on(other)

            answered = await within(VISIBLE_SECONDS, paying)

        (row,) = await system.payments()
        check_answer(answered, row)
        assert (answered.status_code, row.state, row.reason) == (504, "in_doubt", "worker_lost")
        await eventually(lambda: terminal.records[0].charged)
        check_the_ledger(terminal, requests=1)


@pytest.mark.full_faults
@pytest.mark.parametrize("dialect", ["postgresql"])
@pytest.mark.parametrize(
    ("step", "state", "reason", "requests"),
    [
        ("after_connect", "unreachable", "not_sent", 1),
        ("after_answer", "succeeded", None, 2),
        ("after_commit", "succeeded", None, 2),
    ],
)
async def test_a_worker_that_wakes_too_late_leaves_the_next_customer_alone(
    step: str, state: str, reason: str | None, requests: int, staged: Staged
) -> None:
    """Its terminal was released, another payment is on the screen: it only stores its result."""
    # The next customer's answer comes after the stopped worker's end, which is slow on a busy machine.
    patient = {"answer_timeout_seconds": 5, "terminal_own_time_seconds": 5}
    async with (
        staged(caller_wait_in_doubt_seconds=1, **patient) as (fleet, system),
        shop_terminal(SHOP) as terminal,
    ):
        pos = await system.pos()
        stopped_worker, other = await _start_two(fleet, step, STOP)
        with never_left_stopped(stopped_worker, other):
            paying = asyncio.create_task(pos.pay(terminal.host))
            await struck(stopped_worker, STOP)
            go_on(other)
            answered = await within(VISIBLE_SECONDS, paying)
            assert answered.json()["payment"]["state"] in {"in_doubt", state}
            await other.logged("lease ended", within_seconds=VISIBLE_SECONDS)

            # Nobody presents a card until the stopped worker has ended.
            terminal.behaviour = Behaviour(delay_seconds=60)
            next_paying = asyncio.create_task(pos.pay(terminal.host, 777))
            await eventually(lambda: terminal.is_busy)
        await eventually(lambda: _is_stored(system, answered.json()["payment"]["id"], state, reason))
        stopped_worker.terminate()
        assert await stopped_worker.ended() == 0
        terminal.present_card()

        assert (await within(VISIBLE_SECONDS, next_paying)).json().get("paymentStatus") == "Success"
        check_the_ledger(terminal, requests=requests)
        records = [record for record in terminal.records if record.operation is not None]
        assert overlapping_sessions(records) == []
        assert "busy" not in {record.outcome for record in records}


async def _is_stored(system: System, payment_id: str, state: str, reason: str | None) -> bool:
    row = await system.stored(payment_id)
    return (row.state, row.reason) == (state, reason)
