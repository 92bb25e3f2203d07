"""Tables of events, deliveries and webhook endpoints.

Times are milliseconds since 1970 UTC by the database's clock.
"""

from sqlalchemy import Index
from sqlmodel import SQLModel

from shared.storage.db.schema.columns import (
    identity,
    integer,
    milliseconds,
    partial_index,
    reference,
    text_column,
    text_key,
)


class WebhookEndpointRow(SQLModel, table=True):
    """A merchant's URL that receives webhooks."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        Index("webhook_endpoints_by_merchant", "merchant_id", "created_at", "id"),
        # Read whenever a payment ends, however many are disabled.
        partial_index("webhook_endpoints_enabled", "merchant_id", where="disabled_at IS NULL"),
    )

    #: `whe_` and a ULID.
    id: str = text_key()
    merchant_id: str = reference("merchants.id")
    url: str = text_column(nullable=False)
    description: str = text_column(nullable=False, default="")
    #: The event types that it subscribes to, each between bars (`|payment.succeeded|`); empty: all.
    types: str = text_column(nullable=False, default="")
    #: Start and cause of its being disabled; the cause is `merchant` or `gone` (it answered 410).
    disabled_at: int | None = milliseconds()
    disabled_because: str | None = text_column()
    created_at: int = milliseconds(nullable=False)
    changed_at: int = milliseconds(nullable=False)


class WebhookSecretRow(SQLModel, table=True):
    """A secret that signs an endpoint's webhooks; after a rotation several sign until the older ones end."""

    __tablename__ = "webhook_secrets"

    id: int | None = identity()
    endpoint_id: str = reference("webhook_endpoints.id", index=True)
    #: Encrypted under the installation's key, see `shared.security.secret_key`.
    encrypted: str = text_column(nullable=False)
    created_at: int = milliseconds(nullable=False)
    #: End of its use; null: the newest one.
    ends_at: int | None = milliseconds()


class EventRow(SQLModel, table=True):
    """A change of a payment that its merchant is notified of; append-only."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_by_payment", "payment_id", "sequence", unique=True),
        Index("events_by_position", "merchant_id", "position", unique=True),
        partial_index("events_without_position", "merchant_id", "number", where="position IS NULL"),
    )

    number: int | None = identity()
    merchant_id: str = text_column(nullable=False)
    #: Null: a test event.
    payment_id: str | None = reference("payments.id", nullable=True)
    #: 1, 2, ... of its payment, without gaps.
    sequence: int = integer(nullable=False)
    #: `payment.succeeded`, ... see `shared.notification.events`.
    type: str = text_column(nullable=False)
    at: int = milliseconds(nullable=False)
    #: JSON object: the payment as it was then.
    body: str = text_column(nullable=False)
    #: Position in the merchant's feed, given when the feed is read: by then the event is committed.
    position: int | None = integer(is_big=True)


class FeedRow(SQLModel, table=True):
    """The last position given in a merchant's feed; one reader at a time locks it to give more."""

    __tablename__ = "feeds"

    merchant_id: str = text_key("merchants.id")
    position: int = integer(nullable=False, is_big=True, default=0)


class DeliveryRow(SQLModel, table=True):
    """One message for one target, written in the transaction that causes it."""

    __tablename__ = "deliveries"
    __table_args__ = (
        partial_index("deliveries_to_publish", "target", "publish_at", where="state = 'waiting'"),
        partial_index("deliveries_due", "target", "due_at", where="state = 'waiting'"),
        # For metrics: number and age of the waiting deliveries.
        partial_index("deliveries_waiting", "kind", "since_at", where="state = 'waiting'"),
        # Dead deliveries are few, and the ones that people look for and replay.
        partial_index(
            "deliveries_dead_of_merchant", "merchant_id", "created_at", "id", where="state = 'dead'"
        ),
        partial_index("deliveries_dead_of_kind", "kind", "created_at", "id", where="state = 'dead'"),
        Index("deliveries_of_payment", "payment_id", "target", "sequence"),
        Index("deliveries_by_time", "merchant_id", "created_at", "id"),
    )

    #: Made from the payment, the sequence and the target, so that one cause writes one row.
    id: str = text_key()
    #: `hipay` or `merchant`.
    kind: str = text_column(nullable=False)
    #: The endpoint's id, or `hipay`.
    target: str = text_column(nullable=False)
    merchant_id: str = text_column(nullable=False)
    payment_id: str | None = reference("payments.id", nullable=True)
    #: The event that it carries; null: HiPay's order notification, which is made from the payment. No foreign
    #: key: a purge deletes both in one transaction, and would look for an index that nothing else needs.
    event_number: int | None = integer(is_big=True)
    type: str = text_column(nullable=False)
    sequence: int = integer(nullable=False)
    #: `waiting`, `delivered` or `dead`.
    state: str = text_column(nullable=False)
    #: Cause of its death: `gave_up`, `gone` or `endpoint_disabled`.
    reason: str | None = text_column()
    #: Attempts since it was written or replayed.
    tries: int = integer(nullable=False, default=0)
    #: Raised by every lease, so that a late result of an earlier one changes nothing.
    lease: int = integer(nullable=False, is_big=True, default=0)
    leased_until: int | None = milliseconds()
    #: End of its first attempt; from then on no later delivery of its payment waits for it.
    tried_at: int | None = milliseconds()
    created_at: int = milliseconds(nullable=False)
    #: Start of its retries; a replay starts anew.
    since_at: int = milliseconds(nullable=False)
    #: Earliest time of the next attempt.
    due_at: int = milliseconds(nullable=False)
    #: Time at which the sweep publishes a message for it.
    publish_at: int = milliseconds(nullable=False)
    publish_count: int = integer(nullable=False, default=0)
    ended_at: int | None = milliseconds()


class DeliveryAttemptRow(SQLModel, table=True):
    """One attempt of a delivery; append-only."""

    __tablename__ = "delivery_attempts"

    id: int | None = identity()
    delivery_id: str = reference("deliveries.id", index=True)
    at: int = milliseconds(nullable=False)
    duration_ms: int = integer(nullable=False)
    #: HTTP status; null without a response.
    status: int | None = integer()
    #: Code of the failure.
    error: str | None = text_column()
    #: The first 2 KiB of the response body.
    answer: str | None = text_column()
    #: Target of a redirect (3xx), cleaned for display.
    location: str | None = text_column()


class DeliveryTargetRow(SQLModel, table=True):
    """The circuit breaker of a target that failed; there is no row for a target that works."""

    __tablename__ = "delivery_targets"

    #: The endpoint's id, or `hipay`.
    id: str = text_key()
    #: Failures in a row.
    failures: int = integer(nullable=False)
    #: End of the pause in which nothing is sent.
    paused_until: int | None = milliseconds()
