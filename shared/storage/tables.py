"""The tables. Times are milliseconds since 1970 UTC by the database's clock, amounts are cents.

The schema is the only use of SQLModel: what runs per payment are the named statements beside this file.
"""

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Text, text
from sqlmodel import Field, SQLModel


def _milliseconds(nullable: bool = True) -> Any:
    return Field(sa_column=Column(BigInteger, nullable=nullable), default=None)


def _reference(column: str, *, nullable: bool = False, index: bool = False) -> Any:
    return Field(
        sa_column=Column(Text, ForeignKey(column), nullable=nullable, index=index),
        default=None,
    )


def _text(nullable: bool = True) -> Any:
    return Field(sa_column=Column(Text, nullable=nullable), default=None)


class MerchantRow(SQLModel, table=True):
    """A retailer or a till vendor's customer; owns credentials, terminals and payments."""

    __tablename__ = "merchants"

    id: str = Field(sa_column=Column(Text, primary_key=True))
    name: str = _text(nullable=False)
    #: JSON list of networks (CIDR) whose terminals this merchant may drive; empty: any public address.
    networks: str = _text(nullable=False)
    created_at: int = _milliseconds(nullable=False)


class CredentialRow(SQLModel, table=True):
    """A name and secret for HTTP Basic; the secret is kept as a keyed hash only."""

    __tablename__ = "credentials"

    #: The user name of HTTP Basic.
    id: str = Field(sa_column=Column(Text, primary_key=True))
    #: `private`, `public`, `gateway` or `operator`; the first two belong to a merchant, the others to none.
    kind: str = _text(nullable=False)
    merchant_id: str | None = _reference("merchants.id", nullable=True, index=True)
    secret_hash: str = _text(nullable=False)
    created_at: int = _milliseconds(nullable=False)
    revoked_at: int | None = _milliseconds()


class LineRow(SQLModel, table=True):
    """One terminal's `address:port`: the mutex that lets a single session at a time reach it."""

    __tablename__ = "lines"

    address: str = Field(sa_column=Column(Text, primary_key=True))
    #: The payment that holds the line; null means free.
    held_by: str | None = _text()
    #: The worker that holds it.
    worker: str | None = _text()
    #: Raised by every taking and every release, so that a late write of an earlier session changes nothing.
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")), default=0)
    #: Random token of the run that took the line; tells my lost commit from somebody else's.
    claim: str | None = _text()
    taken_at: int | None = _milliseconds()
    #: For people to read; a claim never looks at it.
    hold_until: int | None = _milliseconds()
    #: JSON list of the echoed tags of the last three complete answers.
    echoes: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'[]'")), default="[]")
    #: When the terminal last gave a complete answer.
    answered_at: int | None = _milliseconds()


class TerminalRow(SQLModel, table=True):
    """What a merchant registered about the terminal on a line."""

    __tablename__ = "terminals"
    __table_args__ = (Index("terminals_by_line", "merchant_id", "line", unique=True),)

    id: str = Field(sa_column=Column(Text, primary_key=True))
    merchant_id: str = _reference("merchants.id")
    label: str = _text(nullable=False)
    host: str = _text(nullable=False)
    port: int = Field(sa_column=Column(Integer, nullable=False))
    line: str = _text(nullable=False)
    protocol: str = _text(nullable=False)
    #: JSON of the Concert profile's settings that differ from the protocol version's default.
    profile: str = _text(nullable=False)
    register_number: str = _text(nullable=False)
    created_at: int = _milliseconds(nullable=False)


class WorkerRow(SQLModel, table=True):
    """A living terminal worker. Its counter moves with each heartbeat; the row goes as its very last act."""

    __tablename__ = "workers"

    #: New at every start of a process.
    id: str = Field(sa_column=Column(Text, primary_key=True))
    counter: int = Field(sa_column=Column(BigInteger, nullable=False))


class PaymentRow(SQLModel, table=True):
    """One attempt of an order; the fields are described at `shared.payment.payment.Payment`."""

    __tablename__ = "payments"
    __table_args__ = (
        # The order guard: while an attempt counts, its key keeps every other attempt out.
        Index("payments_guard", "merchant_id", "guard_key", unique=True),
        Index("payments_by_operation", "merchant_id", "operation_key"),
        Index("payments_by_order", "merchant_id", "order_id"),
        Index(
            "payments_by_debit",
            "debit_id",
            postgresql_where=text("debit_id IS NOT NULL"),
            sqlite_where=text("debit_id IS NOT NULL"),
        ),
        Index(
            "payments_waiting",
            "line",
            "created_at",
            "id",
            postgresql_where=text("state = 'queued'"),
            sqlite_where=text("state = 'queued'"),
        ),
        Index(
            "payments_open",
            "state",
            "deadline_at",
            postgresql_where=text("state IN ('queued', 'in_session', 'in_doubt')"),
            sqlite_where=text("state IN ('queued', 'in_session', 'in_doubt')"),
        ),
    )

    id: str = Field(sa_column=Column(Text, primary_key=True))
    merchant_id: str = _reference("merchants.id")
    order_id: str = _text(nullable=False)
    operation: str = _text(nullable=False)
    #: Names the operation for ever; `guard_key` is the same text while the attempt counts.
    operation_key: str = _text(nullable=False)
    guard_key: str | None = _text()
    idempotency_key: str | None = _text()
    debit_id: str | None = _text()
    state: str = _text(nullable=False)
    reason: str | None = _text()
    contradicted: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    amount_cents: int = Field(sa_column=Column(BigInteger, nullable=False))
    paid_cents: int | None = Field(sa_column=Column(BigInteger), default=None)
    currency: str = _text(nullable=False)
    protocol: str = _text(nullable=False)
    force_authorization: bool
    host: str = _text(nullable=False)
    port: int = Field(sa_column=Column(Integer, nullable=False))
    line: str | None = _text()
    register_number: str = _text(nullable=False)
    #: JSON of the Concert profile that this payment is sent with, as it was at acceptance.
    profile: str = _text(nullable=False)
    #: The request as JSON text, not jsonb: it is echoed as it was sent.
    request: str = _text(nullable=False)
    reply_to: str | None = _text()
    #: W3C trace context of the HTTP request.
    traceparent: str | None = _text()
    #: The run that claimed it: its worker and the line's epoch then.
    worker: str | None = _text()
    epoch: int | None = Field(sa_column=Column(BigInteger), default=None)
    created_at: int = _milliseconds(nullable=False)
    deadline_at: int = _milliseconds(nullable=False)
    published_at: int = _milliseconds(nullable=False)
    publish_count: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("1")), default=1)
    claimed_at: int | None = _milliseconds()
    ended_at: int | None = _milliseconds()
    held_since: int | None = _milliseconds()
    error_code: str | None = _text()
    error_description: str | None = _text()
    authorisation_number: str | None = _text()
    masked_card: str | None = _text()
    application: str | None = _text()
    aid: str | None = _text()
    card_read_mode: str | None = _text()
    receipt: str | None = _text()
    #: JSON list of words.
    warnings: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'[]'")), default="[]")


class PaymentEventRow(SQLModel, table=True):
    """The history of a payment, append-only: each change of state with its reason and time."""

    __tablename__ = "payment_events"

    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    payment_id: str = _reference("payments.id", index=True)
    at: int = _milliseconds(nullable=False)
    event: str = _text(nullable=False)
    #: The state after it.
    state: str = _text(nullable=False)
    #: JSON object.
    detail: str = _text(nullable=False)


class EvidenceRow(SQLModel, table=True):
    """What was learned of a payment's outcome outside its own session, a proof or a hint; append-only."""

    __tablename__ = "evidence"

    id: int | None = Field(
        default=None,
        sa_column=Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    )
    payment_id: str = _reference("payments.id", index=True)
    at: int = _milliseconds(nullable=False)
    #: `late_answer`, `enquiry`, `gateway` or `operator`.
    source: str = _text(nullable=False)
    #: The event that it proves (`proved_done`, ...); null: a hint.
    proves: str | None = _text()
    #: JSON object.
    detail: str = _text(nullable=False)


#: Every table of this file, for the migrations.
METADATA = SQLModel.metadata
