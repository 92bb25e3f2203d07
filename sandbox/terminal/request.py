"""A register's request, read by the terminal."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from shared.concert import fields as f
from shared.concert.decode import Frame
from shared.concert.fields import Action

#: Actions that move money: they need an amount.
OPERATIONS: Final = frozenset({Action.DEBIT, Action.CREDIT, Action.REVERSAL})
#: Starts a remote collection, in V3.1 and later.
COLLECTION: Final = "B"
_FIRST_VERSION_WITH_COLLECTION: Final = "0310"
_WITH_AMOUNT: Final = OPERATIONS | {Action.PREAUTHORISATION}


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request's fields, and what is wrong with them."""

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
        return self.fields.get(f.PRIVATE_DATA)

    @property
    def wants_ticket(self) -> bool:
        return self.fields.get(f.TICKET_WANTED, "000") != "000"

    @property
    def wants_answer_at_once(self) -> bool:
        """BA 1: the answer says that the request was taken, and nothing more comes on the connection."""
        return self.fields.get(f.ANSWER_MODE) == "1"

    @property
    def forces_authorisation(self) -> bool:
        return self.fields.get(f.AUTHORISATION) == "1"


def is_whole(frame: Frame) -> bool:
    """Tell whether a request may end here: at a boundary, with version, action, and amount where needed."""
    fields = frame.fields
    if not frame.at_boundary or not {f.PROTOCOL_VERSION, f.ACTION} <= fields.keys():
        return False
    return fields[f.ACTION] not in _WITH_AMOUNT or f.AMOUNT in fields


def check_request(frame: Frame) -> Request:
    """Return the request, rejected where a terminal would: format, action or currency."""
    return Request(frame.fields, _fault(frame))


def _fault(frame: Frame) -> str | None:
    fields = frame.fields
    if frame.error is not None or frame.repeated or not is_whole(frame):
        return "09"
    action = fields[f.ACTION]
    if action in OPERATIONS:
        amount = fields[f.AMOUNT]
        if not (amount.isascii() and amount.isdigit() and 2 <= len(amount) <= 12 and int(amount)):
            return "09"
        return None if fields.get(f.CURRENCY, f.EURO) == f.EURO else "13"
    if action == COLLECTION and fields[f.PROTOCOL_VERSION] >= _FIRST_VERSION_WITH_COLLECTION:
        return None
    return None if action in (Action.IDENTIFICATION, Action.DUPLICATE) else "12"
