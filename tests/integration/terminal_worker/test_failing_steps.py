"""An error of the code at any step of a payment loses no result, writes nothing twice and keeps no lock."""

import asyncio
import functools
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from eventually import eventually
from limits import PATIENT_SESSIONS, STEADY_DOUBT
from payments import change, rows
from structlog.contextvars import get_contextvars
from system import System, payment_id
from wire.scripted_terminal import ScriptedTerminal, answers, answers_after

from shared.payment.payment import Payment
from shared.runtime import resilience
from shared.storage.db.engine import Database
from shared.storage.payments import claims, queue, settling
from shared.storage.payments.claims import Claim
from shared.storage.terminals import takeover
from shared.storage.terminals.takeover import HeldLock
from terminal_worker.session.connection import TcpConnection
from terminal_worker.session.enquiry import Identifier

#: The steps of one payment in their order; the last one precedes the acknowledgement of its message.
WORKER_STEPS = (
    "before_claim",
    "after_claim",
    "after_connect",
    "before_write",
    "after_write",
    "mid_answer",
    "after_answer",
    "after_commit",
    "after_reply",
)

LIMITS: dict[str, object] = {
    **PATIENT_SESSIONS,
    "caller_wait_in_doubt_seconds": 15,
    "republish_after_seconds": 0.5,
}
PAID = ("succeeded", None, 200)
NOT_SENT = ("unreachable", "not_sent", 502)
#: What becomes of a payment where the step fails whenever it comes to it.
ALWAYS = {
    "before_claim": ("expired", "no_worker", 504),
    "after_claim": NOT_SENT,
    "after_connect": NOT_SENT,
    "before_write": NOT_SENT,
}
#: Where it fails once, the message comes again.
ONCE = {**ALWAYS, "before_claim": PAID}


class Error(Exception):
    """Nobody expects it."""


class Failing:
    """A checkpoint that fails for each payment at the step that was given to it, once or always."""

    def __init__(self, system: System, steps: Sequence[str], *, always: bool) -> None:
        self._system = system
        self._steps = list(steps)
        self._always = always
        self.of: dict[str, str] = {}
        self._failed: set[str] = set()

    async def __call__(self, step: str) -> None:
        about = get_contextvars().get("payment_id")
        # A message of an earlier test may still be in the queue: its payment is nobody's here.
        if about is None or not await self._is_stored(about):
            return
        if about not in self.of and self._steps:
            self.of[about] = self._steps.pop()
        if self.of.get(about) == step and (self._always or about not in self._failed):
            self._failed.add(about)
            raise Error(step)

    async def _is_stored(self, payment_id: str) -> bool:
        found = await rows(self._system.database, "SELECT 1 FROM payments WHERE id = :id", id=payment_id)
        return bool(found)


@pytest.fixture
def limits() -> dict[str, object]:
    return LIMITS


@pytest.mark.parametrize("always", [False, True], ids=["once", "always"])
async def test_an_error_at_any_step_loses_no_result_and_keeps_no_lock(system: System, always: bool) -> None:
    """Before the write it is certain that nothing was sent; after it the answer counts all the same."""
    pos = await system.pos()
    failing = Failing(system, WORKER_STEPS, always=always)
    await system.worker(failpoint=failing)

    async def deadline_passes() -> None:
        await eventually(lambda: "before_claim" in failing.of.values(), within_seconds=60)
        (waiting_one,) = (id_ for id_, step in failing.of.items() if step == "before_claim")
        await change(
            system.database, "UPDATE payments SET deadline_at = created_at WHERE id = :id", id=waiting_one
        )

    async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        if always:
            group.create_task(deadline_passes())
        terminals = [await stack.enter_async_context(ScriptedTerminal(answers)) for _ in WORKER_STEPS]
        # All of the first come to their steps before any of the next.
        first = await asyncio.gather(*(pos.pay(terminal.host) for terminal in terminals))
        talks = [list(terminal.talks) for terminal in terminals]
        for terminal in terminals:
            await eventually(functools.partial(system.is_free, terminal.host))
        following = await asyncio.gather(*(pos.pay(terminal.host) for terminal in terminals))

    for answered, next_one, its_talks in zip(first, following, talks, strict=True):
        row = await system.stored(payment_id(answered))
        step = failing.of[row.id]
        assert (row.state, row.reason, answered.status_code) == (ALWAYS if always else ONCE).get(
            step, PAID
        ), step
        assert answered.json()["payment"]["state"] == row.state
        written = [talk for talk in its_talks if talk.received]
        assert len(written) == (1 if row.state == "succeeded" else 0), step
        assert next_one.json()["paymentStatus"] == "Success", step
    assert set(failing.of.values()) == set(WORKER_STEPS)


async def test_what_comes_after_the_commit_can_fail_without_a_loss(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Metrics, closing, reply, identification, next message: the client is answered, the lock released."""
    api = await system.api()
    pos = await system.pos(api)
    worker = await system.worker()
    failed = set[str]()

    def failing(name: str) -> Callable[..., Any]:
        def fail(*_: Any, **__: Any) -> Any:
            failed.add(name)
            raise Error(name)

        return fail

    for owner, name in (
        (worker.metrics, "waited_in_queue"),
        (worker.metrics, "session_took"),
        (worker.metrics, "payment_ended"),
        (worker.publisher, "reply"),
        (queue, "next_for_terminals"),
        (Identifier, "ask"),
        (TcpConnection, "close"),
    ):
        monkeypatch.setattr(owner, name, failing(name))
    async with ScriptedTerminal(answers) as terminal, asyncio.TaskGroup() as group:
        first = group.create_task(pos.pay(terminal.host))
        second = group.create_task(pos.pay(terminal.host))

    assert [one.result().json()["paymentStatus"] for one in (first, second)] == ["Success"] * 2
    assert len(terminal.talks) == 2
    await eventually(lambda: system.is_free(terminal.host))
    assert failed >= {"waited_in_queue", "session_took", "reply", "ask", "close"}


@pytest.mark.parametrize("limits", [STEADY_DOUBT])
async def test_a_result_that_cannot_be_stored_keeps_its_lock_no_longer_than_a_doubt(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error each time: in doubt and released when the lease ends, and settled once it can be stored."""
    original, broken = settling.settle, [True]

    async def settle(*given: Any, **named: Any) -> Payment:
        if broken[0]:
            raise Error
        return await original(*given, **named)

    monkeypatch.setattr(settling, "settle", settle)
    monkeypatch.setattr(resilience, "UNEXPECTED_PAUSE_SECONDS", 0.5)
    pos, worker = await system.pos(), await system.worker()
    async with ScriptedTerminal(answers) as terminal:
        answered = await pos.pay(terminal.host)
        assert answered.json()["payment"]["state"] == "in_doubt"
        assert await eventually(lambda: system.is_free(terminal.host))

        broken[0] = False
        await eventually(lambda: _has_succeeded(system, payment_id(answered)))

        assert not (await system.stored(payment_id(answered))).contradicted
        assert len([talk for talk in terminal.talks if talk.received]) == 1
    # The first outcome is counted, and what settled it.
    await eventually(lambda: worker.metric("doubt_duration_seconds_count", source="late_answer") == 1)
    paid = {"operation": "debit", "outcome": "succeeded", "reason": ""}
    assert worker.metric("payments_total", **paid) == 0
    assert worker.metric("payments_total", **{**paid, "outcome": "in_doubt", "reason": "worker_lost"}) == 1


async def _has_succeeded(system: System, payment_id: str) -> bool:
    return str((await system.stored(payment_id)).state) == "succeeded"


@pytest.mark.parametrize(
    "limits", [{**STEADY_DOUBT, "answer_timeout_seconds": 6, "terminal_own_time_seconds": 6}]
)
async def test_a_lock_without_a_run_is_found_and_released_in_time(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run ends by an error after its claim: in doubt with a lease. Another run keeps its own lock."""
    original, broken = claims.claim, [False]

    async def claim(*given: Any, **named: Any) -> Claim:
        claimed = await original(*given, **named)
        if broken[0]:
            broken[0] = False
            raise Error
        return claimed

    monkeypatch.setattr(claims, "claim", claim)
    customer_pays = asyncio.Event()
    pos = await system.pos()
    await system.worker()
    async with (
        ScriptedTerminal(answers_after(customer_pays)) as busy,
        ScriptedTerminal(answers) as abandoned,
        asyncio.TaskGroup() as group,
    ):
        slow = group.create_task(pos.pay(busy.host))
        await eventually(lambda: busy.talks and busy.talks[0].received)
        broken[0] = True
        lost = await pos.pay(abandoned.host)

        told = lost.json()["payment"]
        assert (told["state"], told["reason"]) == ("in_doubt", "worker_lost")
        assert await system.holder(abandoned.host) == told["id"]
        assert not abandoned.talks
        assert await system.holder(busy.host) is not None
        customer_pays.set()
        assert (await slow).json()["paymentStatus"] == "Success"
        assert (await system.events(payment_id(await slow)))[:3] == ["accepted", "claimed", "answered_done"]
        await eventually(lambda: system.is_free(abandoned.host))
        assert (await pos.pay(abandoned.host)).json()["paymentStatus"] == "Success"


async def test_a_claim_that_is_committed_meanwhile_is_no_lock_without_a_run(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The locks are read between the run's first step and its last: the run's lock is left alone."""
    pos = await system.pos()
    original, looks = takeover.held_locks, asyncio.Event()
    customer_pays = asyncio.Event()
    paying: list[asyncio.Task[httpx.Response]] = []

    async with ScriptedTerminal(answers_after(customer_pays)) as shop:

        async def held(database: Database) -> Sequence[HeldLock]:
            if not paying:
                # The whole claim happens after the look has begun, and before its statement.
                paying.append(asyncio.create_task(pos.pay(shop.host)))
                await eventually(lambda: shop.talks and shop.talks[0].received)
                found = await original(database)
                assert len(found) == 1
                return found
            looks.set()
            return await original(database)

        monkeypatch.setattr(takeover, "held_locks", held)
        worker = await system.worker()
        await asyncio.wait_for(looks.wait(), 30)
        customer_pays.set()
        answered = await paying[0]

        assert answered.json()["paymentStatus"] == "Success"
        assert worker.metric("terminal_lock_takeovers_total") == 0
        assert (await system.events(payment_id(answered)))[:3] == ["accepted", "claimed", "answered_done"]
