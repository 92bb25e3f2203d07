"""Operators: the payments that they look at, and their decisions on doubts."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.payment.answers import ResponseSpec, response_for
from shared.payment.evidence import Evidence, Source
from shared.payment.payment import Payment, Result
from shared.payment.states import Event, State
from shared.storage.administration import audit_trail
from shared.storage.administration.audit_trail import Action, Actor
from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import settling
from shared.storage.payments.ending import lock, lock_debit_of
from shared.storage.payments.listing import Place
from shared.storage.payments.rows import OPEN, payment_of
from shared.storage.payments.snapshots import AnsweredPayment

_AGES = (
    "SELECT {payment}, profile, {now} - doubted_at AS doubt_ms, {now} - claimed_at AS claim_ms,"
    " EXISTS (SELECT 1 FROM terminal_locks"
    " WHERE terminal_locks.address = payments.terminal_address AND terminal_locks.held_by = payments.id)"
    " AS terminal_is_locked,"
    " {another_blocks} AS another_blocks FROM payments"
)

#: The oldest first: it has waited longest for a decision.
_DOUBTS = Statement(
    _AGES + f" WHERE {OPEN} AND state = 'in_doubt' AND (created_at, id) > (:created_at, :id)"
    " ORDER BY created_at, id LIMIT :most"
)

_CONFLICTS = Statement(
    _AGES + " WHERE contradicted AND (created_at, id) > (:created_at, :id)"
    " ORDER BY created_at, id LIMIT :most"
)

#: Read after the payment's row was locked.
_ONE = Statement(_AGES + " WHERE id = :payment_id")

#: The proof that settled a doubt: the first of its source.
_SETTLER = Statement(
    "SELECT at, brought_by, detail FROM evidence"
    " WHERE payment_id = :payment_id AND source = :source AND proves IS NOT NULL ORDER BY id LIMIT 1"
)

_START: Final = Place(-1, "")

#: Returns the doubt window in seconds for a payment's stored profile (JSON).
DoubtWindow = Callable[[str], float]


class Decision(StrEnum):
    """An operator's decision on a doubt."""

    CHARGED = "charged"
    NOT_CHARGED = "not_charged"


_PROOFS: Final = {Decision.CHARGED: Event.PROVED_DONE, Decision.NOT_CHARGED: Event.PROVED_ABORTED}


@dataclass(frozen=True, slots=True)
class Case(AnsweredPayment):
    """A payment for an operator; ages are seconds by the database's clock, 0 where there is none."""

    #: JSON of the Concert profile of the payment's session.
    profile: str
    doubt_age_seconds: float
    claim_age_seconds: float
    terminal_is_locked: bool

    def seconds_left(self, decision: Decision, early_seconds: float, window_seconds: float) -> float:
        """Return the seconds that this decision has to wait; 0 or less: it may be taken.

        No decision is taken in a doubt's first seconds. That nothing was charged cannot be known before the
        doubt window, counted from the claim, has ended: until then the terminal may carry out our request.
        """
        left = early_seconds - self.doubt_age_seconds
        if decision is Decision.NOT_CHARGED:
            left = max(left, window_seconds - self.claim_age_seconds)
        return left


@dataclass(frozen=True, slots=True)
class Settler:
    """The settler of a doubt: the evidence's source, who brought it, and at what time (ms since 1970 UTC)."""

    source: str
    #: The operator's name, the gateway's credential or the worker's id.
    name: str | None
    #: The operator's credential.
    by: str | None
    decision: str | None
    at: int


@dataclass(frozen=True, slots=True)
class Decided:
    """A doubt that is settled by the decision; `is_new` is false where the same was decided before."""

    payment: Payment
    is_new: bool
    #: The response that the payment's client gets now.
    response: ResponseSpec
    settler: Settler | None


@dataclass(frozen=True, slots=True)
class TooEarly:
    """A decision that has to wait."""

    payment: Payment
    seconds_left: float


@dataclass(frozen=True, slots=True)
class NotInDoubt:
    """A payment without a doubt to decide."""

    payment: Payment
    #: The response that the payment's client gets now.
    response: ResponseSpec
    #: Who settled its doubt; None: it was in none.
    settler: Settler | None


async def doubts(database: Database, *, after: Place | None, limit: int) -> tuple[list[Case], Place | None]:
    """Return payments in doubt, the oldest first, and the start of the next page."""
    return await _cases(database, _DOUBTS, after, limit)


async def conflicts(
    database: Database, *, after: Place | None, limit: int
) -> tuple[list[Case], Place | None]:
    """Return payments with conflicting evidence, the oldest first, and the start of the next page."""
    return await _cases(database, _CONFLICTS, after, limit)


async def case(database: Database, payment_id: str) -> Case | None:
    """Return one payment for an operator; None: there is none of this id."""
    row = await database.read(lambda tx: tx.one(_ONE, payment_id=payment_id))
    return None if row is None else _case(row)


async def decide(
    database: Database,
    payment_id: str,
    decision: Decision,
    *,
    actor: Actor,
    result: Result,
    early_seconds: float,
    doubt_window: DoubtWindow,
) -> Decided | TooEarly | NotInDoubt:
    """Settle a doubt by an operator's decision, which becomes evidence and a record of the audit trail.

    Of two operators one decides; the other is told who did. The payment must be known to exist. Raises
    DatabaseUnavailable, CommitUnknown (decide again).
    """

    async def work(tx: Transaction) -> Decided | TooEarly | NotInDoubt:
        await lock_debit_of(tx, payment_id)
        await lock(tx, payment_id)
        row = await tx.one(_ONE, payment_id=payment_id)
        assert row is not None
        found = _case(row)
        if found.payment.state is not State.IN_DOUBT:
            return _decided_before(found, decision, await _settler(tx, found.payment))
        left = found.seconds_left(decision, early_seconds, doubt_window(found.profile))
        if left > 0:
            return TooEarly(found.payment, left)
        detail = {"by": actor.by, "name": actor.name, "reason": actor.reason}
        evidence = Evidence(Source.OPERATOR, _PROOFS[decision], {"decision": decision.value, **detail})
        payment = await settling.add(tx, payment_id, evidence, result, brought_by=actor.name)
        await audit_trail.record(
            tx,
            actor,
            Action.DOUBT_DECIDED,
            payment_id,
            detail={"decision": decision.value, "paid_cents": result.paid_cents},
            before={"state": found.payment.state.value},
            after={"state": payment.state.value},
        )
        settler = await _settler(tx, payment)
        return Decided(payment, is_new=True, response=response_for(payment), settler=settler)

    return await database.write(work)


def _decided_before(found: Case, decision: Decision, settler: Settler | None) -> Decided | NotInDoubt:
    payment = found.payment
    state = State.SUCCEEDED if decision is Decision.CHARGED else State.ABORTED
    if payment.resolved_by == Source.OPERATOR and payment.state is state:
        return Decided(payment, is_new=False, response=found.response, settler=settler)
    return NotInDoubt(payment, found.response, settler)


async def _settler(tx: Transaction, payment: Payment) -> Settler | None:
    """Return who settled a payment that was in doubt; None: it never was."""
    if payment.resolved_by is None:
        return None
    row = await tx.one(_SETTLER, payment_id=payment.id, source=payment.resolved_by)
    if row is None:
        return None
    detail = json.loads(row.detail)
    return Settler(payment.resolved_by, row.brought_by, detail.get("by"), detail.get("decision"), row.at)


async def _cases(
    database: Database, statement: Statement, after: Place | None, limit: int
) -> tuple[list[Case], Place | None]:
    start = after or _START
    rows = await database.read(
        lambda tx: tx.all(statement, created_at=start.created_at, id=start.id, most=limit + 1)
    )
    found = [_case(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return found, None
    return found, Place(found[-1].payment.created_at, found[-1].payment.id)


def _case(row: Row) -> Case:
    return Case(
        payment_of(row),
        row.profile,
        max(0, row.doubt_ms or 0) / 1000,
        max(0, row.claim_ms or 0) / 1000,
        terminal_is_locked=bool(row.terminal_is_locked),
        another_attempt_blocks=bool(row.another_blocks),
    )
