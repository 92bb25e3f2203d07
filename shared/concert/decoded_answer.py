"""The vocabulary of decoded answers: how a payment goes on, why it is in doubt, and the answer's values."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from shared.concert import fields as f
from shared.concert.mask import mask_card_numbers
from shared.concert.receipt import clean_text, receipt_fingerprint
from shared.payment.payment import Reason, Result

PARTIAL_AMOUNT: Final = "partial_amount"
AMOUNT_NOT_ECHOED: Final = "amount_not_echoed"
REFERENCE_CONFIRMED: Final = "reference_confirmed"
RECEIPT_UNREADABLE: Final = "receipt_unreadable"


class AnswerMeaning(StrEnum):
    """The way a payment goes on after an answer."""

    #: Done: for a debit the money moved.
    SUCCEEDED = "succeeded"
    #: Not done: terminal or bank said no.
    REFUSED = "refused"
    #: Not done: the customer or cashier gave up, or was too slow.
    ABORTED = "aborted"
    #: Not even tried: the terminal is occupied.
    BUSY = "busy"
    #: Nothing is certain; `ParsedAnswer.anomaly` says why.
    IN_DOUBT = "in_doubt"


class Anomaly(StrEnum):
    """The reason why an answer leaves the payment in doubt."""

    #: No row of fields, or one without a status.
    UNREADABLE = "unreadable"
    #: A tag came twice with different values.
    FIELD_REPEATED = "field_repeated"
    #: CA is not ours.
    OTHER_POS = "other_pos"
    #: CD is not what was asked for.
    OTHER_OPERATION = "other_operation"
    #: CE is not what was asked for.
    OTHER_CURRENCY = "other_currency"
    #: CF is another payment's reference.
    OTHER_REFERENCE = "other_reference"
    #: CB is not what was asked for.
    AMOUNT_DIFFERS = "amount_differs"
    #: CB is lower than asked, on a terminal that is not known for partial payment.
    AMOUNT_LOWER = "amount_lower"
    #: AE and AF contradict each other.
    AF_CONTRADICTS = "af_contradicts"
    #: AE 10 without any sign of a card.
    BARE_SUCCESS = "bare_success"
    #: AE 11 though immediate mode was not asked for.
    TAKEN_INTO_ACCOUNT = "taken_into_account"
    #: An AE that no public source describes.
    STATUS_UNKNOWN = "status_unknown"


_REASONS: Final[dict[Anomaly, Reason]] = {
    Anomaly.UNREADABLE: Reason.UNREADABLE,
    Anomaly.STATUS_UNKNOWN: Reason.UNREADABLE,
    Anomaly.AMOUNT_LOWER: Reason.AMOUNT_LOWER,
    Anomaly.BARE_SUCCESS: Reason.NO_SIGN_OF_CARD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedAnswer:
    """One answer's meaning and values. Nothing in it holds a whole card number."""

    meaning: AnswerMeaning
    #: Set where the meaning is in doubt.
    anomaly: Anomaly | None = None
    #: The values to store; `paid_cents` is set where the meaning is succeeded.
    result: Result = field(default_factory=Result)
    #: CB, whatever the meaning; None where there was none that is a number.
    answered_amount_cents: int | None = None
    #: The issuer's answer code, where the card application gives it.
    issuer_code: str | None = None
    #: The answer is, or may be, about somebody else's transaction: nothing of it is kept but fingerprints.
    is_foreign: bool = False
    #: Of a receipt that is not kept, since it may be another merchant's.
    receipt_fingerprint: str | None = None
    #: For the payment's history, e.g. `amount_not_echoed`.
    notes: tuple[str, ...] = ()

    @property
    def reason(self) -> Reason | None:
        """The payment's reason: set where the meaning is in doubt or busy."""
        if self.meaning is AnswerMeaning.BUSY:
            return Reason.BUSY
        return None if self.anomaly is None else _REASONS.get(self.anomaly, Reason.CONTRADICTING_ANSWER)


def without_foreign_data(parsed: ParsedAnswer) -> ParsedAnswer:
    """Return the meaning and fingerprints alone of an answer that may be another merchant's."""
    receipt = parsed.result.receipt
    return ParsedAnswer(
        meaning=parsed.meaning,
        anomaly=parsed.anomaly,
        is_foreign=True,
        receipt_fingerprint=None if receipt is None else receipt_fingerprint(receipt),
        notes=parsed.notes,
    )


#: CB/EMV applications: 2 the issuer's answer code, 21 its message, 2 the check results, 2 the reason.
_FIXED_COLUMNS_LENGTH: Final = 27
_MESSAGE_COLUMNS: Final = slice(2, 23)


@dataclass(frozen=True, slots=True)
class AnswerCode:
    """An AF: the status's answer code, and a text whose form depends on the card application."""

    #: Two digits; empty where AF does not begin with two digits.
    code: str
    #: The issuer's answer code (CB2A field 39), where the application gives it.
    issuer_code: str | None
    #: The rest, masked; may be empty.
    text: str

    @property
    def description(self) -> str:
        """The code's meaning with the terminal's text: the contract's errorDescription."""
        meaning = f.ANSWER_CODES.get(self.code, "")
        return ": ".join(part for part in (meaning, self.text) if part)


def read_answer_code(value: str) -> AnswerCode | None:
    """Return a parsed AF; None for a blank one, which counts as left out."""
    value = clean_text(value)
    if not value.strip():
        return None
    code, rest = value[:2], value[2:]
    if len(code) != 2 or not (code.isascii() and code.isdigit()):
        return AnswerCode("", None, mask_card_numbers(value.strip()))
    issuer_code = rest[:2]
    if len(rest) == _FIXED_COLUMNS_LENGTH and set(issuer_code) <= set("0123456789 "):
        message = rest[_MESSAGE_COLUMNS].strip()
        return AnswerCode(code, issuer_code.strip() or None, mask_card_numbers(message))
    return AnswerCode(code, None, mask_card_numbers(rest.strip()))
