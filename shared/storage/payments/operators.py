"""Operators: the payments that they look at, their decisions on doubts, and the record of their actions."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from shared.payment.answers import ResponseSpec, response_for
from shared.payment.evidence import Evidence, Source
from shared.payment.payment import Payment, Result
from shared.payment.states import Event, State
from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import settling
from shared.storage.payments.ending import lock, lock_debit_of
from shared.storage.payments.listing import Place
from shared.storage.payments.rows import OPEN, json_text, payment_of
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

_INSERT_ACTION = Statement(
    "INSERT INTO operator_actions (at, by, action, detail) VALUES ({now}, :by, :action, :detail)"
)

#: The newest first.
_ACTIONS = Statement(
    "SELECT id, at, by, action, detail FROM operator_actions"
    " WHERE CAST(:before AS BIGINT) IS NULL OR id < :before ORDER BY id DESC LIMIT :most"
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
class Decided:
    """A doubt that is settled by the decision; `is_new` is false where the same was decided before."""

    payment: Payment
    is_new: bool
    #: The response that the payment's client gets now.
    response: ResponseSpec


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


class Action(StrEnum):
    """A kind of action that an operator takes."""

    #: A merchant's sole use of a terminal address was confirmed.
    SOLE_USE_CONFIRMED = "sole_use_confirmed"
    #: A sole use was withdrawn.
    SOLE_USE_WITHDRAWN = "sole_use_withdrawn"
    #: One delivery was replayed.
    DELIVERY_REPLAYED = "delivery_replayed"
    #: A batch of at most 500 deliveries that fit a filter was replayed.
    DELIVERIES_REPLAYED = "deliveries_replayed"


@dataclass(frozen=True, slots=True)
class OperatorAction:
    """A recorded action with the operator's credential; `at` is milliseconds since 1970 UTC."""

    id: int
    at: int
    by: str
    action: str
    detail: dict[str, Any]


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
    name: str,
    detail: dict[str, object],
    result: Result,
    early_seconds: float,
    doubt_window: DoubtWindow,
) -> Decided | TooEarly | NotInDoubt:
    """Settle a doubt by an operator's decision, stored as evidence with the operator's `name` and `detail`.

    The payment must be known to exist. Raises DatabaseUnavailable, CommitUnknown (decide again).
    """

    async def work(tx: Transaction) -> Decided | TooEarly | NotInDoubt:
        await lock_debit_of(tx, payment_id)
        await lock(tx, payment_id)
        row = await tx.one(_ONE, payment_id=payment_id)
        assert row is not None
        found = _case(row)
        if found.payment.state is not State.IN_DOUBT:
            return _decided_before(found, decision)
        left = found.seconds_left(decision, early_seconds, doubt_window(found.profile))
        if left > 0:
            return TooEarly(found.payment, left)
        evidence = Evidence(Source.OPERATOR, _PROOFS[decision], {"decision": decision.value, **detail})
        payment = await settling.add(tx, payment_id, evidence, result, brought_by=name)
        return Decided(payment, is_new=True, response=response_for(payment))

    return await database.write(work)


def _decided_before(found: Case, decision: Decision) -> Decided | NotInDoubt:
    payment = found.payment
    state = State.SUCCEEDED if decision is Decision.CHARGED else State.ABORTED
    if payment.resolved_by == Source.OPERATOR and payment.state is state:
        return Decided(payment, is_new=False, response=found.response)
    return NotInDoubt(payment, found.response)


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


async def record_action(tx: Transaction, by: str, action: Action, detail: Mapping[str, object]) -> None:
    """Append one action, at the database's time."""
    await tx.run(_INSERT_ACTION, by=by, action=action.value, detail=json_text(detail))


async def actions(
    database: Database, *, after: Place | None, limit: int
) -> tuple[list[OperatorAction], Place | None]:
    """Return actions, the newest first, and the start of the next page. Raises DatabaseUnavailable."""
    before = None if after is None else after.created_at
    rows = await database.read(lambda tx: tx.all(_ACTIONS, before=before, most=limit + 1))
    found = [OperatorAction(row.id, row.at, row.by, row.action, json.loads(row.detail)) for row in rows]
    return found[:limit], Place(found[limit - 1].id, "action") if len(found) > limit else None
