"""The fields of Concert V3 (Caisse-AP over IP): tags, lengths, codes and their meanings.

A tag's first letter says who fills it: A the terminal, B the POS, C both, Z constructed (its value is
itself a row of fields).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.payment.payment import Operation

PROTOCOL_VERSION: Final = "CZ"
SOFTWARE_ID: Final = "CJ"
POS_NUMBER: Final = "CA"
AMOUNT: Final = "CB"
APPLICATION: Final = "CC"
ACTION: Final = "CD"
CURRENCY: Final = "CE"
PRIVATE_DATA: Final = "CF"
CONTRACT: Final = "CG"
REFERENCE_NUMBER: Final = "CH"
READ_MODE: Final = "CI"
RECEIPT_WANTED: Final = "CK"
ANSWER_MODE: Final = "BA"
AUTHORISATION: Final = "BB"
PARTIAL_PAYMENT: Final = "BF"
PHONE: Final = "BH"
EMAIL: Final = "BI"
CARD_NUMBER: Final = "AA"
CARD_EXPIRY: Final = "AB"
AUTHORISATION_NUMBER: Final = "AC"
CHEQUE_TRACK: Final = "AD"
STATUS: Final = "AE"
ANSWER_CODE: Final = "AF"
AID: Final = "AI"
RECEIPT_TEXT: Final = "AK"
RECEIPT: Final = "ZT"

#: A length is three digits.
MAX_VALUE_LENGTH: Final = 999


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag's meaning and the length of its value in characters."""

    meaning: str
    shortest: int
    longest: int
    #: The form (regular expression) in which history and logs keep the value; None: its length alone.
    kept: str | None = None


_MAKERS_EXTRA: Final = "maker's extra"

_CODE: Final = "[0-9A-Za-z]{1,10}"

TAGS: Final[dict[str, Tag]] = {
    PROTOCOL_VERSION: Tag("protocol version", 4, 4, kept="[0-9]{4}"),
    SOFTWARE_ID: Tag("POS software's protocol identifier", 12, 12, kept="[0-9]{12}"),
    POS_NUMBER: Tag("POS number", 2, 2, kept="[0-9A-Za-z]{2}"),
    AMOUNT: Tag("amount in cents", 2, 12, kept="[0-9]{1,12}"),
    APPLICATION: Tag("payment application", 3, 3, kept="[0-9A-Z]{3}"),
    ACTION: Tag("action", 1, 1, kept="[0-9A-Z]"),
    CURRENCY: Tag("currency, ISO 4217 numeric", 3, 3, kept="[0-9]{3}"),
    PRIVATE_DATA: Tag("private data: our payment reference", 1, 99),
    CONTRACT: Tag("merchant contract number", 1, 10, kept=_CODE),
    REFERENCE_NUMBER: Tag("reference number", 1, MAX_VALUE_LENGTH),
    READ_MODE: Tag("card read mode", 1, 1, kept="[0-9]"),
    RECEIPT_WANTED: Tag("receipt wanted", 3, 3, kept="[0-9A-Za-z]{3}"),
    ANSWER_MODE: Tag("answer at the end (0) or at once (1)", 1, 1, kept="[0-9]"),
    AUTHORISATION: Tag("authorisation: terminal's floor limit (0) or always (1)", 1, 1, kept="[0-9]"),
    PARTIAL_PAYMENT: Tag("partial payment refused (0) or accepted (1)", 1, 1, kept="[0-9]"),
    PHONE: Tag("customer's phone, for the receipt", 8, 20),
    EMAIL: Tag("customer's e-mail, for the receipt", 6, 256),
    CARD_NUMBER: Tag("card number, masked by the terminal", 1, 64),
    CARD_EXPIRY: Tag("card expiry", 4, 4),
    AUTHORISATION_NUMBER: Tag("authorisation number", 1, 10, kept=_CODE),
    CHEQUE_TRACK: Tag("cheque track", 1, MAX_VALUE_LENGTH),
    STATUS: Tag("status", 2, 2, kept="[0-9]{2}"),
    ANSWER_CODE: Tag("complement: answer code and text", 2, 50),
    AID: Tag("AID of the card application", 1, 32, kept="[0-9A-Fa-f]{10,32}"),
    RECEIPT_TEXT: Tag("receipt text, base64", 1, 900),
    "AL": Tag(f"{_MAKERS_EXTRA}: masking of the card number", 1, MAX_VALUE_LENGTH),
    "AM": Tag(_MAKERS_EXTRA, 1, MAX_VALUE_LENGTH),
    "AN": Tag(_MAKERS_EXTRA, 1, MAX_VALUE_LENGTH),
    "AP": Tag(_MAKERS_EXTRA, 1, MAX_VALUE_LENGTH),
    "AQ": Tag(_MAKERS_EXTRA, 1, MAX_VALUE_LENGTH),
    "ID": Tag(_MAKERS_EXTRA, 1, MAX_VALUE_LENGTH),
    "IM": Tag(_MAKERS_EXTRA, 1, MAX_VALUE_LENGTH),
    "OD": Tag(_MAKERS_EXTRA, 1, MAX_VALUE_LENGTH),
    RECEIPT: Tag("receipt", 1, MAX_VALUE_LENGTH),
}


class Action(StrEnum):
    """The operation that the terminal is asked for (CD)."""

    DEBIT = "0"
    #: A refund that is tied to no debit.
    CREDIT = "1"
    #: Undoes a debit: same amount, same card, before the remote collection.
    REVERSAL = "2"
    #: Repeats the last transaction's result and receipt.
    DUPLICATE = "3"
    PREAUTHORISATION = "4"
    #: A ping without a payment screen.
    IDENTIFICATION = "I"


ACTIONS: Final[dict[Operation, Action]] = {
    Operation.DEBIT: Action.DEBIT,
    Operation.REVERSAL: Action.REVERSAL,
    Operation.CREDIT: Action.CREDIT,
}

#: The contract's protocol names and the CZ they stand for.
VERSIONS: Final[dict[str, str]] = {"ConcertV3.1": "0310", "ConcertV3.2": "0320"}
#: The first version that knows BH and BI.
FIRST_VERSION_WITH_RECEIPT_ADDRESS: Final = "0320"

EURO: Final = "978"
#: The contract's currency codes and the CE they stand for.
CURRENCIES: Final[dict[str, str]] = {"EUR": EURO}


class Status(StrEnum):
    """The status of an answer (AE)."""

    DONE = "10"
    NOT_DONE = "01"
    #: Immediate mode: the request is taken, nothing has happened yet.
    TAKEN_INTO_ACCOUNT = "11"


#: AF's first two digits and their meanings: the contract's errorDescription.
ANSWER_CODES: Final[dict[str, str]] = {
    "00": "unknown",
    "01": "authorised",
    "02": "call the bank",
    "03": "forced",
    "04": "refused",
    "05": "forbidden",
    "06": "abandoned by the cardholder",
    "07": "not completed",
    "08": "input time-out",
    "09": "message format error",
    "10": "selection error",
    "11": "abandoned by the operator",
    "12": "action unknown",
    "13": "currency not supported",
}
ABORTED_CODES: Final = frozenset({"06", "08", "10", "11"})
#: Codes that say that the operation was done.
DONE_CODES: Final = frozenset({"01", "03"})
UNKNOWN_CODE: Final = "00"

#: CC's meanings; the contract's closed list of payment_application.
APPLICATIONS: Final[dict[str, str]] = {
    "001": "CB/Visa/Mastercard contact",
    "002": "Amex contact",
    "003": "CB Enseigne",
    "004": "Cetelem",
    "005": "Cofinoga",
    "006": "Diners",
    "007": "Pass",
    "008": "Franfinance",
    "009": "JCB",
    "00A": "Banque Accord EMV",
    "00B": "CB/Visa/Mastercard contactless",
    "00C": "cheque",
    "00D": "Amex contactless",
    "00E": "Conecs contact",
    "00F": "DCC",
    "00G": "QuickPass",
    "00I": "CPEI-EMV",
    "00S": "Sofinco",
    "00U": "UnionPay",
    "101": "CB VAD (keyed)",
    "10E": "Conecs contactless",
    "201": "quasi-cash",
    "301": "PLBS",
    "30F": "PLBS-DCC-GB",
    "401": "Optalion",
    "501": "Cash-Agence",
    "601": "PNF",
    "602": "P3F",
    "603": "Optalion",
    "604": "Preauto-CM",
    "605": "PRCME",
    "607": "QR code",
    "608": "TOP3-3XCB",
    "609": "PNF-HPS",
    "701": "PPFCA",
}

#: Applications in which the terminal reads no card. A cheque is read as a track, or not at all; a QR code is
#: shown by one telephone and read by another. All others are cards, if only their number is keyed in (101):
#: meal vouchers (Conecs) and payment in instalments (PNF, P3F) among them.
WITHOUT_A_CARD: Final = frozenset({"00C", "607"})

#: CI's meanings.
READ_MODES: Final[dict[str, str]] = {
    "0": "any",
    "1": "contact",
    "2": "contactless",
    "3": "magnetic stripe",
    "4": "manual",
}


def is_described(tag: str) -> bool:
    """Tell whether a public source describes a tag; makers' extras are known by name only."""
    known = TAGS.get(tag)
    return known is not None and not known.meaning.startswith(_MAKERS_EXTRA)


def meaning(tag: str) -> str:
    """Return a tag's meaning, `unknown` for one that no public source describes."""
    known = TAGS.get(tag)
    return known.meaning if known else "unknown"
