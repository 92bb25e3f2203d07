"""A payment, and its history, as the API's answers show them."""

from enum import StrEnum
from typing import Annotated, Any, Self

from fastapi import Path
from pydantic import Field

from api.http.models import Omittable, ResponseBody, Time, known
from shared.concert.fields import APPLICATIONS
from shared.payment import payment as stored
from shared.payment.evidence import Source
from shared.payment.payment import Operation, Reason
from shared.payment.states import State
from shared.runtime.clock import iso_time


def one_of(choices: type[StrEnum]) -> dict[str, Any]:
    """Return the JSON Schema of a text that a later release may have more of."""
    return {"enum": [choice.value for choice in choices]}


class Payment(ResponseBody):
    """Addition of this project: the payment as it is stored. What is not known is left out."""

    id: str = Field(
        description="`pay_` and a ULID, 30 characters.", examples=["pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"]
    )
    order_id: str
    operation: Operation
    state: State
    reason: Omittable[str] = Field(
        None,
        description="Why it is in this state, where the state alone does not say it.",
        json_schema_extra=one_of(Reason),
    )
    safe_to_retry: bool = Field(
        description="True only where it is certain that no money moved and none can still move, by this "
        "attempt of the order or by another one."
    )
    replayed: bool = Field(description="The stored result of an earlier request for the same operation.")
    resolving: Omittable[bool] = Field(
        None, description="Whether anything may still settle a payment in doubt by itself."
    )
    contradicted: Omittable[bool] = Field(
        None, description="True where a proof contradicts the stored outcome: an operator must look at it."
    )
    amount: int = Field(description="In cents: what was really paid, else what was asked for.")
    currency: str
    authorisation_number: Omittable[str] = None
    masked_card: Omittable[str] = Field(None, description="First 6 digits at most and last 4.")
    application: Omittable[str] = Field(None, description="Payment application that the customer used.")
    application_name: Omittable[str] = None
    aid: Omittable[str] = Field(None, description="AID of the card application.")
    created_at: Time
    expires_at: Omittable[Time] = Field(
        None,
        description="While it is queued: when it expires unless it has the terminal before.",
    )
    claimed_at: Omittable[Time] = Field(None, description="When a worker took the terminal for it.")
    doubted_at: Omittable[Time] = Field(
        None, description="When its outcome became unknown, whatever became of it later."
    )
    resolved_by: Omittable[str] = Field(
        None, description="What settled the doubt.", json_schema_extra=one_of(Source)
    )
    ended_at: Omittable[Time] = None
    held_since: Omittable[Time] = Field(
        None,
        description="Since when another payment held the terminal, where this one expired waiting.",
    )
    warnings: list[str] = Field(
        description="What did not fit and was no reason to refuse, e.g. `basket_total_mismatch`, "
        "`basket_item_total_mismatch`, `partial_amount`."
    )

    @classmethod
    def of(
        cls,
        payment: stored.Payment,
        *,
        safe_to_retry: bool,
        replayed: bool = False,
        resolving: bool | None = None,
    ) -> Self:
        """Return the payment as answers show it.

        `resolving` says of a payment without an outcome whether anything may still settle it by itself.
        """
        result = payment.result
        return cls(
            **known(
                id=payment.id,
                order_id=payment.order_id,
                operation=payment.operation,
                state=payment.state,
                reason=payment.reason,
                safe_to_retry=safe_to_retry,
                replayed=replayed,
                resolving=resolving,
                contradicted=payment.contradicted or None,
                amount=payment.paid_or_asked_cents,
                currency=payment.currency,
                **result.shown(),
                application_name=APPLICATIONS.get(result.application or ""),
                created_at=iso_time(payment.created_at),
                expires_at=iso_time(payment.deadline_at) if payment.state is State.QUEUED else None,
                claimed_at=iso_time(payment.claimed_at),
                doubted_at=iso_time(payment.doubted_at),
                resolved_by=payment.resolved_by,
                ended_at=iso_time(payment.ended_at),
                held_since=iso_time(payment.held_since),
                warnings=list(result.warnings),
            )
        )


#: A path's parameter.
PaymentId = Annotated[str, Path(description="e.g. `pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE`")]


class Accepted(ResponseBody):
    """A payment whose outcome is not known yet, or that is asked about alone."""

    payment: Payment


class HistoryEvent(ResponseBody):
    """One event of a payment's history."""

    at: Time
    event: str = Field(description="What happened, a code.")
    state: State = Field(description="The state after it.")
    detail: dict[str, Any] = Field(description="More on it; card numbers are masked.")


class PaymentPage(ResponseBody):
    """One page of payments."""

    payments: list[Payment]
    next: Omittable[str] = Field(None, description="The next page's `cursor`; left out on the last page.")


class PaymentEvents(ResponseBody):
    """A payment's history, oldest first."""

    events: list[HistoryEvent]


class StoredEvidence(ResponseBody):
    """A proof, or a hint, of what became of a payment."""

    at: Time
    source: Annotated[str, Field(json_schema_extra=one_of(Source))]
    proves: Omittable[str] = Field(None, description="The event that it proves; left out of a hint.")
    brought_by: Omittable[str] = Field(
        None, description="The gateway's credential, the operator's name or the worker's id."
    )
    detail: dict[str, Any] = Field(description="What was said; card numbers are masked.")
