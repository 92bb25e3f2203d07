"""Reversals, batches and bodies for a gateway, without a network."""

import json
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from wire.concert import PAYMENT, frame_for, frame_of

from sandbox.cards import DECK, Card, Mode, card_of_key
from sandbox.terminal.device.card import CardRead, masked
from sandbox.terminal.device.device import Device
from sandbox.terminal.device.journal import Fate, marked, next_batch, reversible_debit, sum_cents
from sandbox.terminal.device.result import decide_ending, pin_blocked
from sandbox.terminal.device.transaction import Done, Memory, perform
from sandbox.terminal.gateway.bodies import authorisation_question, collection, completion
from sandbox.terminal.gateway.collection import Schedule
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.request import Request, check_request
from shared.concert.decoded_answer import read_answer_code
from shared.payment.payment import Operation

AT = datetime(2026, 9, 1, 12, 30, tzinfo=UTC)
DEVICE = Device()


def asked(operation: Operation = Operation.DEBIT, amount_cents: int = 2500) -> Request:
    return check_request(frame_of(frame_for(operation=operation, amount_cents=amount_cents)))


def paid(
    memory: Memory,
    amount_cents: int = 2500,
    operation: Operation = Operation.DEBIT,
    card: str = "cb",
) -> Done:
    return perform(asked(operation, amount_cents), memory, Behaviour(card=card), DEVICE, AT)


def card(key: str) -> Card:
    found = card_of_key(key)
    assert found is not None
    return found


def test_a_reversal_needs_the_debits_own_card() -> None:
    """Another card undoes nothing."""
    memory = paid(Memory(), card="visa").memory

    other = paid(memory, operation=Operation.REVERSAL, card="cb")
    same = paid(memory, operation=Operation.REVERSAL, card="visa")

    assert (other.charged, other.transaction.answer_code) == (False, "07NOT COMPLETED")
    assert same.transaction.reverses == 1
    assert [one.fate for one in same.memory.journal] == [Fate.REVERSED, Fate.REVERSED]


def test_a_debit_that_was_sent_for_collection_is_not_reversed() -> None:
    """Acknowledged or not: it may have arrived."""
    memory = paid(Memory()).memory
    for fate in (Fate.SENT, Fate.COLLECTED):
        gone = replace(memory, journal=marked(memory.journal, [1], fate, 1))
        assert not paid(gone, operation=Operation.REVERSAL).charged
        assert reversible_debit(gone.journal, 2500, DECK[0].pan) is None


def test_a_batch_holds_what_is_stored_and_is_sent_again_unchanged() -> None:
    """Reversed, refused and collected ones are not in it; a credit takes from its sum."""
    memory = Memory()
    for amount, operation in (
        (1000, Operation.DEBIT),
        (2000, Operation.DEBIT),
        (2000, Operation.REVERSAL),
        (300, Operation.CREDIT),
    ):
        memory = paid(memory, amount, operation).memory
    memory = paid(memory, 400, card="cb-lost").memory

    number, batch = next_batch(memory.journal, 4)
    assert (number, [one.number for one in batch], sum_cents(batch)) == (5, [1, 4], 700)
    sent = marked(memory.journal, [1, 4], Fate.SENT, 5)
    later = paid(replace(memory, journal=sent)).memory
    assert next_batch(later.journal, 5) == (5, tuple(one for one in sent if one.batch == 5))
    collected = marked(later.journal, [1, 4], Fate.COLLECTED, 5)
    assert [one.number for one in next_batch(collected, 5)[1]] == [6]
    assert next_batch((), 5) == (6, ())


def test_a_banks_refusal_travels_in_af_and_on_both_receipts() -> None:
    """Fixed columns, which the reader splits into code and text."""
    refused = paid(Memory(), card="cb-lost").transaction

    answer_code = read_answer_code(refused.answer_code or "")
    assert answer_code is not None
    assert (answer_code.code, answer_code.issuer_code) == ("05", "41")
    assert answer_code.text == "CARD REPORTED LOST"
    for receipt in (refused.customer_receipt, refused.merchant_receipt):
        assert "ABANDON DEBIT\n41 CARD REPORTED LOST\n" in receipt


def test_a_blocked_pin_is_refused_without_a_bank() -> None:
    """ISO 75, no authorisation number."""
    blocked = perform(asked(), Memory(), Behaviour(), DEVICE, AT, pin_blocked(CardRead(DECK[0]))).transaction

    assert (blocked.result, blocked.authorisation) == ("refused", None)
    assert (blocked.answer_code or "")[:4] == "0475"


def test_both_copies_differ_in_their_reader_only() -> None:
    """TICKET CLIENT, TICKET COMMERCANT."""
    done = paid(Memory()).transaction

    assert done.customer_receipt.replace("CLIENT", "COMMERCANT") == done.merchant_receipt
    assert "CARTE BANCAIRE" in done.customer_receipt


@pytest.mark.parametrize(
    ("key", "mode", "application", "scheme"),
    [
        ("visa", Mode.CONTACT, "001", "VISA"),
        ("mastercard", Mode.CONTACTLESS, "00B", "MASTERCARD"),
        ("amex", Mode.CONTACT, "002", "AMERICAN EXPRESS"),
        ("amex", Mode.CONTACTLESS, "00D", "AMERICAN EXPRESS"),
    ],
)
def test_each_brand_has_its_application_and_title(
    key: str, mode: Mode, application: str, scheme: str
) -> None:
    """CC of the answer and the receipt's first line."""
    card_read = CardRead(card(key), mode)
    ending = decide_ending(asked(), (), Behaviour(), card_read, None)

    done = perform(asked(), Memory(), Behaviour(), DEVICE, AT, ending)

    assert done.answer["CC"] == application
    assert done.answer["AA"] == masked(card(key).pan)
    assert done.transaction.customer_receipt.splitlines()[0] == scheme


def test_the_whole_card_number_is_in_the_authorisation_only() -> None:
    """Completions and collections carry it masked."""
    done = paid(Memory(), 2600).transaction
    card_read = CardRead(DECK[0])
    question = authorisation_question(
        asked(), card_read, Behaviour(issuer_code="55"), DEVICE, address="127.0.0.1:8888", reverses=done
    )
    completed = completion(done, DEVICE, "127.0.0.1:8888")
    batch = collection(1, [done], DEVICE, "127.0.0.1:8888")

    assert question["card"]["pan"] == DECK[0].pan
    assert (question["pin"], question["test"], question["reverses"]) == ("wrong", {"wanted_code": "55"}, "1")
    for body in (completed, batch):
        assert DECK[0].pan not in json.dumps(body)
        assert masked(DECK[0].pan) in json.dumps(body)
    assert (completed["reference"], batch["count"], batch["sum_cents"]) == (PAYMENT, 1, 2600)


def test_a_collection_is_due_at_its_time_of_day_or_after_its_interval() -> None:
    """Whichever comes first; today's if it is still to come, else tomorrow's."""
    now = datetime(2026, 9, 1, 23, 30, tzinfo=timezone(timedelta(hours=2)))

    assert Schedule(at=time(23, 45)).seconds_to_next(now) == 15 * 60
    assert Schedule(at=time(23, 30)).seconds_to_next(now) == 24 * 3600
    assert Schedule(at=time(2, 30)).seconds_to_next(now) == 3 * 3600
    assert Schedule(at=time(2, 30), every_seconds=60).seconds_to_next(now) == 60
    assert Schedule(every_seconds=5).is_set
    assert not Schedule().is_set
