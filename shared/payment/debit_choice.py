"""The debit that a reversal or credit means: its request names the order, never one of the order's debits.

Nearly always an order was charged once. It was charged more than once where an attempt that was called failed
turns out to have moved money (a contradicted one). Then amount and terminal pick the debit; where they leave
several, the `Idempotency-Key` says whether a request is a repeated one or means the next charge. Without that
it is refused: no request is answered with the result of another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.payment.order_guard import NotAllowed, RelatedOperation, check_may_follow
from shared.payment.payment import Operation
from shared.payment.states import State


@dataclass(frozen=True, slots=True)
class KnownDebit:
    """A debit of the order, with the reversals and credits that belong to it."""

    debit: RelatedOperation
    followers: tuple[RelatedOperation, ...] = ()


@dataclass(frozen=True, slots=True)
class GivingBack:
    """A request to reverse or credit. `key_is_used`: its Idempotency-Key came before, with this operation."""

    operation: Operation
    amount_cents: int
    terminal_address: str | None
    idempotency_key: str | None
    key_is_used: bool


def choose_debit(asked: GivingBack, debits: Sequence[KnownDebit]) -> KnownDebit:
    """Return the debit that the request means, of at least one; the newest comes first.

    Whether the operation may follow it is for `check_may_follow` to say. Raises NotAllowed where several
    charges are meant equally.
    """
    named = _of_this_key(asked, debits)
    if named is not None:
        return named
    live = [known for known in debits if known.debit.is_live]
    if live:
        return live[0]
    charged = [
        known
        for known in debits
        if known.debit.counts_as_succeeded and (known is debits[0] or not _is_superseded(known.debit))
    ]
    fitting = [known for known in charged if _fits(asked, known.debit)]
    if len(fitting) > 1:
        return _next_of(asked, fitting)
    return (fitting or charged or debits)[0]


def _of_this_key(asked: GivingBack, debits: Sequence[KnownDebit]) -> KnownDebit | None:
    """Return the debit of the operation that this very key stands for, unless that failed."""
    if asked.idempotency_key is None:
        return None
    for known in debits:
        for follower in known.followers:
            if (
                follower.idempotency_key == asked.idempotency_key
                and follower.operation is asked.operation
                and follower.may_have_moved_money
            ):
                return known
    return None


def _is_superseded(debit: RelatedOperation) -> bool:
    # It left the guard, reversed or too old for a number that comes again, and a later debit has its place.
    return debit.state is State.SUCCEEDED and debit.guard_key is None


def _fits(asked: GivingBack, debit: RelatedOperation) -> bool:
    if asked.operation is Operation.CREDIT:
        return asked.amount_cents <= debit.amount_cents
    return asked.amount_cents == debit.amount_cents and asked.terminal_address in (
        None,
        debit.terminal_address,
    )


def _next_of(asked: GivingBack, charges: Sequence[KnownDebit]) -> KnownDebit:
    """Return the first of several equal charges of which nothing like this was asked before."""
    earlier = [follower for known in charges for follower in known.followers if _is_like(asked, follower)]
    if earlier and (asked.idempotency_key is None or asked.key_is_used):
        raise NotAllowed(
            "ambiguous",
            "the order was charged more than once, and an operation like this one was asked for before:"
            " send a new Idempotency-Key to mean another charge",
            earlier[0].id,
        )
    for known in charges:
        if _is_open(asked, known):
            return known
    if earlier and asked.operation is Operation.REVERSAL:
        raise NotAllowed("reversed", "no charge of the order is left to reverse", earlier[0].id)
    return charges[0]


def _is_like(asked: GivingBack, follower: RelatedOperation) -> bool:
    return (
        follower.operation is asked.operation
        and follower.may_have_moved_money
        and (asked.operation is Operation.REVERSAL or follower.amount_cents == asked.amount_cents)
    )


def _is_open(asked: GivingBack, known: KnownDebit) -> bool:
    if asked.operation is Operation.REVERSAL and any(_is_like(asked, each) for each in known.followers):
        return False
    try:
        check_may_follow(
            asked.operation, asked.amount_cents, asked.terminal_address, known.debit, known.followers
        )
    except NotAllowed:
        return False
    return True
