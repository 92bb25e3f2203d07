"""Judges by order: the money of all its attempts together, and what callers were told while any of it moved.

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
from tests.simulation.model.tills import Heard

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
        if heard.is_success:
            wrongs.extend(_given_back(heard, orders))
        if (heard.merchant_id, heard.order_id) in orders.excused:
            continue
        if heard.safe_to_retry:
            wrongs.extend(_unsafe(heard, orders, charged))


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


def _shown(heard: Heard, orders: Orders) -> _Attempt | None:
    """Return the attempt that the answer is about."""
    return None if heard.payment is None else orders.attempts.get(heard.payment.id)


def _safe_though_closed(heard: Heard, orders: Orders) -> Iterator[str]:
    shown = _shown(heard, orders)
    closed = None if shown is None else _closed(orders.of_key[shown.key])
    if closed is not None and closed <= heard.asked_after_event:
        yield f"told to try again after a contradiction: {heard.order_id}"


def _unsafe(heard: Heard, orders: Orders, charged: set[str]) -> Iterator[str]:
    """Told that it may try again: no attempt moved money, or still can."""
    shown = _shown(heard, orders)
    if shown is None or shown.ended is None:
        return
    for attempt in orders.of_key[shown.key]:
        # What came after the answer's payment had ended came too late to be seen by it.
        if attempt.accepted > shown.ended:
            continue
        # One whose money went back, or that gave its number away, is past.
        if attempt.left is not None or attempt.row["id"] in _reversed(orders, shown.ended):
            continue
        payment_id = attempt.row["id"]
        # After the doubt window a person's word ends a payment, whatever its terminal may still read.
        is_at_work = payment_id in heard.at_work and attempt.row["resolved_by"] != Source.OPERATOR
        if payment_id in charged or is_at_work:
            what = "charged" if payment_id in charged else "at work"
            by = f"{shown.row['state']}, {shown.row['reason']}"
            yield f"told to try again ({by}), and {what}: {heard.order_id} {payment_id}"


def _given_back(heard: Heard, orders: Orders) -> Iterator[str]:
    """Told that it succeeded: it was not known before the question that the money went back."""
    shown = _shown(heard, orders)
    if shown is not None and shown.row["id"] in _reversed(orders, heard.asked_after_event):
        yield f"told a success whose money went back: {heard.order_id} {shown.row['id']}"


def _reversed(orders: Orders, before: int) -> set[str]:
    return {
        debit_id
        for debit_id, reversals in orders.reversals.items()
        if any(reversal.moved_money(before) for reversal in reversals)
    }
