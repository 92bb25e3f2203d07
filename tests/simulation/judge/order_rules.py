"""Rules of orders: the money of all attempts together, and the clients' answers while it moved.

The payment that an answer shows is one attempt of an operation; whoever tries again does so by the order.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.concert.fields import Action
from shared.payment.evidence import Source
from shared.payment.payment import Operation
from shared.payment.states import FINAL_STATES, State
from tests.simulation.model.pos import Answer

if TYPE_CHECKING:
    from tests.simulation.world import World

Rows = dict[str, Any]


@dataclass
class _Attempt:
    """One payment; numbers are those of its entries in the history, which are in the order of commits."""

    row: Any
    accepted: int = 0
    claimed: int = 0
    ended: int | None = None
    #: It gave its order's number away.
    left: int | None = None
    #: Conflicting evidence was recorded.
    contradicted: int | None = None

    @property
    def order(self) -> tuple[str, str]:
        return self.row["merchant_id"], self.row["order_id"]

    @property
    def key(self) -> tuple[object, ...]:
        """Return the key that it shares with other attempts of its operation."""
        row = self.row
        named: tuple[object, ...] = ()
        if row["operation"] == Operation.CREDIT:
            named = row["amount_cents"], row["idempotency_key"]
        return *self.order, row["operation"], row["debit_id"], *named

    def moved_money(self, before: int) -> bool:
        """Return whether it was known, before that entry, that it moved money."""
        if self.row["state"] == State.SUCCEEDED:
            return self.ended is not None and self.ended <= before
        return self.contradicted is not None and self.contradicted <= before


@dataclass
class Orders:
    """The attempts of one history, by id, and what happened to their money."""

    attempts: dict[str, _Attempt]
    #: Orders with an operator's wrong decision.
    excused: set[tuple[str, str]] = field(default_factory=set)
    of_key: dict[tuple[object, ...], list[_Attempt]] = field(default_factory=dict)
    #: By debit.
    reversals: dict[str, list[_Attempt]] = field(default_factory=dict)


def orders_of(events: list[Any], payments: Rows, wrong: set[str]) -> Orders:
    """Return the attempts; `wrong` are payments with an operator's wrong decision."""
    attempts = {payment_id: _Attempt(row) for payment_id, row in payments.items()}
    for event in events:
        attempt = attempts[event["payment_id"]]
        number = event["id"]
        attempt.accepted = attempt.accepted or number
        if event["event"] == "claimed":
            attempt.claimed = number
        elif event["event"] == "guard_left":
            attempt.left = number
        elif event["event"] == "contradiction":
            attempt.contradicted = attempt.contradicted or number
        if attempt.ended is None and event["state"] in FINAL_STATES:
            attempt.ended = number
    orders = Orders(attempts, {attempts[payment_id].order for payment_id in wrong})
    of_key, reversals = defaultdict(list), defaultdict(list)
    for attempt in attempts.values():
        of_key[attempt.key].append(attempt)
        if attempt.row["operation"] == Operation.REVERSAL and attempt.row["debit_id"]:
            reversals[attempt.row["debit_id"]].append(attempt)
    orders.of_key, orders.reversals = dict(of_key), dict(reversals)
    return orders


def judge_orders(world: "World", orders: Orders, violations: list[str]) -> None:
    """Add each violation."""
    _judge_charges(world, orders, violations)
    for attempts in orders.of_key.values():
        violations.extend(_begun_though_closed(attempts))
    charged = {charge.payment_id for charge in world.ledger.charges}
    for answer in world.pos.log.answers:
        if answer.safe_to_retry:
            violations.extend(_safe_though_closed(answer, orders))
        if answer.is_success:
            violations.extend(_given_back(answer, orders))
        if (answer.merchant_id, answer.order_id) in orders.excused:
            continue
        if answer.safe_to_retry:
            violations.extend(_unsafe(answer, orders, charged))


def _judge_charges(world: "World", orders: Orders, violations: list[str]) -> None:
    """Check that an order never has two charges, and never more given back than was paid."""
    debits: dict[tuple[str, str], list[int]] = defaultdict(list)
    given: dict[tuple[str, str], int] = defaultdict(int)
    debited_at: dict[tuple[str, str], float] = {}
    life = world.usage.guard_life_seconds
    for charge in sorted(world.ledger.charges, key=lambda charge: charge.at):
        attempt = orders.attempts.get(charge.payment_id)
        if attempt is None or attempt.order in orders.excused:
            continue
        order = attempt.order
        if charge.action == Action.DEBIT:
            before = debited_at.get(order)
            debited_at[order] = charge.at
            if life is not None and before is not None and charge.at - before >= life:
                debits[order].clear()  # its number began again
                given[order] = 0
            debits[order].append(charge.amount_cents)
        elif charge.action == Action.REVERSAL and debits[order] and not given[order]:
            debits[order].pop()
        else:
            given[order] += charge.amount_cents
        if len(debits[order]) > 1:
            violations.append(f"order charged {len(debits[order])} times: {order[1]}")
        if given[order] > sum(debits[order]):
            violations.append(f"more given back than was paid: {order[1]}")
        if not debits[order]:
            given[order] = 0


def _closed(attempts: list[_Attempt]) -> int | None:
    """Return the entry of the first conflicting evidence: from there on an operator decides."""
    return min((one.contradicted for one in attempts if one.contradicted is not None), default=None)


def _begun_though_closed(attempts: list[_Attempt]) -> Iterator[str]:
    closed = _closed(attempts)
    for attempt in attempts:
        if closed is not None and max(attempt.accepted, attempt.claimed) > closed:
            yield f"begun after conflicting evidence: {attempt.order[1]} {attempt.row['id']}"


def _shown(answer: Answer, orders: Orders) -> _Attempt | None:
    """Return the attempt that the answer shows."""
    return None if answer.payment is None else orders.attempts.get(answer.payment.id)


def _safe_though_closed(answer: Answer, orders: Orders) -> Iterator[str]:
    shown = _shown(answer, orders)
    closed = None if shown is None else _closed(orders.of_key[shown.key])
    if closed is not None and closed <= answer.asked_after_event:
        yield f"'safe to retry' after conflicting evidence: {answer.order_id}"


def _unsafe(answer: Answer, orders: Orders, charged: set[str]) -> Iterator[str]:
    """Check an answer 'safe to retry': no attempt has moved money, or still can."""
    shown = _shown(answer, orders)
    if shown is None or shown.ended is None:
        return
    for attempt in orders.of_key[shown.key]:
        # Attempts after the end of the answer's payment could not be seen by it.
        if attempt.accepted > shown.ended:
            continue
        # A reversed attempt, or one whose order number came again, no longer matters.
        if attempt.left is not None or attempt.row["id"] in _reversed(orders, shown.ended):
            continue
        payment_id = attempt.row["id"]
        # After the doubt window an operator may end a payment, whatever its terminal may still read.
        is_at_work = payment_id in answer.at_work and attempt.row["resolved_by"] != Source.OPERATOR
        if payment_id in charged or is_at_work:
            what = "charged" if payment_id in charged else "at work"
            by = f"{shown.row['state']}, {shown.row['reason']}"
            yield f"'safe to retry' ({by}), and {what}: {answer.order_id} {payment_id}"


def _given_back(answer: Answer, orders: Orders) -> Iterator[str]:
    """Check an answer 'success': its reversal was not known before the request."""
    shown = _shown(answer, orders)
    if shown is not None and shown.row["id"] in _reversed(orders, answer.asked_after_event):
        yield f"'success' of a reversed payment: {answer.order_id} {shown.row['id']}"


def _reversed(orders: Orders, before: int) -> set[str]:
    return {
        debit_id
        for debit_id, reversals in orders.reversals.items()
        if any(reversal.moved_money(before) for reversal in reversals)
    }
