"""The order guard: the attempts that keep each other out, and the operations that may follow each other.

The key of an operation is unique among the attempts that block new ones (queued, in session, in doubt,
succeeded): the unique index `payments_guard` enforces it. The database reads related operations under the
lock of their debit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.payment.payment import Operation, Payment
from shared.payment.states import BLOCKING_STATES, LIVE_STATES, State

#: Rounds of insert and attach before the client is asked to retry later.
GUARD_ROUNDS: Final = 5


@dataclass(frozen=True, slots=True)
class RelatedOperation:
    """An earlier attempt of the same order, with the fields that the rules need."""

    id: str
    operation: Operation
    state: State
    contradicted: bool
    terminal_address: str | None
    #: The amount really paid where that is known, else the amount asked for.
    amount_cents: int
    #: Set while it blocks other attempts of its operation.
    guard_key: str | None = None
    idempotency_key: str | None = None

    @property
    def has_moved_money(self) -> bool:
        # A failure with conflicting evidence moved money.
        return self.state is State.SUCCEEDED or self.contradicted

    @property
    def is_live(self) -> bool:
        return self.state in LIVE_STATES

    @property
    def may_have_moved_money(self) -> bool:
        return self.is_live or self.has_moved_money


class NotAllowed(Exception):
    """Raised where an operation may not follow the order's earlier ones. `reason` is a stable code."""

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
    """Return the text that names this operation of the merchant's order and no other one.

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

    Two names of one address are one terminal. Where the request's name has no address at this moment
    (`terminal_address` is None), the names are compared.
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
    """Check a reversal or credit against its debit and that debit's other reversals and credits
    (`related_operations`). Raises NotAllowed.
    """
    if debit.is_live:
        raise NotAllowed("live", "the order's debit has no result yet", debit.id)
    if not debit.has_moved_money:
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
    """Return whether an attempt in this state blocks other attempts of its key."""
    return state in BLOCKING_STATES
