"""Renderer of a payment's history and evidence: allowed fields, nothing of other merchants' transactions.

New rows are stored so already; rows of earlier releases are shown so, too.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final

from api.http.models import known
from api.payments.models import HistoryEvent, StoredEvidence
from shared.concert.enquiry import FOREIGN_GAPS
from shared.concert.interpret import FOREIGN_ANOMALIES
from shared.concert.mask import allowed_fields, mask_card_numbers
from shared.payment.payment import Result
from shared.runtime.clock import iso_time
from shared.storage.payments import listing
from shared.storage.payments.listing import PaymentEvent

#: Details for operators only: other merchants' payments and credentials.
_OF_OTHERS: Final = frozenset({"held_by", "brought_by", "fingerprint", "receipt_fingerprint"})

#: Begin of a `by` that a merchant is shown: its own credential, or an operator by name. Any other one is an
#: operator's credential or an account of the machine.
_SHOWN_BY: Final = ("merchant (", "operator ")

#: Unreadable answers: they may be about another merchant's transaction.
_UNREAD: Final = frozenset({"fields", "unread", "broken", "received"})

#: Rows of a terminal's fields.
_FRAMES: Final = frozenset({"sent", "answer"})

#: Fields of an answer; not shown of an answer that may be about another merchant's transaction.
_ANSWERED: Final = frozenset({"answer"} | {each.name for each in fields(Result)})
_FOREIGN: Final[frozenset[str]] = frozenset({*FOREIGN_GAPS, *FOREIGN_ANOMALIES})


def event_object(event: PaymentEvent, *, for_merchant: bool) -> HistoryEvent:
    """Return one event; a merchant's leaves out other merchants' payments and credentials."""
    detail = event.detail
    if for_merchant:
        detail = {name: value for name, value in detail.items() if _is_shown(name, value)}
    return HistoryEvent(at=iso_time(event.at), event=event.event, state=event.state, detail=_shown(detail))


def _is_shown(name: str, value: Any) -> bool:
    if name == "by":
        return str(value).startswith(_SHOWN_BY)
    return name not in _OF_OTHERS | _UNREAD


def evidence_object(evidence: listing.StoredEvidence) -> StoredEvidence:
    """Return a proof or a hint; `proves` is left out of a hint."""
    return StoredEvidence(
        at=iso_time(evidence.at),
        source=evidence.source,
        detail=_shown(evidence.detail),
        **known(proves=evidence.proves, brought_by=evidence.brought_by),
    )


def _shown(detail: Mapping[str, Any]) -> dict[str, Any]:
    is_foreign = bool({detail.get("lack"), detail.get("finding")} & _FOREIGN)
    return {
        name: allowed_fields(value) if name in _FRAMES and isinstance(value, Mapping) else masked(value)
        for name, value in detail.items()
        if not (is_foreign and name in _ANSWERED)
    }


def masked(value: Any) -> Any:
    """Return a copy of a JSON value with every card number in its texts masked."""
    match value:
        case str():
            return mask_card_numbers(value)
        case Mapping():
            return {name: masked(part) for name, part in value.items()}
        case list() | tuple():
            return [masked(part) for part in value]
        case _:
            return value
