"""Judges by order: the money of all its attempts together, and what callers were told while any of it moved.

The payment that an answer shows is one attempt of an operation; whoever tries again does so by the order.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.concert.fields import Action
from shared.payment.payment import Operation
from shared.payment.states import FINAL_STATES, State
from tests.simulation.tills import Heard

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
    #: A proof said the reverse of its state.
    contradicted: int | None = None

    @property
    def order(self) -> tuple[str, str]:
        return self.row["merchant_id"], self.row["order_id"]

    @property
    def key(self) -> tuple[object, ...]:
        """What another attempt of the same operation has in common with it."""
        row = self.row
        named: tuple[object, ...] = ()
        if row["operation"] == Operation.CREDIT:
            named = row["amount_cents"], row["idempotency_key"]
        return *self.order, row["operation"], row["debit_id"], *named

    def moved_money(self, before: int) -> bool:
        """Whether it was known, before that entry, that it moved money."""
        if self.row["state"] == State.SUCCEEDED:
            return self.ended is not None and self.ended <= before
        return self.contradicted is not None and self.contradicted <= before


@dataclass
class Orders:
    """The attempts of one history, by id, and what happened to their money."""

    attempts: dict[str, _Attempt]
    #: Orders about which a person said what was not so.
    excused: set[tuple[str, str]] = field(default_factory=set)
    of_key: dict[tuple[object, ...], list[_Attempt]] = field(default_factory=dict)
    #: By debit.
    reversals: dict[str, list[_Attempt]] = field(default_factory=dict)


def orders_of(events: list[Any], payments: Rows, wrong: set[str]) -> Orders:
    """Read the histories; `wrong` are payments that a person was wrong about."""
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


def judge_orders(world: "World", orders: Orders, wrongs: list[str]) -> None:
    """Add every rule that was broken."""
    _judge_charges(world, orders, wrongs)
    for attempts in orders.of_key.values():
        wrongs.extend(_begun_though_closed(attempts))
    charged = {charge.payment_id for charge in world.ledger.charges}
    for heard in world.tills.told.heard:
        if heard.safe_to_retry:
            wrongs.extend(_safe_though_closed(heard, orders))
        if (heard.merchant_id, heard.order_id) in orders.excused:
            continue
        if heard.safe_to_retry:
            wrongs.extend(_unsafe(heard, orders, charged))
        if heard.is_success:
            wrongs.extend(_given_back(heard, orders))


def _judge_charges(world: "World", orders: Orders, wrongs: list[str]) -> None:
    """At every moment at most one debit more than reversals, and never more given back than was paid."""
    debits: dict[tuple[str, str], list[int]] = defaultdict(list)
    given: dict[tuple[str, str], int] = defaultdict(int)
    debited_at: dict[tuple[str, str], float] = {}
    life = world.shops.guard_life_seconds
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
            wrongs.append(f"order charged {len(debits[order])} times: {order[1]}")
        if given[order] > sum(debits[order]):
            wrongs.append(f"more given back than was paid: {order[1]}")
        if not debits[order]:
            given[order] = 0


def _closed(attempts: list[_Attempt]) -> int | None:
    """Return when a proof contradicted one of them: from then on a person decides."""
    return min((one.contradicted for one in attempts if one.contradicted is not None), default=None)


def _begun_though_closed(attempts: list[_Attempt]) -> Iterator[str]:
    closed = _closed(attempts)
    for attempt in attempts:
        if closed is not None and max(attempt.accepted, attempt.claimed) > closed:
            yield f"begun after a contradiction: {attempt.order[1]} {attempt.row['id']}"


def _safe_though_closed(heard: Heard, orders: Orders) -> Iterator[str]:
    shown = None if heard.payment is None else orders.attempts.get(heard.payment.id)
    closed = _closed(_same_operation(heard, shown, orders))
    if closed is not None and closed <= heard.asked_after_event:
        yield f"told to try again after a contradiction: {heard.order_id}"


def _unsafe(heard: Heard, orders: Orders, charged: set[str]) -> Iterator[str]:
    """Told that it may try again: no attempt moved money, or still can."""
    shown = None if heard.payment is None else orders.attempts.get(heard.payment.id)
    for attempt in _same_operation(heard, shown, orders):
        # What came after the answer's payment had ended came too late to be seen by it.
        seen_until = heard.asked_after_event if shown is None else shown.ended
        if seen_until is None or attempt.accepted > seen_until:
            continue
        # One whose money went back, or that gave its number away, is past.
        if attempt.left is not None or attempt.row["id"] in _reversed(orders, seen_until):
            continue
        payment_id = attempt.row["id"]
        if payment_id in charged or payment_id in heard.at_work:
            what = "charged" if payment_id in charged else "at work"
            by = heard.error if shown is None else f"{shown.row['state']}, {shown.row['reason']}"
            yield f"told to try again ({by}), and {what}: {heard.order_id} {payment_id}"


def _same_operation(heard: Heard, shown: _Attempt | None, orders: Orders) -> list[_Attempt]:
    if shown is not None:
        return orders.of_key[shown.key]
    if heard.operation is not Operation.DEBIT:
        return []
    return orders.of_key.get((heard.merchant_id, heard.order_id, heard.operation, None), [])


def _given_back(heard: Heard, orders: Orders) -> Iterator[str]:
    """Told that it succeeded: it was not known before the question that the money went back."""
    if heard.payment is not None and heard.payment.id in _reversed(orders, heard.asked_after_event):
        yield f"told a success whose money went back: {heard.order_id} {heard.payment.id}"


def _reversed(orders: Orders, before: int) -> set[str]:
    return {
        debit_id
        for debit_id, reversals in orders.reversals.items()
        if any(reversal.moved_money(before) for reversal in reversals)
    }
