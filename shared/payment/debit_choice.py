"""The choice of the debit that a reversal or credit means: its request names the order only.

Nearly always an order was charged once. It was charged more than once where conflicting evidence shows that
a failed attempt moved money. Then amount and terminal pick the debit; where they leave
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
class FollowUpRequest:
    """A reversal or credit request. `key_is_used`: its Idempotency-Key came before, with this operation."""

    operation: Operation
    amount_cents: int
    terminal_address: str | None
    idempotency_key: str | None
    key_is_used: bool


def choose_debit(wanted: FollowUpRequest, debits: Sequence[KnownDebit]) -> KnownDebit:
    """Return the debit that the request means, of at least one; the newest comes first.

    `check_may_follow` decides whether the operation may follow it. Raises NotAllowed where several
    charges are meant equally.
    """
    named = _of_this_key(wanted, debits)
    if named is not None:
        return named
    live = [known for known in debits if known.debit.is_live]
    if live:
        return live[0]
    charged = [
        known
        for known in debits
        if known.debit.has_moved_money and (known is debits[0] or not _is_superseded(known.debit))
    ]
    fitting = [known for known in charged if _fits(wanted, known.debit)]
    if len(fitting) > 1:
        return _next_of(wanted, fitting)
    return (fitting or charged or debits)[0]


def _of_this_key(wanted: FollowUpRequest, debits: Sequence[KnownDebit]) -> KnownDebit | None:
    """Return the debit of the operation that has this Idempotency-Key, unless that failed."""
    if wanted.idempotency_key is None:
        return None
    for known in debits:
        for follower in known.followers:
            if (
                follower.idempotency_key == wanted.idempotency_key
                and follower.operation is wanted.operation
                and follower.may_have_moved_money
            ):
                return known
    return None


def _is_superseded(debit: RelatedOperation) -> bool:
    # Reversed, or too old for an order number that is used again: a later debit holds the guard.
    return debit.state is State.SUCCEEDED and debit.guard_key is None


def _fits(wanted: FollowUpRequest, debit: RelatedOperation) -> bool:
    if wanted.operation is Operation.CREDIT:
        return wanted.amount_cents <= debit.amount_cents
    return wanted.amount_cents == debit.amount_cents and wanted.terminal_address in (
        None,
        debit.terminal_address,
    )


def _next_of(wanted: FollowUpRequest, charges: Sequence[KnownDebit]) -> KnownDebit:
    """Return the first of several equal charges without an earlier request like this one."""
    earlier = [follower for known in charges for follower in known.followers if _is_like(wanted, follower)]
    if earlier and (wanted.idempotency_key is None or wanted.key_is_used):
        raise NotAllowed(
            "ambiguous",
            "the order was charged more than once, and an operation like this one was asked for before:"
            " send a new Idempotency-Key to mean another charge",
            earlier[0].id,
        )
    for known in charges:
        if _is_open(wanted, known):
            return known
    if earlier and wanted.operation is Operation.REVERSAL:
        raise NotAllowed("reversed", "no charge of the order is left to reverse", earlier[0].id)
    return charges[0]


def _is_like(wanted: FollowUpRequest, follower: RelatedOperation) -> bool:
    return (
        follower.operation is wanted.operation
        and follower.may_have_moved_money
        and (wanted.operation is Operation.REVERSAL or follower.amount_cents == wanted.amount_cents)
    )


def _is_open(wanted: FollowUpRequest, known: KnownDebit) -> bool:
    if wanted.operation is Operation.REVERSAL and any(_is_like(wanted, each) for each in known.followers):
        return False
    try:
        check_may_follow(
            wanted.operation, wanted.amount_cents, wanted.terminal_address, known.debit, known.followers
        )
    except NotAllowed:
        return False
    return True
