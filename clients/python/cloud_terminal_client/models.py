"""Payments, history and events as the API shows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

#: States that a payment never leaves.
_FINAL: Final = frozenset({"succeeded", "refused", "aborted", "unreachable", "expired", "cancelled"})


class Operation(StrEnum):
    """Kind of a payment, as the API names it in its answers."""

    DEBIT = "debit"
    REVERSAL = "reversal"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt of an operation, as it is stored."""

    id: str
    order_id: str
    operation: str
    #: queued, in_session, in_doubt, succeeded, refused, aborted, unreachable, expired or cancelled; a later
    #: release may have more.
    state: str
    #: True only where no money moved and none can still move, by this attempt of the order or by another one.
    safe_to_retry: bool
    #: What was really paid, else what was asked for.
    amount_cents: int
    currency: str
    created_at: datetime
    reason: str | None = None
    #: The stored result of an earlier request for the same operation.
    replayed: bool = False
    #: Whether anything may still settle a payment in doubt by itself.
    resolving: bool | None = None
    #: A proof contradicts the stored outcome: an operator must look at it.
    contradicted: bool = False
    authorisation_number: str | None = None
    masked_card: str | None = None
    resolved_by: str | None = None
    ended_at: datetime | None = None
    warnings: Sequence[str] = ()
    #: Everything that the API said of it.
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_final(self) -> bool:
        return self.state in _FINAL

    @classmethod
    def read(cls, shown: Mapping[str, Any]) -> Self:
        """Return the payment of an answer. Raises KeyError or ValueError where it is none."""
        return cls(
            id=shown["id"],
            order_id=shown["order_id"],
            operation=shown["operation"],
            state=shown["state"],
            safe_to_retry=shown["safe_to_retry"] is True,
            amount_cents=shown["amount"],
            currency=shown["currency"],
            created_at=datetime.fromisoformat(shown["created_at"]),
            reason=shown.get("reason"),
            replayed=shown.get("replayed") is True,
            resolving=shown.get("resolving"),
            contradicted=shown.get("contradicted") is True,
            authorisation_number=shown.get("authorisation_number"),
            masked_card=shown.get("masked_card"),
            resolved_by=shown.get("resolved_by"),
            ended_at=_time(shown.get("ended_at")),
            warnings=tuple(shown.get("warnings", ())),
            raw=shown,
        )


@dataclass(frozen=True, slots=True)
class HistoryEvent:
    """One event of a payment's history."""

    at: datetime
    event: str
    state: str
    detail: Mapping[str, Any]

    @classmethod
    def read(cls, shown: Mapping[str, Any]) -> Self:
        return cls(datetime.fromisoformat(shown["at"]), shown["event"], shown["state"], shown["detail"])


@dataclass(frozen=True, slots=True)
class Event:
    """An event of a webhook or of the feed."""

    type: str
    event_id: str
    #: Its number among the events of its payment, from 1 on.
    sequence: int
    occurred_at: datetime
    #: The payment that it is about; None for a test event.
    payment_id: str | None
    order_id: str | None
    state: str | None
    safe_to_retry: bool
    #: Everything that it says.
    raw: Mapping[str, Any] = field(repr=False, compare=False)
    #: The `webhook-id`, the same for each attempt and each replay; None in the feed.
    delivery_id: str | None = None

    @classmethod
    def read(cls, shown: Mapping[str, Any], delivery_id: str | None = None) -> Self:
        return cls(
            type=shown["type"],
            event_id=shown["event_id"],
            sequence=shown["sequence"],
            occurred_at=datetime.fromisoformat(shown["occurred_at"]),
            payment_id=shown.get("payment_id"),
            order_id=shown.get("order_id"),
            state=shown.get("state"),
            safe_to_retry=shown.get("safe_to_retry") is True,
            raw=shown,
            delivery_id=delivery_id,
        )


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Events in the order of their commits, and the cursor to keep once they are handled."""

    events: Sequence[Event]
    cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """A registered webhook endpoint."""

    id: str
    url: str
    types: Sequence[str]
    disabled: bool
    #: Signs its webhooks; shown once, when the endpoint is registered.
    secret: str | None
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, shown: Mapping[str, Any]) -> Self:
        return cls(
            id=shown["id"],
            url=shown["url"],
            types=tuple(shown["types"]),
            disabled=shown["disabled"],
            secret=shown.get("secret"),
            raw=shown,
        )


def _time(shown: str | None) -> datetime | None:
    return None if shown is None else datetime.fromisoformat(shown)
