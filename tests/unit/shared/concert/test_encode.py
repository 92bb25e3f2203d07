"""Requests are written byte for byte as the protocol's worked frames are."""

from dataclasses import replace

import pytest
from wire.concert import CREDIT, DEBIT, DEBIT_WITH_RECEIPT, PAYMENT, frame_of, request

from shared.concert.encode import (
    CannotAsk,
    EncodeError,
    check_can_ask,
    encode_enquiry,
    encode_fields,
    encode_identification,
    encode_operation,
    operation_fields,
    sole_application,
)
from shared.concert.profile import Profile
from shared.payment.payment import Operation

BARE = Profile(sends_reference=False, sends_receipt=False, version="0300")


def sent(profile: Profile, **changes: object) -> dict[str, str]:
    return dict(operation_fields(request(**changes), profile))


def test_the_worked_debit_is_written_byte_for_byte() -> None:
    """25.00 euros, version 0300, nothing optional."""
    assert encode_operation(request(software_id="247300123456"), BARE) == DEBIT


def test_the_worked_debit_with_a_receipt_is_written_byte_for_byte() -> None:
    """The same with CK 100."""
    profile = replace(BARE, sends_receipt=True)

    assert encode_operation(request(software_id="247300123456"), profile) == DEBIT_WITH_RECEIPT


def test_the_worked_credit_is_written_byte_for_byte() -> None:
    """3.00 euros in V3.1, CK 120."""
    profile = Profile(sends_reference=False, receipt="120")
    credit = request(
        operation=Operation.CREDIT, protocol="ConcertV3.1", amount_cents=300, software_id="247300123456"
    )

    assert encode_operation(credit, profile) == CREDIT


@pytest.mark.parametrize(
    ("operation", "action"),
    [(Operation.DEBIT, "0"), (Operation.CREDIT, "1"), (Operation.REVERSAL, "2")],
)
@pytest.mark.parametrize(("protocol", "version"), [("ConcertV3.1", "0310"), ("ConcertV3.2", "0320")])
def test_each_operation_is_asked_for_in_each_version(
    operation: Operation, action: str, protocol: str, version: str
) -> None:
    """The default profile sends reference and receipt wish, and no other optional field."""
    fields = operation_fields(request(operation=operation, protocol=protocol), Profile())

    assert fields == (
        ("CZ", version),
        ("CJ", "012345678901"),
        ("CA", "01"),
        ("CB", "2500"),
        ("CD", action),
        ("CE", "978"),
        ("CF", PAYMENT),
        ("CK", "100"),
    )


@pytest.mark.parametrize(("cents", "text"), [(1, "01"), (5, "05"), (10, "10"), (999999999999, "9" * 12)])
def test_an_amount_has_two_digits_at_least(cents: int, text: str) -> None:
    """CB is in cents, from 2 to 12 digits."""
    assert sent(Profile(), amount_cents=cents)["CB"] == text


@pytest.mark.parametrize("cents", [0, -1, 10**12])
def test_an_amount_that_cannot_be_debited_is_an_error(cents: int) -> None:
    """Zero, less than zero, and more than CB can hold."""
    with pytest.raises(EncodeError, match="CB"):
        encode_operation(request(amount_cents=cents), Profile())


def test_an_authorisation_is_asked_for_where_the_order_forces_it() -> None:
    """BB 1 is sent whenever an authorisation is asked for, and never BB 0."""
    assert sent(Profile(), force_authorization=True)["BB"] == "1"
    assert "BB" not in sent(Profile())


def test_a_forced_authorisation_is_never_lost_silently() -> None:
    """A terminal that cannot bear BB makes the request an error of its caller."""
    profile = Profile(sends_authorisation=False)

    with pytest.raises(CannotAsk):
        encode_operation(request(force_authorization=True), profile)
    with pytest.raises(CannotAsk):
        check_can_ask(force_authorization=True, profile=profile)
    check_can_ask(force_authorization=False, profile=profile)
    assert "BB" not in sent(profile)


def test_application_and_contract_are_sent_as_the_profile_allows() -> None:
    """CC and CG come from contract_array and pass the profile."""
    asked = {"application": "00B", "contract": "1234567"}

    both = sent(Profile(), **asked)
    neither = sent(Profile(sends_application=False, sends_contract=False), **asked)

    assert (both["CC"], both["CG"]) == ("00B", "1234567")
    assert not {"CC", "CG"} & neither.keys()


def test_only_a_sole_contract_is_forced() -> None:
    """With several (contact and contactless) the terminal chooses; every key of an entry is optional."""
    entry = {"merchant_contract": "1234567", "rank": "001", "payment_application": "001"}

    assert sole_application([entry]) == ("001", "1234567")
    assert sole_application([entry, entry | {"payment_application": "00B"}]) == (None, None)
    assert sole_application([]) == (None, None)
    assert sole_application([{"rank": "001"}]) == (None, None)


def test_partial_payment_is_offered_for_debits_of_terminals_that_know_it() -> None:
    """BF 1 is sent only where the profile says so, and never to undo something."""
    profile = Profile(accepts_partial=True)

    assert sent(profile)["BF"] == "1"
    assert "BF" not in sent(Profile())
    assert "BF" not in sent(profile, operation=Operation.REVERSAL)
    assert "BF" not in sent(profile, operation=Operation.CREDIT)


@pytest.mark.parametrize(
    ("receipt_by", "tags"), [("none", set()), ("sms", {"BH"}), ("email", {"BI"}), ("all", {"BH", "BI"})]
)
def test_the_customers_address_is_sent_as_the_profile_says(receipt_by: str, tags: set[str]) -> None:
    """Phone and e-mail, for the receipt."""
    profile = Profile.from_dict({"receipt_by": receipt_by})
    customer = {"phone": "+33612345678", "email": "someone@example.org"}

    assert sent(profile, **customer).keys() & {"BH", "BI"} == tags
    assert not sent(profile, protocol="ConcertV3.1", **customer).keys() & {"BH", "BI"}


@pytest.mark.parametrize("phone", ["1", "0" * 21, "+33 6 é 12345"])
def test_an_address_that_does_not_fit_costs_the_offer_not_the_payment(phone: str) -> None:
    """BH holds 8 to 20 ASCII characters."""
    fields = sent(Profile(receipt_by="all"), phone=phone, email="a@b")

    assert not fields.keys() & {"BH", "BI"}
    assert fields["CB"] == "2500"


@pytest.mark.parametrize(
    ("change", "tag"),
    [
        ({"software_id": "12"}, "CJ"),
        ({"pos_number": "001"}, "CA"),
        ({"currency": "EUR0"}, "CE"),
        ({"reference": "x" * 100}, "CF"),
        ({"reference": "é"}, "CF"),
        ({"application": "01"}, "CC"),
        ({"contract": "12345678901"}, "CG"),
        ({"protocol": "AppNepting"}, "CZ"),
    ],
)
def test_a_value_that_its_field_cannot_hold_is_an_error(change: dict[str, object], tag: str) -> None:
    """Strict in what is sent: lengths and ASCII."""
    with pytest.raises(EncodeError, match=tag):
        encode_operation(request(**change), Profile())


def test_a_request_ends_as_the_profile_says() -> None:
    """Some terminals reject a request that CR LF does not follow."""
    profile = Profile(request_ends_with="\r\n")

    for data in (
        encode_operation(request(), profile),
        encode_enquiry(request(), profile),
        encode_identification(
            protocol="ConcertV3.1", software_id="012345678901", pos_number="01", profile=profile
        ),
    ):
        assert data.endswith(b"\r\n")
    assert not encode_operation(request(), Profile()).endswith(b"\n")


def test_an_enquiry_carries_neither_amount_nor_reference() -> None:
    """A terminal that copies request fields would confirm what never happened."""
    fields = frame_of(encode_enquiry(request(), Profile())).fields

    assert fields == {"CZ": "0320", "CJ": "012345678901", "CA": "01", "CD": "3", "CE": "978", "CK": "100"}


def test_an_identification_is_a_bare_ping() -> None:
    """CD I, without amount, currency or reference."""
    data = encode_identification(
        protocol="ConcertV3.1", software_id="012345678901", pos_number="02", profile=Profile()
    )

    assert data == b"CZ0040310CJ012012345678901CA00202CD001I"


def test_a_field_without_a_value_is_left_out() -> None:
    """A length of 000 is never sent."""
    assert encode_fields([("CZ", "0300"), ("CF", ""), ("AE", "10")]) == b"CZ0040300AE00210"


def test_a_length_counts_bytes_and_has_three_digits() -> None:
    """999 bytes fit, 1000 do not, and an accent takes two."""
    assert encode_fields([("AF", "é")]) == b"AF002\xc3\xa9"
    assert len(encode_fields([("ZT", "x" * 999)])) == 1004
    with pytest.raises(EncodeError, match="ZT"):
        encode_fields([("ZT", "x" * 998 + "é")])
