"""Comparison of our payments with somebody else's figures, to the cent.

The other side's file has sums of groups, or single transactions. This file knows no SQL, HTTP or file.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True)
class Sum:
    """A group's count and cents."""

    count: int
    cents: int

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.count + other.count, self.cents + other.cents)

    def __sub__(self, other: "Sum") -> "Sum":
        return Sum(self.count - other.count, self.cents - other.cents)


@dataclass(frozen=True, slots=True, kw_only=True)
class OurSum:
    """Our sums of a group: done, and what may come to it (open, contradicted)."""

    done: Sum
    open: Sum
    contradicted: Sum

    def __add__(self, other: "OurSum") -> "OurSum":
        return OurSum(
            done=self.done + other.done,
            open=self.open + other.open,
            contradicted=self.contradicted + other.contradicted,
        )


class Finding(StrEnum):
    """The result of comparing one group or one transaction."""

    EQUAL = "equal"
    #: Both sides have the group, with other figures.
    DIFFERENT = "different"
    #: The other side has it, we do not.
    MISSING_HERE = "missing_here"
    #: We have it, the other side does not.
    MISSING_THERE = "missing_there"
    #: The other side has it; here its outcome is open or contradicted.
    IN_DOUBT = "in_doubt"


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedSum:
    """One group on both sides; `group` has its values by the file's columns."""

    group: tuple[str, ...]
    finding: Finding
    ours: OurSum
    theirs: Sum

    @property
    def difference_cents(self) -> int:
        """Their cents less ours that are done."""
        return self.theirs.cents - self.ours.done.cents


_NOTHING: Final = Sum(0, 0)
#: No payment of ours.
NOTHING_OF_OURS: Final = OurSum(done=_NOTHING, open=_NOTHING, contradicted=_NOTHING)


def compare_sums(
    ours: dict[tuple[str, ...], OurSum], theirs: dict[tuple[str, ...], Sum]
) -> list[ComparedSum]:
    """Return every group of either side, in their order, with what differs."""
    found = []
    for group in sorted(ours.keys() | theirs.keys()):
        own, other = ours.get(group, NOTHING_OF_OURS), theirs.get(group, _NOTHING)
        found.append(ComparedSum(group=group, finding=_finding(own, other), ours=own, theirs=other))
    return found


def _finding(ours: OurSum, theirs: Sum) -> Finding:
    if ours.done == theirs:
        return Finding.EQUAL
    undecided = (ours.open, ours.contradicted)
    if theirs - ours.done in (*undecided, ours.open + ours.contradicted):
        return Finding.IN_DOUBT
    if ours.done == _NOTHING:
        return Finding.MISSING_HERE
    return Finding.MISSING_THERE if theirs == _NOTHING else Finding.DIFFERENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """A single transaction of either side; None: that side does not say it."""

    #: The line of the file, or our payment's id.
    name: str
    operation: str
    cents: int
    #: The local day, ISO 8601.
    day: str | None = None
    terminal: str | None = None
    order_id: str | None = None
    authorisation_number: str | None = None
    card_last_four: str | None = None
    #: Ours: neither done nor certainly not done.
    is_undecided: bool = False


@dataclass(frozen=True, slots=True)
class ComparedTransaction:
    """One transaction on both sides, or on one."""

    finding: Finding
    ours: Transaction | None
    theirs: Transaction | None


_Key = Callable[[Transaction], Hashable | None]


def _by_order(one: Transaction) -> Hashable | None:
    return None if one.order_id is None else (one.operation, one.cents, one.order_id)


def _by_authorisation(one: Transaction) -> Hashable | None:
    number = one.authorisation_number
    return None if number is None else (one.operation, one.cents, number)


def _by_card(one: Transaction) -> Hashable | None:
    card = one.card_last_four
    return None if card is None else (one.operation, one.cents, card)


def _by_terminal(one: Transaction) -> Hashable | None:
    return None if one.terminal is None else (one.operation, one.cents, one.terminal)


def _by_amount(one: Transaction) -> Hashable | None:
    return (one.operation, one.cents)


#: The surest first: a pair that agrees on more is not broken by one that agrees on less.
_KEYS: Final[tuple[_Key, ...]] = (_by_order, _by_authorisation, _by_card, _by_terminal, _by_amount)


def compare_transactions(
    ours: Iterable[Transaction], theirs: Iterable[Transaction]
) -> list[ComparedTransaction]:
    """Pair each transaction with one of the other side's, and return all: pairs first, then what is missing.

    Equal amounts are paired by order, authorisation number, card, terminal, then by the amount alone, where
    nothing that both sides know speaks against it. What is done is paired before what is undecided.
    """
    left_ours, left_theirs = list(ours), list(theirs)
    pairs: list[ComparedTransaction] = []
    for undecided, finding in ((False, Finding.EQUAL), (True, Finding.IN_DOUBT)):
        for key in _KEYS:
            candidates = [one for one in left_ours if one.is_undecided is undecided]
            matched = _pair(candidates, left_theirs, key)
            pairs.extend(ComparedTransaction(finding, own, other) for own, other in matched)
            taken = {id(one) for pair in matched for one in pair}
            left_ours = [one for one in left_ours if id(one) not in taken]
            left_theirs = [one for one in left_theirs if id(one) not in taken]
    return [
        *pairs,
        *(ComparedTransaction(Finding.MISSING_HERE, None, other) for other in left_theirs),
        *(
            ComparedTransaction(Finding.IN_DOUBT if own.is_undecided else Finding.MISSING_THERE, own, None)
            for own in left_ours
        ),
    ]


def _pair(
    ours: Sequence[Transaction], theirs: Sequence[Transaction], key: _Key
) -> list[tuple[Transaction, Transaction]]:
    waiting: defaultdict[Hashable, list[Transaction]] = defaultdict(list)
    for own in ours:
        found = key(own)
        if found is not None:
            waiting[found].append(own)
    pairs = []
    for other in theirs:
        candidates = waiting.get(key(other)) or []
        own_or_none = next((own for own in candidates if _may_be_one(own, other)), None)
        if own_or_none is not None:
            candidates.remove(own_or_none)
            pairs.append((own_or_none, other))
    return pairs


_FACTS: Final = ("day", "terminal", "order_id", "authorisation_number", "card_last_four")


def _may_be_one(ours: Transaction, theirs: Transaction) -> bool:
    """Return False where both sides know a fact and disagree."""
    return all(
        None in (getattr(ours, name), getattr(theirs, name)) or getattr(ours, name) == getattr(theirs, name)
        for name in _FACTS
    )
