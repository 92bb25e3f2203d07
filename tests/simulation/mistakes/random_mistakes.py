"""Deliberate mistakes of the product that random histories must show."""

import asyncio
import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any
from unittest.mock import patch

from api.payments import waiters
from shared.payment.evidence import Evidence, Source
from shared.payment.payment import Reason
from shared.payment.states import Event, State, apply
from shared.settings.settings import Settings
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import claims, insertion
from shared.storage.payments.snapshots import PaymentSnapshot
from shared.storage.terminals import locks, takeover
from shared.storage.terminals.takeover import TakenOver
from terminal_worker.recovery import dead_workers
from terminal_worker.recovery.doubt_leases import DoubtLeases
from terminal_worker.recovery.lease import Lease
from terminal_worker.recovery.sweep import Sweep
from terminal_worker.run import Runs
from terminal_worker.session.enquiry import Enquirer, EnquiryResult
from terminal_worker.session.session import SessionResult, TerminalSessions
from tests.simulation.engine.limits import SETTINGS
from tests.simulation.mistakes.mistake import Mistake, changed
from tests.simulation.mistakes.notification_mistakes import NOTIFICATION_MISTAKES
from tests.simulation.mistakes.request_mistakes import REQUEST_MISTAKES


@contextmanager
def no_terminal_lock() -> Iterator[None]:
    """Grant a terminal lock that is held."""
    with patch.object(locks, "_ACQUIRE", changed(locks._ACQUIRE, (" AND held_by IS NULL", ""))):
        yield


@contextmanager
def requeued_at_takeover() -> Iterator[None]:
    """Queue a dead worker's payment again, as a broker would."""
    original = takeover.take_over
    requeue = Statement("UPDATE payments SET state = 'queued', deadline_at = {now} + 30000 WHERE id = :id")
    free = Statement("UPDATE terminal_locks SET held_by = NULL, epoch = epoch + 1 WHERE held_by = :id")

    async def take_over(database: Database, *arguments: Any, **named: Any) -> TakenOver | None:
        taken = await original(database, *arguments, **named)
        if taken is None or taken.claimed is None or taken.claimed.payment.state is not State.IN_DOUBT:
            return taken
        payment_id = taken.grant.payment_id

        async def work(tx: Transaction) -> None:
            await tx.run(free, id=payment_id)
            await tx.run(requeue, id=payment_id)

        await database.write(work)
        return None

    with patch.object(takeover, "take_over", take_over):
        yield


@contextmanager
def sent_again_after_doubt() -> Iterator[None]:
    """Send again after a lost connection."""
    original = TerminalSessions.hold

    async def hold(self: TerminalSessions, claimed: claims.Claimed, started_at: float) -> SessionResult:
        ended = await original(self, claimed, started_at)
        if ended.settlement.reason == Reason.CONNECTION_LOST:
            return await original(self, claimed, self._clock.boot())
        return ended

    with patch.object(TerminalSessions, "hold", hold):
        yield


@contextmanager
def no_order_guard() -> Iterator[None]:
    """Give every attempt a key of its own."""
    insert = changed(
        insertion._INSERT,
        (":guard_key,", "CASE WHEN :guard_key IS NULL THEN NULL ELSE :guard_key || :id END,"),
    )
    with patch.object(insertion, "_INSERT", insert):
        yield


@contextmanager
def lease_without_end() -> Iterator[None]:
    """Hold a lease in doubt until it is settled, without an end."""
    original = DoubtLeases._why_free

    def why_free(self: DoubtLeases, hold: Lease, state: State | None, asked_by: str | None) -> str | None:
        hold.ends_at = math.inf
        return original(self, hold, state, asked_by)

    with patch.object(DoubtLeases, "_why_free", why_free):
        yield


def enquiry_right_after_takeover() -> AbstractContextManager[object]:
    """Enquire right after a takeover, while the dead worker may still write."""
    return patch.object(dead_workers, "Lease", partial(Lease, enquires_soon=True))


@contextmanager
def answered_from_the_reply() -> Iterator[None]:
    """Send the reply before the commit, and answer from it."""
    said: dict[str, State] = {}
    end, look = Runs._end, waiters.ResultWaiter._look

    async def reply_first(
        self: Runs, claimed: claims.Claimed, ended: SessionResult, started_at: float
    ) -> None:
        payment = claimed.payment
        said[payment.id] = apply(State.IN_SESSION, ended.settlement.event)
        await self._reply_publisher.reply(payment.id, payment.reply_to)
        await end(self, claimed, ended, started_at)

    async def believe(self: waiters.ResultWaiter, payment_id: str, *, past_deadline: bool) -> PaymentSnapshot:
        seen = await look(self, payment_id, past_deadline=past_deadline)
        state = said.get(payment_id)
        return seen if state is None else replace(seen, payment=replace(seen.payment, state=state))

    with patch.object(Runs, "_end", reply_first), patch.object(waiters.ResultWaiter, "_look", believe):
        yield


@contextmanager
def no_sweep() -> Iterator[None]:
    """Never sweep for payments whose message was lost."""

    async def once(_: Sweep) -> None:
        await asyncio.sleep(0)

    with patch.object(Sweep, "once", once):
        yield


@contextmanager
def not_charged_by_enquiry() -> Iterator[None]:
    """Take another last transaction for the proof that ours never happened."""
    original = Enquirer._ask

    async def ask(self: Enquirer, *arguments: Any) -> EnquiryResult:
        found = await original(self, *arguments)
        if not found.answered or (found.evidence is not None and found.evidence.proves is not None):
            return found
        return replace(found, evidence=Evidence(Source.ENQUIRY, Event.PROVED_ABORTED))

    with patch.object(Enquirer, "_ask", ask):
        yield


@contextmanager
def no_write_window() -> Iterator[None]:
    """Write the request however late it is."""
    original = TerminalSessions.__init__
    endless: Settings = SETTINGS.model_copy(update={"write_window_seconds": math.inf})

    def init(self: TerminalSessions, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        vars(self)["_settings"] = endless

    with patch.object(TerminalSessions, "__init__", init):
        yield


@contextmanager
def no_epoch() -> Iterator[None]:
    """Raise no epoch, and release by the epoch alone: an earlier run's release frees the terminal."""
    take = changed(locks._ACQUIRE, ("epoch = epoch + 1, ", ""))
    release = changed(locks._RELEASE, (" AND claim = :token", ""), ("epoch = epoch + 1, ", ""))
    with patch.object(locks, "_ACQUIRE", take), patch.object(locks, "_RELEASE", release):
        yield


@contextmanager
def read_back_without_token() -> Iterator[None]:
    """Read a claim back by its payment, without the token."""
    with patch.object(locks, "_GRANTED_WITH", changed(locks._GRANTED_WITH, (" AND claim = :token", ""))):
        yield


@contextmanager
def released_while_enquiring() -> Iterator[None]:
    """Release a terminal while its enquiry goes on."""

    async def stop(_self: DoubtLeases, _: Lease) -> None:
        await asyncio.sleep(0)

    with patch.object(DoubtLeases, "_stop", stop):
        yield


#: Found by random histories.
RANDOM_MISTAKES: dict[str, Mistake] = {
    "no terminal lock": no_terminal_lock,
    "requeued at takeover": requeued_at_takeover,
    "sent again after doubt": sent_again_after_doubt,
    "order guard off": no_order_guard,
    "a lease without end": lease_without_end,
    "an enquiry right after a takeover": enquiry_right_after_takeover,
    "answered from a reply before the commit": answered_from_the_reply,
    **REQUEST_MISTAKES,
    **NOTIFICATION_MISTAKES,
}
