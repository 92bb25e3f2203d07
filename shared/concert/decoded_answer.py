"""The vocabulary of answers: how a payment goes on, why it is in doubt, and what an answer says."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.concert.receipt import ticket_fingerprint
from shared.payment.payment import Reason

PARTIAL_AMOUNT: Final = "partial_amount"
AMOUNT_NOT_ECHOED: Final = "amount_not_echoed"
REFERENCE_CONFIRMED: Final = "reference_confirmed"
RECEIPT_UNREADABLE: Final = "receipt_unreadable"


class AnswerMeaning(StrEnum):
    """How the payment goes on."""

    #: Done: for a debit the money moved.
    SUCCEEDED = "succeeded"
    #: Not done: terminal or bank said no.
    REFUSED = "refused"
    #: Not done: a person gave up or was too slow.
    ABORTED = "aborted"
    #: Not even tried: the terminal is occupied.
    BUSY = "busy"
    #: Nothing is certain; `Reading.finding` says why.
    IN_DOUBT = "in_doubt"


class Anomaly(StrEnum):
    """Why an answer leaves the payment in doubt."""

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
class Reading:
    """The meaning of one answer. Nothing in it holds a whole card number."""

    outcome: AnswerMeaning
    #: Set where the outcome is in doubt.
    anomaly: Anomaly | None = None
    #: What was really paid, cents; set where the outcome is succeeded.
    paid_amount_cents: int | None = None
    #: CB, whatever the outcome; None where there was none that is a number.
    answered_amount_cents: int | None = None
    #: AF's two digits.
    error_code: str | None = None
    #: AF in words.
    error_description: str | None = None
    #: The issuer's answer code, where the card application gives it.
    issuer_code: str | None = None
    authorisation_number: str | None = None
    masked_card: str | None = None
    #: CC, and its name by the contract's list.
    application: str | None = None
    application_name: str | None = None
    aid: str | None = None
    #: CI: 0 any, 1 contact, 2 contactless, 3 magnetic stripe, 4 manual.
    card_read_mode: str | None = None
    contract: str | None = None
    #: Plain text.
    receipt: str | None = None
    #: The answer is, or may be, about somebody else's transaction: nothing of it is kept but fingerprints.
    is_foreign: bool = False
    #: Of a ticket that is not kept, since it may be another merchant's.
    receipt_fingerprint: str | None = None
    #: For the caller, e.g. `partial_amount`.
    warnings: tuple[str, ...] = ()
    #: For the payment's history, e.g. `amount_not_echoed`.
    notes: tuple[str, ...] = ()

    @property
    def reason(self) -> Reason | None:
        """The payment's word for it: set where the outcome is in doubt or busy."""
        if self.outcome is AnswerMeaning.BUSY:
            return Reason.BUSY
        return None if self.anomaly is None else _REASONS.get(self.anomaly, Reason.CONTRADICTING_ANSWER)


def without_foreign_data(said: Reading) -> Reading:
    """Return the reading without what may be another merchant's: how it is judged stays, and fingerprints."""
    return Reading(
        outcome=said.outcome,
        anomaly=said.anomaly,
        is_foreign=True,
        receipt_fingerprint=None if said.receipt is None else ticket_fingerprint(said.receipt),
        warnings=said.warnings,
        notes=said.notes,
    )
