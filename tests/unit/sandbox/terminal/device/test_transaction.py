"""The virtual terminal's transactions, without a network."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from wire.concert import (
    CREDIT,
    DEBIT,
    DEBIT_WITH_RECEIPT,
    ENQUIRY,
    IDENTIFICATION,
    PAYMENT,
    frame_for,
    frame_of,
    read,
    request,
)

from sandbox.terminal.device.device import TEST_CARD_NUMBER, Device
from sandbox.terminal.device.transaction import (
    Answer,
    Done,
    Memory,
    answer_busy,
    earlier_answer,
    identify,
    perform,
    reject,
    repeat_last,
    take_into_account,
)
from sandbox.terminal.script.behaviour import Behaviour, Customer, EnquiryAnswer, PrivateData
from sandbox.terminal.server.answer_delivery import answer_bytes, pieces
from sandbox.terminal.server.request import Request, check_request, is_whole
from shared.concert.decoded_answer import AnswerMeaning
from shared.concert.encode import OperationRequest, encode_fields, encode_operation
from shared.concert.enquiry import Grade, ProofGap, interpret_enquiry
from shared.concert.profile import Profile
from shared.concert.receipt import decode_receipt, encoded_receipt_in
from shared.payment.payment import Operation

AT = datetime(2022, 12, 19, 13, 57, 22, tzinfo=UTC)
DEVICE = Device()
#: As HiPay's terminals answer.
PLAIN = Device(sends_card_fields=False)


def asked(sent: OperationRequest, profile: Profile | None = None) -> Request:
    return check_request(frame_of(encode_operation(sent, profile or Profile())))


def done(
    sent: OperationRequest,
    behaviour: Behaviour | None = None,
    *,
    memory: Memory | None = None,
    device: Device = DEVICE,
) -> Done:
    return perform(asked(sent), memory or Memory(), behaviour or Behaviour(), device, AT)


def receipt_of(answer: Answer) -> str:
    return decode_receipt(encoded_receipt_in(answer) or "") or ""


REVERSAL = frame_for(operation=Operation.REVERSAL)


@pytest.mark.parametrize("data", [DEBIT, DEBIT_WITH_RECEIPT, CREDIT])
def test_the_worked_requests_are_understood(data: bytes) -> None:
    """Whole, with nothing to reject, with and without CR LF."""
    for end in (b"", b"\r\n"):
        frame = frame_of(data + end)
        assert is_whole(frame)
        assert check_request(frame).rejected_with is None
        assert check_request(frame).is_operation
    assert not is_whole(frame_of(data[:-1]))


def test_a_contactless_debit_is_answered_in_the_order_of_hipays_terminals() -> None:
    """CZ is the terminal's own, whatever the request says; AC since an authorisation was asked for."""
    answer = done(
        request(amount_cents=12345, protocol="ConcertV3.1"), Behaviour(contactless=True), device=PLAIN
    ).answer

    assert list(answer) == ["CZ", "CJ", "CA", "CB", "CC", "CD", "CE", "AC", "AE", "CF", "CG", "ZT"]
    assert (answer["CZ"], answer["CC"], answer["CF"]) == ("0320", "00B", PAYMENT)


def test_a_receipt_is_laid_out_line_by_line() -> None:
    """The customer's receipt of a contactless debit."""
    lines = receipt_of(done(request(amount_cents=12345), Behaviour(contactless=True)).answer).splitlines()

    certificate = lines.pop(9)
    assert lines == [
        "CARTE BANCAIRE",
        "SANS CONTACT",
        "A0000000421010",
        "CB",
        "Le 19/12/2022 a 13:57:22",
        "BOULANGERIE DU CANAL",
        "75010 PARIS",
        "1999403 73282932000074 30004",
        "497010******7893",
        "005 001 000001 C @",
        "NUM AUTO : 184117",
        "MONTANT :",
        "123,45 EUR",
        "DEBIT",
        "TICKET CLIENT",
        "A CONSERVER",
    ]
    assert len(certificate) == 16
    int(certificate, 16)


def test_a_refused_receipt_has_the_same_lines_and_abandon_after_the_place() -> None:
    """Number included, without the final operation line: amount and number alone prove nothing."""
    paid = receipt_of(done(request(amount_cents=12345)).answer).splitlines()
    refused = receipt_of(
        done(request(amount_cents=12345), Behaviour(customer=Customer.REFUSE)).answer
    ).splitlines()

    paid.remove("DEBIT")
    assert refused[refused.index("75010 PARIS") + 1] == "ABANDON DEBIT"
    refused.remove("ABANDON DEBIT")
    assert refused == paid


@pytest.mark.parametrize(
    ("customer", "outcome", "code"),
    [
        (Customer.APPROVE, AnswerMeaning.SUCCEEDED, None),
        (Customer.REFUSE, AnswerMeaning.REFUSED, "04"),
        (Customer.ABANDON, AnswerMeaning.ABORTED, "06"),
    ],
)
@pytest.mark.parametrize("device", [DEVICE, PLAIN])
def test_an_answer_is_read_as_the_customer_meant_it(
    customer: Customer, outcome: AnswerMeaning, code: str | None, device: Device
) -> None:
    """The client's reading of the terminal's own bytes, for every operation."""
    memory = done(request()).memory
    for operation in Operation:
        behaviour = Behaviour(customer=customer)
        sent = request(operation=operation, force_authorization=True)
        ended = done(sent, behaviour, memory=memory, device=device)

        reading = read(frame_of(answer_bytes(ended.answer, behaviour)), sent=sent)

        assert (reading.meaning, reading.result.error_code) == (outcome, code)
        assert reading.result.receipt is not None
        assert ended.charged is (customer is Customer.APPROVE)


def test_an_authorisation_is_asked_for_above_the_floor_limit_or_where_it_is_forced() -> None:
    """Else there is no number, neither in the answer nor on the receipt."""
    below = done(request(amount_cents=3000)).answer
    above = done(request(amount_cents=3001)).answer
    forced = done(request(amount_cents=100, force_authorization=True)).answer

    assert "AC" not in below
    assert "NUM AUTO" not in receipt_of(below)
    assert above["AC"] == forced["AC"] == "184117"


def test_an_application_is_named_only_where_a_card_was_used() -> None:
    """The red key comes before the card."""
    answer = done(request(), Behaviour(customer=Customer.ABANDON)).answer

    assert not answer.keys() & {"CC", "AC", "AA", "AI", "CI"}
    assert (answer["AE"], answer["AF"][:2]) == ("01", "06")


def test_a_card_number_is_masked_unless_the_terminal_is_set_to_show_it() -> None:
    """A test card number, in AA and receipt."""
    masked = done(request()).answer
    full = done(request(), device=Device(shows_full_card_number=True)).answer

    assert masked["AA"] == "497010******7893"
    assert full["AA"] == TEST_CARD_NUMBER
    assert TEST_CARD_NUMBER.encode() not in base64.b64decode(encoded_receipt_in(masked) or "")
    assert TEST_CARD_NUMBER.encode() in base64.b64decode(encoded_receipt_in(full) or "")
    assert TEST_CARD_NUMBER not in receipt_of(full), "the reader masks what the terminal did not"


def test_a_receipt_is_sent_only_where_it_was_requested() -> None:
    """CK none or 000: none; it is remembered for the enquiry all the same."""
    bare = Profile(sends_receipt=False)
    ended, unwanted = (
        perform(asked(request(), profile), Memory(), Behaviour(), DEVICE, AT)
        for profile in (bare, Profile(receipt="000"))
    )

    assert "ZT" not in ended.answer
    assert "ZT" in ended.memory.last
    assert "ZT" not in unwanted.answer


@pytest.mark.parametrize(
    ("private_data", "on_success", "on_refusal"),
    [
        ("echo", PAYMENT, PAYMENT),
        ("none", None, None),
        ("own", "1010000000", "1010000000"),
        ("own_on_success", "1010000000", PAYMENT),
    ],
)
def test_private_data_are_answered_as_set(
    private_data: PrivateData, on_success: str | None, on_refusal: str | None
) -> None:
    """Some echo CF, some never, some put their own there on successes only."""
    behaviour = Behaviour(private_data=private_data)

    assert done(request(), behaviour).answer.get("CF") == on_success
    refused = replace(behaviour, customer=Customer.REFUSE)
    assert done(request(), refused).answer.get("CF") == on_refusal


def test_a_reversal_needs_a_debit_of_the_same_amount_in_memory() -> None:
    """And takes it out of memory: it is reversed once."""
    reversal = request(operation=Operation.REVERSAL)
    other = request(operation=Operation.REVERSAL, amount_cents=2400)
    memory = done(request()).memory

    first = done(reversal, memory=memory)
    again = done(reversal, memory=first.memory)

    assert first.charged
    assert receipt_of(first.answer).splitlines()[-3] == "ANNULATION"
    assert (again.charged, again.answer["AF"][:2]) == (False, "07")
    assert not done(other, memory=memory).charged
    refused = done(request(), Behaviour(customer=Customer.REFUSE)).memory
    assert not done(reversal, memory=refused).charged


def test_a_part_of_the_amount_may_be_paid() -> None:
    """Meal vouchers: CB is the paid amount."""
    ended = done(request(), Behaviour(paid_amount_cents=1900, pads_amount=True))

    assert ended.answer["CB"] == "000000001900"
    assert "19,00 EUR" in receipt_of(ended.answer)
    assert [transaction.amount_cents for transaction in ended.memory.journal] == [1900]


def enquire(memory: Memory, enquiry: EnquiryAnswer = "repeats") -> Answer:
    asked_again = check_request(frame_of(ENQUIRY))
    assert asked_again.rejected_with is None
    return repeat_last(asked_again, memory, Behaviour(enquiry=enquiry), DEVICE)


def test_an_enquiry_repeats_the_last_transactions_result_and_receipt() -> None:
    """A done one is proof; a refused one differs in its receipt only, and proves nothing."""
    paid = enquire(done(request()).memory)
    refused = enquire(done(request(), Behaviour(customer=Customer.REFUSE)).memory)

    assert interpret_enquiry(frame_of(answer_bytes(paid, Behaviour())), request()).grade is (
        Grade.PROOF_OF_SUCCESS
    )
    assert (
        interpret_enquiry(frame_of(answer_bytes(refused, Behaviour())), request()).gap
        is ProofGap.RECEIPT_NOT_DONE
    )


def test_an_enquiry_without_a_last_transaction_or_a_willing_terminal_is_refused() -> None:
    """AE 01, AF 07."""
    for answer in (enquire(Memory()), enquire(done(request()).memory, "refuses")):
        assert (answer["AE"], answer["AF"]) == ("01", "07")


def test_a_terminal_that_copies_request_fields_into_an_enquirys_answer_confirms_nothing() -> None:
    """The enquiry has neither amount nor reference to copy."""
    answer = enquire(Memory(), "copies")

    assert answer["AE"] == "10"
    assert interpret_enquiry(frame_of(answer_bytes(answer, Behaviour())), request()).grade is Grade.NOTHING


def test_an_identification_is_answered_with_five_fields() -> None:
    """CZ CJ CA CD AE."""
    answer = identify(check_request(frame_of(IDENTIFICATION)), DEVICE)

    assert list(answer) == ["CZ", "CJ", "CA", "CD", "AE"]
    assert answer["AE"] == "10"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (DEBIT.replace(b"CE003978", b"CE003840"), "13"),
        (DEBIT.replace(b"CD0010", b"CD0014"), "12"),
        (DEBIT.replace(b"CD0010", b"CD001T"), "12"),
        (DEBIT.replace(b"CB0042500", b"CB0040000"), "09"),
        (DEBIT.replace(b"CB0042500", b"CB00425,0"), "09"),
        (DEBIT.replace(b"CB0042500", b""), "09"),
        (DEBIT + b"CB0042501", "09"),
        (b"GET / HTTP/1.1\r\n", "09"),
    ],
)
def test_a_request_that_cannot_be_done_is_rejected_with_its_reason(data: bytes, code: str) -> None:
    """Format, action, currency; what can be echoed is."""
    rejected = check_request(frame_of(data))

    assert rejected.rejected_with == code
    assert (reject(rejected, code, DEVICE)["AE"], reject(rejected, code, DEVICE)["AF"]) == ("01", code)


@pytest.mark.parametrize("data", [DEBIT, CREDIT, REVERSAL], ids=["debit", "credit", "reversal"])
@pytest.mark.parametrize("tag", ["CB", "CD", "CZ", "CJ", "CA", "CE"])
def test_an_operation_that_lacks_a_field_is_a_format_error(data: bytes, tag: str) -> None:
    """The terminal waits for the rest of it, and then takes it for neither whole nor approved."""
    fields = [(name, value) for name, value in frame_of(data).fields.items() if name != tag]
    frame = frame_of(encode_fields(fields))

    assert (is_whole(frame), check_request(frame).rejected_with) == (False, "09")


@pytest.mark.parametrize(
    "bad", ["CB0011", "CA0031  ", "CJ003123", "CE00297", "CB00412,5", "CB013" + "1" * 13]
)
def test_a_field_of_a_wrong_form_is_a_format_error(bad: str) -> None:
    """Too short, too long, no number."""
    fields = {**frame_of(DEBIT).fields, bad[:2]: bad[5:]}

    assert check_request(frame_of(encode_fields(list(fields.items())))).rejected_with == "09"


def test_a_busy_terminal_and_one_in_immediate_mode_are_read_as_such() -> None:
    """AE 01 at once without a reason; AE 10 without any sign of a card."""
    sent = asked(request())

    busy = read(frame_of(answer_bytes(answer_busy(sent, DEVICE), Behaviour())), after_seconds=0.01)
    taken = read(frame_of(answer_bytes(take_into_account(sent, DEVICE), Behaviour())))

    assert busy.meaning is AnswerMeaning.BUSY
    assert (taken.meaning, taken.anomaly) == (AnswerMeaning.IN_DOUBT, "bare_success")


def test_an_earlier_transactions_answer_is_recognised_by_amount_or_reference() -> None:
    """With a memory and without."""
    other = request(reference=PAYMENT[:-1] + "Z")

    remembered = earlier_answer(done(other).memory, asked(request()), DEVICE)
    invented = earlier_answer(Memory(), asked(request()), DEVICE)

    assert read(frame_of(answer_bytes(remembered, Behaviour()))).anomaly == "other_reference"
    assert read(frame_of(answer_bytes(invented, Behaviour()))).anomaly is not None


def test_faults_of_length_cost_nothing_but_the_receipt() -> None:
    """A receipt a character short, lengths in characters, fields left out."""
    answer = done(request(force_authorization=True)).answer
    short = Behaviour(receipt_short_by=1)
    characters = Behaviour(counts_characters=True)

    cut = read(frame_of(answer_bytes(answer, short)))
    counted = frame_of(answer_bytes(answer, characters))
    bare = done(request(), Behaviour(leaves_out=frozenset({"CJ", "CF", "CB"}))).answer

    assert (cut.meaning, cut.result.receipt, cut.notes) == (
        AnswerMeaning.SUCCEEDED,
        None,
        ("receipt_unreadable", "reference_confirmed"),
    )
    assert counted.by_characters
    assert read(counted).result.receipt == receipt_of(answer)
    assert not bare.keys() & {"CJ", "CF", "CB"}
    assert read(frame_of(answer_bytes(bare, Behaviour()))).result.paid_cents == 2500


def test_an_answer_in_pieces_is_the_whole_answer() -> None:
    """Whatever the size."""
    data = answer_bytes(done(request()).answer, Behaviour())

    assert pieces(data, Behaviour()) == [data]
    for size in (1, 7, len(data), len(data) + 1):
        parts = pieces(data, Behaviour(piece_bytes=size))
        assert b"".join(parts) == data
        assert all(len(part) <= size for part in parts)
