"""Random payments through the public API: terminal, acquirer and Console agree on them to the cent."""

import random
from dataclasses import dataclass, field
from functools import partial

from running.whole_sandbox import WholeSandbox, soon

COLLECTIONS = 5
#: Endings of amounts whose outcome takes seconds, is in doubt or another amount; with 48 the gateway's
#: records name no payment, and HiPay matches by amount only where that is certain.
LEFT_OUT = frozenset({22, 24, 26, 28, 32, 34, 36, 38, 46, 48})


@dataclass
class Books:
    """Account book of a shop: order numbers with cents, of debits that stand and of credits."""

    #: Collected and not paid back.
    captured: dict[str, int] = field(default_factory=dict)
    #: Since the last collection.
    waiting: dict[str, int] = field(default_factory=dict)
    reversals: int = 0
    refusals: int = 0
    debits_cents: int = 0
    credits: int = 0
    credits_cents: int = 0

    def collect(self) -> None:
        self.captured |= self.waiting
        self.waiting = {}


def test_terminal_acquirer_and_console_agree_on_random_payments(sandbox: WholeSandbox, payments: int) -> None:
    """Paid, refused, reversed and credited at random, in five collections."""
    rng = random.Random(12)
    books = Books()
    collected_count, collected_cents = 0, 0

    for number in range(1, payments + 1):
        _pay_something(sandbox, rng, books)
        if number % max(1, payments // COLLECTIONS) == 0 or number == payments:
            collection = sandbox.collect()
            assert collection["acknowledged"]
            collected_count += collection["count"]
            collected_cents += collection["sum_cents"]
            books.collect()
            soon(partial(_has_been_pushed, sandbox, collected_count), within_seconds=120)

    # HiPay matches the pushes with the order notifications.
    soon(lambda: not sandbox.get("console", "/waiting")["pushes"], within_seconds=120)
    acquirer = sandbox.get("acquirer", "/collections")
    totals = sandbox.get("console", "/transactions")["totals"]
    expected = books.debits_cents - books.credits_cents
    assert (acquirer["count"], acquirer["sum_cents"]) == (collected_count, expected)
    assert collected_cents == expected
    assert totals["captured_cents"] == books.debits_cents
    assert totals["refunded_cents"] + totals["credited_cents"] == books.credits_cents
    assert min(books.reversals, books.refusals, books.credits) > 0


def _pay_something(sandbox: WholeSandbox, rng: random.Random, books: Books) -> None:
    kind = rng.choices(("debit", "reversed", "credit"), (75, 12, 13))[0]
    if kind == "credit" and books.captured:
        order = rng.choice(sorted(books.captured))
        cents = _amount(rng, books.captured[order])
        # The issuer may refuse a credit, too: its amount decides as well.
        if sandbox.pay(cents, order, "Credit").json()["payment"]["state"] == "succeeded":
            del books.captured[order]
            books.credits += 1
            books.credits_cents += cents
        return
    order, cents = sandbox.new_order_id(), _amount(rng, 10_000)
    answer = sandbox.pay(cents, order).json()
    if answer["payment"]["state"] != "succeeded":
        assert answer["payment"]["state"] in ("refused", "aborted", "failed", "busy"), answer
        books.refusals += 1
    elif kind == "reversed":
        sandbox.paid(cents, order, "Cancel")
        books.reversals += 1
    else:
        books.waiting[order] = cents
        books.debits_cents += cents


def _amount(rng: random.Random, most_cents: int) -> int:
    """Return even cents up to a limit; their last two digits decide the outcome."""
    cents = rng.randrange(2, most_cents + 1, 2) if most_cents > 2 else most_cents
    return cents - cents % 100 or most_cents if cents % 100 in LEFT_OUT else cents


def _has_been_pushed(sandbox: WholeSandbox, count: int) -> bool:
    received = sandbox.get("console", "/received")
    collected = [one for one in received if one["what"] == "collection"]
    return len(collected) == count
