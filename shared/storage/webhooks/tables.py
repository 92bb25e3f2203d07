"""The tables of what is told to others: events, deliveries and the endpoints that listen.

Times are milliseconds since 1970 UTC by the database's clock.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from shared.storage.db.columns import identity, milliseconds, reference, text_column


class WebhookEndpointRow(SQLModel, table=True):
    """An address of a merchant that hears of payments."""

    __tablename__ = "webhook_endpoints"
    __table_args__ = (
        Index("webhook_endpoints_by_merchant", "merchant_id", "created_at", "id"),
        # Read whenever a payment ends, however many are disabled.
        Index(
            "webhook_endpoints_that_hear",
            "merchant_id",
            postgresql_where=text("disabled_at IS NULL"),
            sqlite_where=text("disabled_at IS NULL"),
        ),
    )

    #: `whe_` and a ULID.
    id: str = Field(sa_column=Column(Text, primary_key=True))
    merchant_id: str = reference("merchants.id")
    url: str = text_column(nullable=False)
    description: str = Field(sa_column=Column(Text, nullable=False, server_default=text("''")), default="")
    #: The event types that it hears of, each between bars (`|payment.succeeded|`); empty: all.
    types: str = Field(sa_column=Column(Text, nullable=False, server_default=text("''")), default="")
    #: Since when it hears of nothing, and why: `merchant` or `gone` (it answered 410).
    disabled_at: int | None = milliseconds()
    disabled_because: str | None = text_column()
    created_at: int = milliseconds(nullable=False)
    changed_at: int = milliseconds(nullable=False)


class WebhookSecretRow(SQLModel, table=True):
    """A secret that signs what goes to an endpoint. After a rotation two sign, until the older one ends."""

    __tablename__ = "webhook_secrets"

    id: int | None = identity()
    endpoint_id: str = reference("webhook_endpoints.id", index=True)
    #: Encrypted under the installation's key, see `shared.security.encryption`.
    sealed: str = text_column(nullable=False)
    created_at: int = milliseconds(nullable=False)
    #: From when on it signs no more; null: the newest one.
    ends_at: int | None = milliseconds()


class EventRow(SQLModel, table=True):
    """What a merchant may hear: a payment reached a state that its caller could be told. Append-only."""

    __tablename__ = "events"
    __table_args__ = (
        Index("events_by_payment", "payment_id", "sequence", unique=True),
        Index("events_by_position", "merchant_id", "position", unique=True),
        Index(
            "events_without_position",
            "merchant_id",
            "number",
            postgresql_where=text("position IS NULL"),
            sqlite_where=text("position IS NULL"),
        ),
    )

    number: int | None = identity()
    merchant_id: str = text_column(nullable=False)
    #: Null: a test event.
    payment_id: str | None = reference("payments.id", nullable=True)
    #: 1, 2, ... of its payment, without gaps.
    sequence: int = Field(sa_column=Column(Integer, nullable=False))
    #: `payment.succeeded`, ... see `shared.notification.events`.
    type: str = text_column(nullable=False)
    at: int = milliseconds(nullable=False)
    #: JSON object: the payment as it was then.
    body: str = text_column(nullable=False)
    #: Its place in the merchant's feed, given when the feed is read: by then it is committed.
    position: int | None = Field(sa_column=Column(BigInteger), default=None)


class FeedRow(SQLModel, table=True):
    """The last position given in a merchant's feed; its lock lets one reader at a time give more; no
    other one waits for it."""

    __tablename__ = "feeds"

    merchant_id: str = Field(sa_column=Column(Text, ForeignKey("merchants.id"), primary_key=True))
    position: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")), default=0)


class DeliveryRow(SQLModel, table=True):
    """One message for one target, written in the transaction that causes it."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(
            "deliveries_to_publish",
            "target",
            "publish_at",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        Index(
            "deliveries_due",
            "target",
            "due_at",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        # How many wait, and for how long.
        Index(
            "deliveries_waiting",
            "kind",
            "since_at",
            postgresql_where=text("state = 'waiting'"),
            sqlite_where=text("state = 'waiting'"),
        ),
        # Few among all: what people look for, and send again.
        Index(
            "deliveries_dead_of_merchant",
            "merchant_id",
            "created_at",
            "id",
            postgresql_where=text("state = 'dead'"),
            sqlite_where=text("state = 'dead'"),
        ),
        Index(
            "deliveries_dead_of_kind",
            "kind",
            "created_at",
            "id",
            postgresql_where=text("state = 'dead'"),
            sqlite_where=text("state = 'dead'"),
        ),
        Index("deliveries_of_payment", "payment_id", "target", "sequence"),
        Index("deliveries_by_time", "merchant_id", "created_at", "id"),
    )

    #: Made of the payment, the sequence and the target, so that one cause makes one row.
    id: str = Field(sa_column=Column(Text, primary_key=True))
    #: `hipay` or `merchant`.
    kind: str = text_column(nullable=False)
    #: The endpoint's id, or `hipay`.
    target: str = text_column(nullable=False)
    merchant_id: str = text_column(nullable=False)
    payment_id: str | None = reference("payments.id", nullable=True)
    #: The event that it tells; null: HiPay's order notification, which is made of the payment.
    event_number: int | None = Field(
        sa_column=Column(BigInteger, ForeignKey("events.number"), nullable=True), default=None
    )
    type: str = text_column(nullable=False)
    sequence: int = Field(sa_column=Column(Integer, nullable=False))
    #: `waiting`, `delivered` or `dead`.
    state: str = text_column(nullable=False)
    #: Why it is dead: `gave_up`, `gone` or `endpoint_disabled`.
    reason: str | None = text_column()
    #: Tries since it was made or replayed.
    tries: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("0")), default=0)
    #: Raised by every lease, so that a late result of an earlier one changes nothing.
    lease: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")), default=0)
    leased_until: int | None = milliseconds()
    #: End of its first try ever: from then on it keeps no later one of its payment waiting.
    tried_at: int | None = milliseconds()
    created_at: int = milliseconds(nullable=False)
    #: Beginning of the time in which it is tried; a replay begins anew.
    since_at: int = milliseconds(nullable=False)
    #: Not sent before.
    due_at: int = milliseconds(nullable=False)
    #: When the sweep sends a message for it, once more.
    publish_at: int = milliseconds(nullable=False)
    publish_count: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("0")), default=0)
    ended_at: int | None = milliseconds()


class DeliveryAttemptRow(SQLModel, table=True):
    """One try of a delivery; append-only."""

    __tablename__ = "delivery_attempts"

    id: int | None = identity()
    delivery_id: str = reference("deliveries.id", index=True)
    at: int = milliseconds(nullable=False)
    duration_ms: int = Field(sa_column=Column(Integer, nullable=False))
    #: HTTP status; null where none came.
    status: int | None = Field(sa_column=Column(Integer), default=None)
    #: Why there was no success, a stable word.
    error: str | None = text_column()
    #: The first 2 KiB of the answer's body.
    answer: str | None = text_column()
    #: Where a redirect (3xx) leads, cleaned for people to read.
    location: str | None = text_column()


class DeliveryTargetRow(SQLModel, table=True):
    """The circuit breaker of a target that failed: no row, no trouble."""

    __tablename__ = "delivery_targets"

    #: The endpoint's id, or `hipay`.
    id: str = Field(sa_column=Column(Text, primary_key=True))
    #: Failures in a row.
    failures: int = Field(sa_column=Column(Integer, nullable=False))
    #: Nothing is sent before.
    paused_until: int | None = milliseconds()
