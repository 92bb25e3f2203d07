"""One payment from its request to what the caller is told: store, publish, wait, answer what is stored."""

import asyncio
import json
from dataclasses import dataclass
from typing import Final

import structlog

from api.addresses import LineFinder, OutsideNetworks
from api.contract.errors import (
    Contended,
    DatabaseUnavailable,
    ForeignTerminal,
    KeyClosed,
    OrderConflict,
    UnknownTerminal,
    UnsupportedByTerminal,
)
from api.contract.request import OrderRequest
from api.terminals import Terminals
from api.waiting import Waiter, Waiters
from shared.announcing import Announcer
from shared.broker.failures import BrokerFailure
from shared.broker.interfaces import Listens, Publishes
from shared.broker.messages import PaymentMessage
from shared.clock import Clock
from shared.concert.encode import CannotAsk, check_can_ask
from shared.concert.profile import Profile
from shared.ids import RandomBytes, new_payment_id
from shared.logging import bound
from shared.metrics import Metrics
from shared.payment.payment import Payment, Reason
from shared.payment.states import State
from shared.settings.settings import Settings
from shared.storage import claims, waiting
from shared.storage.accepting import Acceptance, Accepted, Attached, Conflict, NewPayment, NoPlace, accept
from shared.storage.engine import CommitUnknown, Database, DatabaseAway
from shared.storage.merchants import Credential

_log = structlog.get_logger()

#: How soon to look again, where the database was away or its clock is a little behind ours at the deadline.
_LOOK_AGAIN_SECONDS: Final = 0.5
_KNOWN_LINES_AT_MOST: Final = 100_000


@dataclass(frozen=True, slots=True)
class Caller:
    """What the request says beside its order."""

    credential: Credential
    idempotency_key: str | None = None
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The payment as it is stored now; `replayed`: it is the result of an earlier request."""

    payment: Payment
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class _Target:
    """Where the payment goes, and how that terminal is spoken to."""

    host: str
    port: int
    line: str | None
    register_number: str
    profile: str


class Payments:
    """Takes payments in; any number of callers wait at once, none of them holds a connection meanwhile."""

    def __init__(
        self,
        *,
        database: Database,
        publisher: Publishes,
        replies: Listens,
        announcer: Announcer,
        waiters: Waiters,
        lines: LineFinder,
        terminals: Terminals,
        clock: Clock,
        metrics: Metrics,
        settings: Settings,
        random_bytes: RandomBytes,
    ) -> None:
        self._database: Final = database
        self._publisher: Final = publisher
        self._replies: Final = replies
        self._announcer: Final = announcer
        self._waiters: Final = waiters
        self._lines: Final = lines
        self._terminals: Final = terminals
        self._clock: Final = clock
        self._metrics: Final = metrics
        self._settings: Final = settings
        self._random_bytes: Final = random_bytes
        self._known_lines: Final[set[str]] = set()

    async def pay(self, order: OrderRequest, caller: Caller) -> Answered:
        """Return what became of the order. Raises the contract's errors."""
        started_at = self._clock.monotonic()
        payment_id = new_payment_id(self._clock, self._random_bytes)
        with bound(payment_id=payment_id):
            try:
                target = await self._target(order, caller.credential)
                new = self._new_payment(payment_id, order, caller, target)
                # The waiter is there before the message: a reply cannot come too early.
                with self._waiters.waiting(payment_id, attached=False) as waiter:
                    acceptance = await self._accept(new)
                    if isinstance(acceptance, Accepted):
                        return await self._accepted(acceptance, new, waiter, started_at)
            except (DatabaseAway, CommitUnknown) as error:
                _log.error("database away", error=str(error))
                raise DatabaseUnavailable from error
        return await self._not_inserted(acceptance, started_at)

    async def _target(self, order: OrderRequest, credential: Credential) -> _Target:
        merchant_id = credential.merchant_id
        assert merchant_id is not None, "a private credential belongs to a merchant"
        terminal = None
        if order.terminal_id is not None:
            terminal = await self._terminals.by_id(merchant_id, order.terminal_id)
            if terminal is None:
                raise UnknownTerminal
            host, port = terminal.host, terminal.port
        else:
            assert order.host is not None
            assert order.port is not None
            host, port = order.host, order.port
        try:
            line = await self._lines.find(host, port, credential.networks)
        except OutsideNetworks as error:
            _log.warning("terminal outside the merchant's networks", address=str(error))
            raise ForeignTerminal from error
        if terminal is None and line is not None:
            terminal = await self._terminals.by_line(merchant_id, line)
        profile = Profile.from_dict({} if terminal is None else json.loads(terminal.profile))
        try:
            check_can_ask(force_authorization=order.force_authorization, profile=profile)
        except CannotAsk as error:
            raise UnsupportedByTerminal(str(error)) from error
        register = self._settings.register_number if terminal is None else terminal.register_number
        return _Target(host, port, line, register, "{}" if terminal is None else terminal.profile)

    def _new_payment(
        self, payment_id: str, order: OrderRequest, caller: Caller, target: _Target
    ) -> NewPayment:
        assert caller.credential.merchant_id is not None
        return NewPayment(
            id=payment_id,
            merchant_id=caller.credential.merchant_id,
            order_id=order.order_id,
            operation=order.operation,
            idempotency_key=caller.idempotency_key,
            amount_cents=order.amount_cents,
            currency=order.currency,
            protocol=order.protocol,
            force_authorization=order.force_authorization,
            host=target.host,
            port=target.port,
            line=target.line,
            register_number=target.register_number,
            profile=target.profile,
            request=order.request_text,
            reply_to=self._replies.name,
            traceparent=caller.traceparent,
            deadline_seconds=self._settings.queue_deadline_seconds,
            warnings=order.warnings,
        )

    async def _accept(self, new: NewPayment) -> Acceptance:
        """Store it. After a commit whose answer was lost, look whether it was carried out."""
        try:
            return await self._accept_once(new)
        except CommitUnknown:
            stored = await waiting.payment(self._database, new.id)
            if stored is not None:
                return Accepted(stored.id, stored.state)
        again = await self._accept_once(new)
        if isinstance(again, Attached) and again.payment.id == new.id:
            return Accepted(new.id, again.payment.state)
        return again

    async def _accept_once(self, new: NewPayment) -> Acceptance:
        acceptance = await accept(
            self._database,
            new,
            replay_seconds=self._settings.replay_window_seconds,
            credit_replay_seconds=self._settings.replay_window_unkeyed_credit_seconds,
            line_known=new.line in self._known_lines,
        )
        # Lines are never deleted. A conflict may have rolled back the transaction that made this one.
        if (
            new.line is not None
            and not isinstance(acceptance, Conflict)
            and len(self._known_lines) < _KNOWN_LINES_AT_MOST
        ):
            self._known_lines.add(new.line)
        return acceptance

    async def _accepted(
        self, acceptance: Accepted, new: NewPayment, waiter: Waiter, started_at: float
    ) -> Answered:
        for warning in new.warnings:
            _log.warning("order accepted with a warning", warning=warning)
        if acceptance.state is not State.QUEUED:
            payment = await self._stored(new.id)
            self._metrics.payment_ended(payment.operation, payment.state, payment.reason)
            return Answered(payment)
        stopped = await self._publish(new)
        return Answered(stopped or await self._outcome(waiter, started_at))

    async def _publish(self, new: NewPayment) -> Payment | None:
        """Publish it; return the payment where the broker is away and it could be stopped."""
        message = PaymentMessage(new.id, new.reply_to)
        try:
            await self._publisher.publish_payment(message, traceparent=new.traceparent)
        except BrokerFailure as error:
            _log.error("broker away", error=str(error))
            cancelled = await claims.cancel(self._database, new.id, Reason.BROKER_AWAY)
            if cancelled is not None:
                self._metrics.payment_ended(cancelled.operation, cancelled.state, cancelled.reason)
            # A worker that claimed it first wins: then there will be an outcome to wait for.
            return cancelled
        return None

    async def _not_inserted(self, acceptance: Acceptance, started_at: float) -> Answered:
        match acceptance:
            case Attached(payment) if payment.state is State.SUCCEEDED:
                return Answered(payment, replayed=True)
            case Attached(payment):
                with bound(payment_id=payment.id), self._waiters.waiting(payment.id, attached=True) as waiter:
                    try:
                        return Answered(await self._outcome(waiter, started_at))
                    except (DatabaseAway, CommitUnknown) as error:
                        raise DatabaseUnavailable from error
            case Conflict("key_closed", _, payment):
                raise KeyClosed(payment=payment)
            case Conflict(reason, description, payment):
                raise OrderConflict(reason, description, payment=payment)
            case NoPlace() | Accepted():
                raise Contended

    async def _outcome(self, waiter: Waiter, started_at: float) -> Payment:
        """Wait until the payment has an outcome or is in doubt, or the caller's time is over.

        Past its deadline a payment that nobody took is expired from here: the caller hears of it in time.
        Raises DatabaseAway, CommitUnknown where the database is away when the time is over.
        """
        ends_at = started_at + self._settings.caller_wait_seconds
        expire_at = started_at + self._settings.queue_deadline_seconds
        look_at = expire_at
        while True:
            await self._until_woken(waiter, min(ends_at, look_at))
            now = self._clock.monotonic()
            try:
                payment = await self._look(waiter.payment_id, past_deadline=now >= expire_at)
            except (DatabaseAway, CommitUnknown):
                if now >= ends_at:
                    raise
                look_at = now + _LOOK_AGAIN_SECONDS
                continue
            if payment.is_final or payment.state is State.IN_DOUBT or now >= ends_at:
                self._note_added(payment, started_at)
                return payment
            queued = payment.state is State.QUEUED
            look_at = max(expire_at, now + _LOOK_AGAIN_SECONDS) if queued else ends_at

    async def _until_woken(self, waiter: Waiter, until: float) -> None:
        try:
            async with asyncio.timeout(max(0.0, until - self._clock.monotonic())):
                await waiter.woken.wait()
        except TimeoutError:
            return
        # Before the row is read: what comes after this wakes the caller again.
        waiter.woken.clear()

    async def _look(self, payment_id: str, *, past_deadline: bool) -> Payment:
        if past_deadline:
            expired = await self._announcer.expire(payment_id)
            if expired is not None:
                return expired
        return await self._stored(payment_id)

    async def _stored(self, payment_id: str) -> Payment:
        payment = await waiting.payment(self._database, payment_id)
        assert payment is not None, "payments are never deleted"
        return payment

    def _note_added(self, payment: Payment, started_at: float) -> None:
        """Note what we added: all of the caller's time but the terminal's session."""
        if payment.claimed_at is None or payment.ended_at is None:
            return
        total_seconds = self._clock.monotonic() - started_at
        self._metrics.answered(total_seconds, (payment.ended_at - payment.claimed_at) / 1000)
