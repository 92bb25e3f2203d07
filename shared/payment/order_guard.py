"""Which attempts keep each other out, and which operation may follow which.

The key of an operation is unique among the attempts that count (queued, in session, in doubt, succeeded).
Siblings are judged by this file; the database makes sure that they are read under the debit's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.payment.payment import Operation, Payment
from shared.payment.states import COUNTING_STATES, LIVE_STATES, State

#: How often insert and attach alternate before the caller is told to come again.
GUARD_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class RelatedOperation:
    """An earlier attempt of the same order, as the rules see it."""

    id: str
    operation: Operation
    state: State
    contradicted: bool
    terminal_address: str | None
    #: What was really paid where that is known, else what was asked for.
    amount_cents: int
    #: Set while it keeps others of its operation out.
    guard_key: str | None = None
    idempotency_key: str | None = None

    @property
    def counts_as_succeeded(self) -> bool:
        # A failure that a proof contradicts moved money.
        return self.state is State.SUCCEEDED or self.contradicted

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES

    @property
    def may_have_moved_money(self) -> bool:
        return self.is_live or self.counts_as_succeeded


class NotAllowed(Exception):
    """The operation may not follow the order's earlier ones. `reason` is a stable word."""

    def __init__(self, reason: str, description: str, related_id: str) -> None:
        super().__init__(description)
        self.reason = reason
        self.related_id = related_id


def operation_key(
    operation: Operation,
    order_id: str,
    *,
    debit_id: str | None,
    amount_cents: int,
    idempotency_key: str | None,
) -> str:
    """Return the text that names the operation of this merchant's order, and no other one.

    Order and key are free texts that may hold a colon: at most one of them stands at the end, and the length
    of the other says where it ends. The id of a debit holds none.
    """
    match operation:
        case Operation.DEBIT:
            return f"debit:{order_id}"
        case Operation.REVERSAL:
            return f"reversal:{debit_id or ''}:{order_id}"
        case Operation.CREDIT:
            order = f"{len(order_id)}:{order_id}"
            return f"credit:{debit_id or ''}:{amount_cents}:{order}:{idempotency_key or ''}"


def is_same_terminal(
    attempt: Payment, *, terminal_address: str | None, host: str, port: int, terminal_id: str | None
) -> bool:
    """Return whether a request means the terminal of an earlier attempt.

    Two names of one address are one terminal. Where the request's name leads nowhere at this moment
    (`terminal_address` is None), the name itself is compared with the one that was sent before.
    """
    if terminal_address is not None:
        return attempt.terminal_address == terminal_address
    if terminal_id is not None and attempt.terminal_id == terminal_id:
        return True
    return (attempt.host, attempt.port) == (host, port)


def check_may_follow(
    operation: Operation,
    amount_cents: int,
    terminal_address: str | None,
    debit: RelatedOperation,
    related_operations: Sequence[RelatedOperation],
) -> None:
    """Check a reversal or credit against its debit and the debit's other reversals and credits.

    `related_operations` are the reversals and credits of that debit. Raises NotAllowed.
    """
    if debit.is_live:
        raise NotAllowed("live", "the order's debit has no result yet", debit.id)
    if not debit.counts_as_succeeded:
        raise NotAllowed("no_debit", "the order's debit did not succeed", debit.id)
    if operation is Operation.REVERSAL:
        _check_reversal(amount_cents, terminal_address, debit, related_operations)
    else:
        _check_credit(amount_cents, debit, related_operations)


def _check_reversal(
    amount_cents: int,
    terminal_address: str | None,
    debit: RelatedOperation,
    related_operations: Sequence[RelatedOperation],
) -> None:
    # A host name without an address is no other terminal: nothing will be sent, it ends unreachable.
    if terminal_address is not None and debit.terminal_address != terminal_address:
        raise NotAllowed("terminal", "a reversal goes to the terminal of its debit", debit.id)
    if debit.amount_cents != amount_cents:
        raise NotAllowed("amount", "a reversal has the amount that was really paid", debit.id)
    for related in related_operations:
        if related.operation is Operation.CREDIT and related.may_have_moved_money:
            raise NotAllowed("credited", "the order's debit was credited, or a credit is running", related.id)


def _check_credit(
    amount_cents: int, debit: RelatedOperation, related_operations: Sequence[RelatedOperation]
) -> None:
    credited = 0
    for related in related_operations:
        if not related.may_have_moved_money:
            continue
        if related.operation is Operation.REVERSAL:
            raise NotAllowed(
                "reversed", "the order's debit was reversed, or a reversal is running", related.id
            )
        credited += related.amount_cents
    if credited + amount_cents > debit.amount_cents:
        raise NotAllowed("amount", "the credits would exceed what was really paid", debit.id)


def blocks_new_attempts(state: State) -> bool:
    """Whether an attempt in this state keeps others of its key out."""
    return state in COUNTING_STATES
