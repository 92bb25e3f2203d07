"""A POS's request, as the terminal reads it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.cards import DECK
from shared.concert import fields as f
from shared.concert.decode import Frame
from shared.concert.fields import Action

#: Actions that move money and need an amount.
OPERATIONS: Final = frozenset({Action.DEBIT, Action.CREDIT, Action.REVERSAL})
#: Starts a remote collection, in V3.1 and later.
COLLECTION: Final = "B"
_FIRST_VERSION_WITH_COLLECTION: Final = "0310"
#: Required fields; an operation or pre-authorisation requires more.
_NEEDED: Final = frozenset({f.PROTOCOL_VERSION, f.ACTION})
_NEEDED_FOR_MONEY: Final = _NEEDED | {f.AMOUNT, f.SOFTWARE_ID, f.POS_NUMBER, f.CURRENCY}
_WITH_AMOUNT: Final = OPERATIONS | {Action.PREAUTHORISATION}
#: Payment applications of the deck's cards, see `sandbox.cards`.
_APPLICATIONS: Final = frozenset(card.application(mode) for card in DECK for mode in card.modes)


@dataclass(frozen=True, slots=True)
class Request:
    """A request's fields, and its rejection."""

    fields: Mapping[str, str]
    #: The answer code (AF) that rejects it; None for a request that can be done.
    rejected_with: str | None = None

    @property
    def action(self) -> str:
        return self.fields.get(f.ACTION, "")

    @property
    def is_operation(self) -> bool:
        return self.action in OPERATIONS

    @property
    def amount_cents(self) -> int:
        return int(self.fields[f.AMOUNT])

    @property
    def reference(self) -> str | None:
        """Return CF as text."""
        return self.text(f.PRIVATE_DATA)

    @property
    def application(self) -> str | None:
        """Return the required payment application; None: any."""
        return self.fields.get(f.APPLICATION)

    def text(self, tag: str) -> str | None:
        """Return a field as text; a value that is not UTF-8 is decoded as Latin-1."""
        value = self.fields.get(tag)
        if value is None or value.isascii():
            return value
        raw = value.encode("utf-8", "surrogateescape")
        return value if raw.decode("utf-8", "replace") == value else raw.decode("latin-1")

    @property
    def wants_receipt(self) -> bool:
        return self.fields.get(f.RECEIPT_WANTED, "000") != "000"

    @property
    def wants_answer_at_once(self) -> bool:
        """Return whether BA is 1: one answer at once, and none after it on the connection."""
        return self.fields.get(f.ANSWER_MODE) == "1"

    @property
    def forces_authorisation(self) -> bool:
        return self.fields.get(f.AUTHORISATION) == "1"


def is_whole(frame: Frame) -> bool:
    """Return whether a request may end here: on a field boundary, with all required fields."""
    return frame.at_boundary and _needed(frame.fields) <= frame.fields.keys()


def _needed(fields: Mapping[str, str]) -> frozenset[str]:
    return _NEEDED_FOR_MONEY if fields.get(f.ACTION) in _WITH_AMOUNT else _NEEDED


def check_request(frame: Frame) -> Request:
    """Return the request, rejected where a terminal would: format, action, currency or application."""
    return Request(frame.fields, _fault(frame))


def _fault(frame: Frame) -> str | None:
    fields = frame.fields
    if frame.error is not None or frame.repeated or not is_whole(frame):
        return "09"
    action = fields[f.ACTION]
    if action in OPERATIONS:
        return _fault_of_operation(fields)
    if action == COLLECTION and fields[f.PROTOCOL_VERSION] >= _FIRST_VERSION_WITH_COLLECTION:
        return None
    return None if action in (Action.IDENTIFICATION, Action.DUPLICATE) else "12"


def _fault_of_operation(fields: Mapping[str, str]) -> str | None:
    amount = fields[f.AMOUNT]
    if not (amount.isascii() and amount.isdigit() and int(amount)):
        return "09"
    if not all(f.TAGS[tag].shortest <= len(fields[tag]) <= f.TAGS[tag].longest for tag in _NEEDED_FOR_MONEY):
        return "09"
    if fields[f.CURRENCY] != f.EURO:
        return "13"
    return None if fields.get(f.APPLICATION) in {None, *_APPLICATIONS} else "10"
