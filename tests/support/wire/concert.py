"""Concert frames and requests that several tests need."""

import base64
from typing import Any

from shared.concert.decode import Decoder, Frame
from shared.concert.decoded_answer import ParsedAnswer
from shared.concert.encode import (
    OperationRequest,
    encode_enquiry,
    encode_fields,
    encode_identification,
    encode_operation,
)
from shared.concert.interpret import interpret_frame
from shared.concert.profile import Profile
from shared.payment.payment import Operation

PAYMENT = "pay_01JD7Z4QK5W8M2N3P6R9S0T1V4"
OTHER_PAYMENT = "pay_01JD7Z4QK5W8M2N3P6R9S0T1V5"
#: A test card number with a valid check digit.
PAN = "4970101234567893"

#: The worked frames of the protocol's description: requests, then answers.
DEBIT = b"CZ0040300CJ012247300123456CA00201CB0042500CD0010CE003978"
DEBIT_WITH_RECEIPT = DEBIT + b"CK003100"
CREDIT = b"CZ0040310CJ012247300123456CA00201CB003300CD0011CE003978CK003120"
DONE = (
    b"CZ0040300CJ012789300987456AE00210CA00201CB0042500CC003001CD0010CE003978"
    b"CG0071999403AI014A0000000421010CI0011"
)
IDENTIFIED = b"CZ0040301CJ012330538600404CA00201CD001IAE00210"
REJECTED = b"CZ0040320CJ012999999999999AE00201AF00209CA00201CB00512345CD0010CE003978"
SHORTEST = b"CZ0040300AE00201AF00204"


def frame_of(data: bytes, *, ended: bool = True) -> Frame:
    decoder = Decoder()
    decoder.feed(data)
    return decoder.frame(ended=ended)


def answer(**fields: str | None) -> Frame:
    """Return a successful contact debit of 25.00 euros; `fields` replace values, None leaves one out."""
    usual: dict[str, str | None] = {
        "CZ": "0320",
        "CJ": "012345678901",
        "CA": "01",
        "CB": "2500",
        "CC": "001",
        "CD": "0",
        "CE": "978",
        "AC": "184117",
        "AE": "10",
    }
    kept = {tag: value for tag, value in (usual | fields).items() if value is not None}
    return frame_of(encode_fields(list(kept.items())))


def request(**changes: Any) -> OperationRequest:
    """Return a debit of 25.00 euros for PAYMENT."""
    usual: dict[str, Any] = {
        "operation": Operation.DEBIT,
        "protocol": "ConcertV3.2",
        "amount_cents": 2500,
        "software_id": "012345678901",
        "reference": PAYMENT,
    }
    return OperationRequest(**(usual | changes))


def frame_for(**changes: Any) -> bytes:
    """Return the same as our client sends it."""
    return encode_operation(request(**changes), Profile())


#: What our client sends: the debit for PAYMENT, the enquiry about it, and an identification.
OURS = frame_for()
ENQUIRY = encode_enquiry(request(), Profile())
IDENTIFICATION = encode_identification(
    protocol="ConcertV3.2", software_id="012345678901", pos_number="01", profile=Profile()
)


def read(
    frame: Frame,
    *,
    sent: OperationRequest | None = None,
    profile: Profile | None = None,
    after_seconds: float = 20.0,
) -> ParsedAnswer:
    return interpret_frame(
        frame, sent or request(), profile or Profile(), first_byte_after_seconds=after_seconds
    )


def base64_of(text: str, encoding: str = "utf-8") -> str:
    return base64.b64encode(text.encode(encoding)).decode("ascii")


def receipt_field(text: str, encoding: str = "utf-8") -> str:
    """Return the value of a ZT that holds this text."""
    return encode_fields([("CK", "100"), ("AK", base64_of(text, encoding))]).decode("ascii")
