"""Deliveries and events as answers show them, and bodies of requests to replay deliveries."""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from api.http.errors import InvalidRequest
from api.http.models import NOT_NUL, Omittable, OneOf, RequestBody, ResponseBody, Time, known
from api.http.query import read_cursor, read_time
from api.payments.history import masked
from shared.notification.events import EventType
from shared.notification.kinds import HIPAY, MERCHANT, event_id
from shared.runtime.clock import iso_time
from shared.storage.payments.listing import Place
from shared.storage.webhooks.delivery_list import DeliveryFilter, StoredAttempt, StoredDelivery

_WAITING: Final = "waiting"
#: The type of HiPay's order notification.
ORDER: Final = "order"
_MERCHANTS_TYPES: Final = tuple(type_.value for type_ in EventType)

Kind = Literal["hipay", "merchant"]
DeliveryState = Literal["waiting", "delivered", "dead"]
MerchantsType = Annotated[str, OneOf(_MERCHANTS_TYPES)]
AnyType = Annotated[str, OneOf((ORDER, *_MERCHANTS_TYPES))]


def _milliseconds(given: Any) -> Any:
    if not isinstance(given, str):
        raise PydanticCustomError("type", "should be string")
    at = read_time(given)
    if at is None:
        raise PydanticCustomError("format", "should be a time like 2026-03-05T12:06:58.123Z")
    return at


#: A time with its offset, as milliseconds since 1970 UTC.
_TimeText = Annotated[
    int, BeforeValidator(_milliseconds), WithJsonSchema({"type": "string", "format": "date-time"})
]
_Id = Annotated[str, Field(max_length=64, pattern=NOT_NUL)]


class Replay(RequestBody):
    """A choice of the merchant's deliveries that are sent once more."""

    endpoint_id: Omittable[_Id] = Field(
        None, description="To this endpoint only.", examples=["whe_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"]
    )
    state: Literal["delivered", "dead"] = Field(
        description="Those that failed for good (`dead`), or those that were delivered.", examples=["dead"]
    )
    type: Omittable[MerchantsType] = Field(
        None, description="Of this event type only.", examples=["payment.succeeded"]
    )
    from_: _TimeText = Field(
        alias="from",
        description="Written at this time or later: ISO 8601 with its offset.",
        examples=["2026-03-05T12:00:00Z"],
    )
    to: Omittable[_TimeText] = Field(
        None, description="Written before this time; left out: before now.", examples=["2026-03-06T12:00:00Z"]
    )
    cursor: Omittable[Annotated[str, Field(max_length=128, pattern=NOT_NUL)]] = Field(
        None,
        description="The place to go on: an earlier answer's `next`.",
        examples=["MTc3MjcxMjQwMTAwNy5kbHZfMQ"],
    )

    @property
    def after(self) -> Place | None:
        """The place where an earlier request ended. Raises InvalidRequest."""
        place = None if self.cursor is None else read_cursor(self.cursor)
        if self.cursor is not None and place is None:
            raise InvalidRequest("format", "should be an earlier answer's `next`", "cursor")
        return place

    def filter(self, *, merchant_id: str | None, kind: str | None) -> DeliveryFilter:
        """Return the filter of one merchant's, or everybody's, deliveries of one kind, or of both."""
        return DeliveryFilter(
            merchant_id=merchant_id,
            kind=kind,
            target=self.endpoint_id,
            state=self.state,
            type=self.type,
            created_from=self.from_,
            created_before=self.to,
        )


class OperatorsReplay(Replay):
    """A choice of deliveries, of any merchant, that are sent once more."""

    kind: Omittable[Kind] = Field(
        None, description="HiPay's order notifications, or merchants' webhooks.", examples=[HIPAY]
    )
    merchant_id: Omittable[_Id] = Field(
        None, description="Of this merchant only.", examples=["mer_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"]
    )
    type: Omittable[AnyType] = Field(
        None, description="Of this event type only.", examples=["payment.succeeded"]
    )


class Replayed(ResponseBody):
    """The number of deliveries that are sent once more."""

    replayed: int = Field(ge=0, description="The number of deliveries that are sent once more.")
    next: Omittable[str] = Field(
        None, description="There may be more: the `cursor` of the same request, sent again."
    )


class Event(ResponseBody):
    """An event, as the body of a webhook has it, too; its type decides on further fields."""

    model_config = ConfigDict(extra="allow")

    type: str
    event_id: str
    sequence: int = Field(ge=1, description="Number of the event among its payment's, from 1.")
    occurred_at: Time


class EventFeed(ResponseBody):
    """Events after a cursor."""

    events: list[Event]
    next: str = Field(description="Opaque; the `after` of the next request.")
    has_more: bool = Field(description="Whether to ask again at once.")


class Attempt(ResponseBody):
    """One try of a delivery."""

    at: Time
    duration_ms: int = Field(ge=0)
    status: Omittable[int] = Field(None, description="HTTP status; left out where none came.")
    error: Omittable[str] = Field(None, description="Why it failed, a code.")
    answer: Omittable[str] = Field(
        None,
        description="The first 2 KiB of the answer's body, card numbers masked, or why there is none.",
    )
    location: Omittable[str] = Field(
        None, description="Where a 3xx redirects to, without its query; it is not followed."
    )

    @classmethod
    def of(cls, attempt: StoredAttempt) -> Self:
        """Return a stored attempt; card numbers in the receiver's answer are masked."""
        return cls(
            **known(
                at=iso_time(attempt.at),
                duration_ms=attempt.duration_ms,
                status=attempt.status,
                error=attempt.error,
                answer=masked(attempt.answer),
                location=attempt.location,
            )
        )


class Delivery(ResponseBody):
    """A delivery of one event to one endpoint."""

    id: str = Field(description="The receiver's `webhook-id`.")
    endpoint_id: Omittable[str] = None
    type: str
    event_id: Omittable[str] = None
    payment_id: Omittable[str] = Field(None, description="Left out of a test.")
    sequence: int = Field(description="Number of the event among its payment's, from 1.")
    state: str = Field(json_schema_extra={"enum": ["waiting", "delivered", "dead"]})
    reason: Omittable[str] = Field(
        None,
        description="Why it is dead.",
        json_schema_extra={"enum": ["gave_up", "gone", "endpoint_disabled"]},
    )
    tries: int = Field(ge=0, description="Since it was written or last replayed.")
    created_at: Time
    first_tried_at: Omittable[Time] = None
    next_try_at: Omittable[Time] = Field(None, description="While it waits: not before.")
    is_being_sent: bool
    ended_at: Omittable[Time] = None

    @classmethod
    def of(cls, delivery: StoredDelivery, **more: Any) -> Self:
        """Return a stored delivery with `more` fields."""
        is_waiting = delivery.state == _WAITING
        event = None
        if delivery.event_number is not None:
            event = event_id(delivery.event_number, delivery.payment_id, delivery.sequence)
        return cls(
            **known(
                id=delivery.id,
                endpoint_id=delivery.target if delivery.kind == MERCHANT else None,
                type=delivery.type,
                event_id=event,
                payment_id=delivery.payment_id,
                sequence=delivery.sequence,
                state=delivery.state,
                reason=delivery.reason,
                tries=delivery.tries,
                created_at=iso_time(delivery.created_at),
                first_tried_at=iso_time(delivery.tried_at),
                next_try_at=iso_time(delivery.due_at) if is_waiting else None,
                is_being_sent=is_waiting and delivery.is_being_sent,
                ended_at=iso_time(delivery.ended_at),
                **more,
            )
        )


_ATTEMPTS_DESCRIPTION: Final = "The newest hundred, the oldest of them first."


class DeliveryWithAttempts(Delivery):
    """A delivery with its event and its attempts."""

    event: Event
    attempts: list[Attempt] = Field(description=_ATTEMPTS_DESCRIPTION)


class DeliveryPage(ResponseBody):
    """One page of deliveries."""

    deliveries: list[Delivery]
    next: Omittable[str] = Field(None, description="The next page's `cursor`; left out on the last page.")


class AnyDelivery(Delivery):
    """A delivery of any merchant and kind."""

    kind: Kind
    merchant_id: str

    @classmethod
    def of(cls, delivery: StoredDelivery, **more: Any) -> Self:
        """Return a stored delivery with `more` fields."""
        return super().of(delivery, kind=delivery.kind, merchant_id=delivery.merchant_id, **more)


class AnyDeliveryWithAttempts(AnyDelivery):
    """A delivery of any merchant and kind with its attempts."""

    attempts: list[Attempt] = Field(description=_ATTEMPTS_DESCRIPTION)


class AnyDeliveryPage(ResponseBody):
    """One page of deliveries of any merchant and kind."""

    deliveries: list[AnyDelivery]
    next: Omittable[str] = Field(None, description="The next page's `cursor`; left out on the last page.")
