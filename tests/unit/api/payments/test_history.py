"""Histories and evidence as they are shown."""

import pytest

from api.payments.history import event_object, evidence_object
from shared.payment.states import State
from shared.storage.payments.listing import PaymentEvent, StoredEvidence

EVENT = PaymentEvent(
    0, "deadline_passed", State.EXPIRED, {"held_by": "pay_1", "seen": [{"card": "4970101234567890"}, 5, None]}
)


def test_card_numbers_are_masked_however_deep_they_lie() -> None:
    """Also in what was stored before a mask knew them."""
    shown = event_object(EVENT, for_merchant=False)

    assert shown.detail == {"held_by": "pay_1", "seen": [{"card": "497010******7890"}, 5, None]}
    assert shown.at == "1970-01-01T00:00:00.000Z"


def test_a_merchant_is_not_told_of_other_merchants_payments() -> None:
    """An operator is."""
    assert "held_by" not in event_object(EVENT, for_merchant=True).detail


def test_only_operators_are_shown_who_brought_a_proof() -> None:
    """It may be the name of a gateway's credential."""
    event = PaymentEvent(0, "evidence", State.SUCCEEDED, {"source": "gateway", "brought_by": "ct_gateway"})

    assert event_object(event, for_merchant=True).detail == {"source": "gateway"}
    assert event_object(event, for_merchant=False).detail["brought_by"] == "ct_gateway"


@pytest.mark.parametrize(
    ("event", "by"), [("evidence", "ct_operator"), ("customer_data_erased", "root@server")]
)
def test_a_merchant_is_not_shown_operators_credentials(event: str, by: str) -> None:
    """A decision's name and reason are; half of a log-in is nobody else's."""
    stored = PaymentEvent(0, event, State.SUCCEEDED, {"by": by, "name": "Jane Doe", "reason": "receipt 12"})

    assert event_object(stored, for_merchant=True).detail == {"name": "Jane Doe", "reason": "receipt 12"}
    assert event_object(stored, for_merchant=False).detail["by"] == by


@pytest.mark.parametrize("by", ["merchant (ct_1)", "operator Jane Doe: the terminal is idle"])
def test_a_merchant_is_shown_its_own_credential_and_an_operators_name(by: str) -> None:
    """It sees the cash register of its own that cancelled, and the name of an operator who released."""
    stored = PaymentEvent(0, "release_asked", State.IN_DOUBT, {"by": by})

    assert event_object(stored, for_merchant=True).detail == {"by": by}


@pytest.mark.parametrize(
    "why", [{"lack": "other_amount"}, {"lack": "no_reference"}, {"finding": "other_reference"}]
)
def test_what_an_earlier_release_stored_of_foreign_transactions_is_not_shown(why: dict[str, str]) -> None:
    """Source and lack are; to an operator a fingerprint, too."""
    detail = {
        "source": "enquiry",
        "proves": None,
        **why,
        "fingerprint": "ab12",
        "answer": {"CB": "9900", "AA": "497010******7893"},
        "masked_card": "497010******7893",
        "application": "001",
    }
    event = PaymentEvent(0, "evidence", State.IN_DOUBT, detail)

    shown = {"source": "enquiry", "proves": None, **why}
    assert event_object(event, for_merchant=True).detail == shown
    assert event_object(event, for_merchant=False).detail == {**shown, "fingerprint": "ab12"}
    assert evidence_object(StoredEvidence(0, "enquiry", None, None, detail)).detail == {
        **shown,
        "fingerprint": "ab12",
    }


def test_free_texts_that_an_earlier_release_stored_are_not_shown() -> None:
    """Known fields are."""
    detail = {"answer": {"AE": "10", "AM": "0612345678", "AN": "marie@example.org", "ZZ": "Marie"}}

    shown = event_object(PaymentEvent(0, "answered_done", State.SUCCEEDED, detail), for_merchant=True)

    assert shown.detail["answer"] == {
        "AE": "10", "AM": "<10 characters>", "AN": "<17 characters>", "ZZ": "<5 characters>",
    }  # fmt: skip


def test_a_hint_proves_nothing() -> None:
    """The word is left out."""
    assert evidence_object(StoredEvidence(0, "gateway", None, None, {})).proves is None
    assert (
        evidence_object(StoredEvidence(0, "enquiry", "proved_done", "worker-1", {})).proves == "proved_done"
    )
