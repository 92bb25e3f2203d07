"""Tables of payments; times are milliseconds since 1970 UTC by the database's clock, amounts are cents.

The schema is the only use of SQLModel: the named statements beside this file run for each payment.
"""

from sqlalchemy import Index
from sqlmodel import SQLModel

from shared.storage.db.schema.columns import (
    computed_text,
    flag,
    identity,
    integer,
    milliseconds,
    partial_index,
    reference,
    text_column,
    text_key,
)
from shared.storage.investigation.twins import WITHOUT_CARD
from shared.storage.payments.rows import OPEN


class PaymentRow(SQLModel, table=True):
    """One attempt of an order; the fields are described at `shared.payment.payment.Payment`."""

    __tablename__ = "payments"
    __table_args__ = (
        # The order guard: its key keeps every other attempt of the operation out. The key comes first: a plan
        # without statistics would search an index that begins with the merchant by the merchant alone.
        Index("payments_guard", "guard_key", "merchant_id", unique=True),
        Index("payments_by_operation", "merchant_id", "operation_key"),
        # By the order first: operators search over merchants.
        Index("payments_by_order", "order_id", "merchant_id"),
        # The order of listings: a merchant's, everybody's, a terminal's.
        Index("payments_by_time", "merchant_id", "created_at", "id"),
        Index("payments_by_age", "created_at", "id"),
        Index("payments_by_terminal", "terminal_address", "created_at", "id"),
        partial_index(
            "payments_by_card",
            "card_last_four",
            "created_at",
            "id",
            where="card_last_four IS NOT NULL",
        ),
        partial_index(
            "payments_by_authorisation",
            "authorisation_number",
            "created_at",
            "id",
            where="authorisation_number IS NOT NULL",
        ),
        # Debits that may have charged a card that is not known, for operators.
        partial_index("payments_without_card", "terminal_address", "created_at", where=WITHOUT_CARD),
        # Payments with conflicting evidence, for operators.
        partial_index("payments_contradicted", "created_at", "id", where="contradicted"),
        # Earlier addresses of a host name; literal addresses are left out.
        partial_index(
            "payments_by_name",
            "merchant_id",
            "host",
            "port",
            "created_at",
            "id",
            where="substr(terminal_address, 1, length(host)) <> host",
        ),
        partial_index("payments_by_debit", "debit_id", where="debit_id IS NOT NULL"),
        partial_index("payments_queued", "terminal_address", "created_at", "id", where="state = 'queued'"),
        partial_index("payments_open", "state", "deadline_at", where=OPEN),
    )

    id: str = text_key()
    merchant_id: str = reference("merchants.id")
    order_id: str = text_column(nullable=False)
    operation: str = text_column(nullable=False)
    #: Names the operation for ever; `guard_key` is the same text while the attempt blocks new ones.
    operation_key: str = text_column(nullable=False)
    guard_key: str | None = text_column()
    idempotency_key: str | None = text_column()
    debit_id: str | None = text_column()
    state: str = text_column(nullable=False)
    reason: str | None = text_column()
    #: A proof conflicts with its final state.
    contradicted: bool = flag()
    #: Its order is locked for review: an attempt of its operation key, or a reversal of such a debit, has
    #: conflicting evidence.
    key_closed: bool = flag()
    amount_cents: int = integer(nullable=False, is_big=True)
    paid_cents: int | None = integer(is_big=True)
    currency: str = text_column(nullable=False)
    protocol: str = text_column(nullable=False)
    force_authorization: bool
    host: str = text_column(nullable=False)
    port: int = integer(nullable=False)
    terminal_address: str | None = text_column()
    pos_number: str = text_column(nullable=False)
    #: JSON of the Concert profile that this payment is sent with, as it was when the payment was accepted.
    profile: str = text_column(nullable=False)
    #: The request as JSON text, not jsonb: it is echoed as it was sent.
    request: str = text_column(nullable=False)
    #: The only endpoint that is notified, where the order names one; null: every one that subscribes.
    webhook_endpoint_id: str | None = text_column()
    reply_to: str | None = text_column()
    #: W3C trace context of the HTTP request.
    traceparent: str | None = text_column()
    #: Its claim: the worker, and the epoch of the terminal lock.
    worker: str | None = text_column()
    epoch: int | None = integer(is_big=True)
    created_at: int = milliseconds(nullable=False)
    deadline_at: int = milliseconds(nullable=False)
    published_at: int = milliseconds(nullable=False)
    publish_count: int = integer(nullable=False, default=1)
    claimed_at: int | None = milliseconds()
    ended_at: int | None = milliseconds()
    #: When its outcome became unknown, whatever became of it later.
    doubted_at: int | None = milliseconds()
    #: Source of the evidence that settled the doubt.
    resolved_by: str | None = text_column()
    #: Reporter of that proof, see `EvidenceRow.brought_by`.
    proved_by: str | None = text_column()
    #: Start of the terminal lock that it waited for in vain.
    held_since: int | None = milliseconds()
    error_code: str | None = text_column()
    error_description: str | None = text_column()
    authorisation_number: str | None = text_column()
    masked_card: str | None = text_column()
    #: The masked card's last four digits, made by the database; searches go by it.
    card_last_four: str | None = computed_text("substr(masked_card, length(masked_card) - 3)")
    application: str | None = text_column()
    aid: str | None = text_column()
    card_read_mode: str | None = text_column()
    receipt: str | None = text_column()
    #: JSON list of codes.
    warnings: str = text_column(nullable=False, default="[]")


class IdempotencyKeyRow(SQLModel, table=True):
    """The operation that a merchant's `Idempotency-Key` names, for ever."""

    __tablename__ = "idempotency_keys"

    merchant_id: str = text_key("merchants.id")
    key: str = text_key()
    order_id: str = text_column(nullable=False)
    operation: str = text_column(nullable=False)
    amount_cents: int = integer(nullable=False, is_big=True)
    currency: str = text_column(nullable=False)
    created_at: int = milliseconds(nullable=False)


class GatewayRecordRow(SQLModel, table=True):
    """A record of a gateway, stored once however often it is sent."""

    __tablename__ = "gateway_records"

    #: The gateway's name.
    source: str = text_key()
    #: The gateway's own id of the record.
    record_id: str = text_key()
    payment_id: str = reference("payments.id", index=True)
    #: The report, masked, as JSON: tells another report of the same id from a repeated one.
    content: str = text_column(nullable=False)
    at: int = milliseconds(nullable=False)


class PaymentEventRow(SQLModel, table=True):
    """An entry of a payment's history, append-only: one event with its reason and time."""

    __tablename__ = "payment_events"

    id: int | None = identity()
    payment_id: str = reference("payments.id", index=True)
    at: int = milliseconds(nullable=False)
    event: str = text_column(nullable=False)
    #: The state after it.
    state: str = text_column(nullable=False)
    #: JSON object.
    detail: str = text_column(nullable=False)


class EvidenceRow(SQLModel, table=True):
    """Evidence of a payment's outcome from outside its own session, a proof or a hint; append-only."""

    __tablename__ = "evidence"

    id: int | None = identity()
    payment_id: str = reference("payments.id", index=True)
    at: int = milliseconds(nullable=False)
    #: `late_answer`, `enquiry`, `gateway`, `operator` or `worker`.
    source: str = text_column(nullable=False)
    #: The event that it proves (`proved_done`, ...); null: a hint.
    proves: str | None = text_column()
    #: The gateway's credential, the operator's name or the worker's id.
    brought_by: str | None = text_column()
    #: JSON object.
    detail: str = text_column(nullable=False)
