"""Renders a payment's history and evidence; card numbers are masked once more on the way out."""

from collections.abc import Mapping
from typing import Any, Final

from shared.concert.mask import mask_card_numbers
from shared.storage.listing import PaymentEvent, StoredEvidence
from shared.times import iso_time

#: Details that name other merchants' payments, or who else has a credential here.
_OF_OTHERS: Final = frozenset({"held_by", "brought_by"})


def event_object(event: PaymentEvent, *, for_merchant: bool) -> dict[str, Any]:
    """Return one event; a merchant is not told of other merchants' payments or credentials."""
    detail = event.detail
    if for_merchant:
        detail = {name: value for name, value in detail.items() if name not in _OF_OTHERS}
    return {
        "at": iso_time(event.at),
        "event": event.event,
        "state": event.state.value,
        "detail": masked(detail),
    }


def evidence_object(evidence: StoredEvidence) -> dict[str, Any]:
    """Return a proof or a hint; `proves` is left out of a hint."""
    shown = {
        "at": iso_time(evidence.at),
        "source": evidence.source,
        "proves": evidence.proves,
        "brought_by": evidence.brought_by,
        "detail": masked(evidence.detail),
    }
    return {name: value for name, value in shown.items() if value is not None}


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
