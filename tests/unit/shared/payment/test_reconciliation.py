"""Our payments against somebody else's figures: nothing is lost between the two sides."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.payment.reconciliation import (
    Finding,
    OurSum,
    Sum,
    Transaction,
    compare_sums,
    compare_transactions,
)

NOTHING = Sum(0, 0)


def ours(done: Sum = NOTHING, open_: Sum = NOTHING, contradicted: Sum = NOTHING) -> OurSum:
    return OurSum(done=done, open=open_, contradicted=contradicted)


def one(name: str, cents: int = 100, **more: Any) -> Transaction:
    return Transaction(name=name, operation="debit", cents=cents, **more)


def test_each_group_of_either_side_is_compared_to_the_cent() -> None:
    """A difference that our doubts explain is said to be in doubt, and nothing else."""
    here: dict[tuple[str, ...], OurSum] = {
        ("equal",): ours(Sum(2, 300)),
        ("different",): ours(Sum(2, 300)),
        ("a doubt",): ours(Sum(2, 300), open_=Sum(1, 50)),
        ("a doubt and a contradiction",): ours(Sum(2, 300), Sum(1, 50), Sum(1, 7)),
        ("another amount than the doubt",): ours(Sum(2, 300), open_=Sum(1, 50)),
        ("only here",): ours(Sum(1, 10)),
    }
    there: dict[tuple[str, ...], Sum] = {
        ("equal",): Sum(2, 300),
        ("different",): Sum(2, 301),
        ("a doubt",): Sum(3, 350),
        ("a doubt and a contradiction",): Sum(4, 357),
        ("another amount than the doubt",): Sum(3, 351),
        ("only there",): Sum(1, 10),
    }

    found = {compared.group[0]: compared for compared in compare_sums(here, there)}

    assert {group: compared.finding for group, compared in found.items()} == {
        "equal": Finding.EQUAL,
        "different": Finding.DIFFERENT,
        "a doubt": Finding.IN_DOUBT,
        "a doubt and a contradiction": Finding.IN_DOUBT,
        "another amount than the doubt": Finding.DIFFERENT,
        "only here": Finding.MISSING_THERE,
        "only there": Finding.MISSING_HERE,
    }
    assert found["different"].difference_cents == 1


def test_a_transaction_is_paired_by_what_is_surest() -> None:
    """Two sales of one amount are not exchanged; a known fact that differs is no pair."""
    here = [
        one("a", authorisation_number="111111", card_last_four="0003"),
        one("b", authorisation_number="222222", card_last_four="0003"),
        one("c", cents=200, card_last_four="0007"),
        one("d", cents=300, is_undecided=True),
        one("e", cents=400),
        one("f", cents=500, day="2026-03-05"),
    ]
    there = [
        one("line 2", card_last_four="0003"),
        one("line 3", authorisation_number="111111"),
        one("line 4", cents=200, card_last_four="0008"),
        one("line 5", cents=300),
        one("line 6", cents=500, day="2026-03-06"),
    ]

    found = [
        (
            each.finding,
            None if each.ours is None else each.ours.name,
            None if each.theirs is None else each.theirs.name,
        )
        for each in compare_transactions(here, there)
    ]

    assert sorted(found, key=str) == sorted(
        [
            (Finding.EQUAL, "a", "line 3"),
            (Finding.EQUAL, "b", "line 2"),
            (Finding.IN_DOUBT, "d", "line 5"),
            (Finding.MISSING_HERE, None, "line 4"),
            (Finding.MISSING_HERE, None, "line 6"),
            (Finding.MISSING_THERE, "c", None),
            (Finding.MISSING_THERE, "e", None),
            (Finding.MISSING_THERE, "f", None),
        ],
        key=str,
    )


TRANSACTIONS = st.lists(
    st.builds(
        Transaction,
        name=st.uuids().map(str),
        operation=st.sampled_from(["debit", "credit"]),
        cents=st.integers(1, 3),
        day=st.none() | st.sampled_from(["2026-03-05", "2026-03-06"]),
        authorisation_number=st.none() | st.sampled_from(["1", "2"]),
        card_last_four=st.none() | st.sampled_from(["0003", "0007"]),
    ),
    max_size=8,
)


@given(TRANSACTIONS, TRANSACTIONS)
def test_every_transaction_of_both_sides_is_in_the_comparison_once(
    here: list[Transaction], there: list[Transaction]
) -> None:
    """So the sums of the findings are the sums of the sides; a pair agrees in operation and amount."""
    found = compare_transactions(here, there)

    assert sorted(each.ours.name for each in found if each.ours) == sorted(each.name for each in here)
    assert sorted(each.theirs.name for each in found if each.theirs) == sorted(each.name for each in there)
    for each in found:
        if each.ours is not None and each.theirs is not None:
            assert (each.ours.operation, each.ours.cents) == (each.theirs.operation, each.theirs.cents)
