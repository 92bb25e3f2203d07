"""The tables of payments and terminals: times are milliseconds since 1970 UTC by the database's clock,
amounts are cents.

The schema is the only use of SQLModel: what runs per payment are the named statements beside this file.
"""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Text, text
from sqlmodel import Field, SQLModel

from shared.storage.db.columns import identity, milliseconds, reference, text_column


class MerchantRow(SQLModel, table=True):
    """A retailer or a till vendor's customer; owns credentials, terminals and payments."""

    __tablename__ = "merchants"

    id: str = Field(sa_column=Column(Text, primary_key=True))
    name: str = text_column(nullable=False)
    #: JSON list of networks (CIDR, or `public`: every public address) whose terminals this merchant may
    #: drive; empty: none.
    networks: str = text_column(nullable=False)
    #: Hours after which a succeeded order no longer keeps its number: for tills that begin again at 1. Null:
    #: an order number is used once.
    guard_hours: int | None = Field(sa_column=Column(Integer), default=None)
    #: A reversal of an order without a debit here is passed on: a terminal may then reverse the newest other
    #: sale of that amount.
    reverses_unknown: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    #: A credit of an order without a debit here is refused.
    credits_known_only: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    created_at: int = milliseconds(nullable=False)
    #: Since when its new orders are refused, and the reason that they are told.
    suspended_at: int | None = milliseconds()
    suspended_because: str | None = text_column()


class MerchantUsageRow(SQLModel, table=True):
    """The bytes of the orders that a merchant stored on one day."""

    __tablename__ = "merchant_usage"

    merchant_id: str = Field(sa_column=Column(Text, ForeignKey("merchants.id"), primary_key=True))
    #: Days since 1970 UTC by the database's clock.
    day: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    order_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))


class CredentialRow(SQLModel, table=True):
    """A name and secret for HTTP Basic; the secret is kept as a keyed hash only."""

    __tablename__ = "credentials"

    #: The user name of HTTP Basic.
    id: str = Field(sa_column=Column(Text, primary_key=True))
    #: `private`, `public`, `gateway` or `operator`; the first two belong to a merchant, the others to none.
    kind: str = text_column(nullable=False)
    merchant_id: str | None = reference("merchants.id", nullable=True, index=True)
    secret_hash: str = text_column(nullable=False)
    created_at: int = milliseconds(nullable=False)
    revoked_at: int | None = milliseconds()


class TerminalLockRow(SQLModel, table=True):
    """One terminal's `address:port`: the mutex that lets a single session at a time reach it."""

    __tablename__ = "terminal_locks"

    address: str = Field(sa_column=Column(Text, primary_key=True))
    #: The payment or probe that holds the line; null means free.
    held_by: str | None = text_column()
    #: The worker that holds it.
    worker: str | None = text_column()
    #: Raised by every taking and every release, so that a late write of an earlier session changes nothing.
    epoch: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")), default=0)
    #: Random token of the run that took the line; tells my lost commit from somebody else's.
    claim: str | None = text_column()
    taken_at: int | None = milliseconds()
    #: For people to read; a claim never looks at it.
    lease_until: int | None = milliseconds()
    #: JSON list of the echoed tags of the last three complete answers.
    echoes: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'[]'")), default="[]")
    #: When the terminal last gave a complete answer.
    answered_at: int | None = milliseconds()
    #: Whether the terminal answers identifications: asked once, after a finished payment; null: not yet.
    identifies: bool | None = None
    #: The next sessions begin with an identification until one is answered: the terminal may still show an
    #: earlier amount.
    identify_first: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    #: A person asks for the line sooner: for which payment in doubt, who, and when. Lapses with that payment.
    release_for: str | None = text_column()
    release_by: str | None = text_column()
    release_asked_at: int | None = milliseconds()


class TerminalRow(SQLModel, table=True):
    """What a merchant registered about the terminal on a line. What is learned of it stays with the line."""

    __tablename__ = "terminals"
    __table_args__ = (
        Index("terminals_by_line", "merchant_id", "terminal_address", unique=True),
        # An address is one merchant's alone, or nobody's.
        Index(
            "terminals_sole_use",
            "terminal_address",
            unique=True,
            postgresql_where=text("sole_use_confirmed_at IS NOT NULL"),
            sqlite_where=text("sole_use_confirmed_at IS NOT NULL"),
        ),
    )

    merchant_id: str = Field(sa_column=Column(Text, ForeignKey("merchants.id"), primary_key=True))
    #: Chosen by the merchant.
    id: str = Field(sa_column=Column(Text, primary_key=True))
    label: str = text_column(nullable=False)
    shop: str = Field(sa_column=Column(Text, nullable=False, server_default=text("''")), default="")
    host: str = text_column(nullable=False)
    port: int = Field(sa_column=Column(Integer, nullable=False))
    #: Where the host's name led to when the entry was last changed, or at a later payment or probe.
    terminal_address: str = text_column(nullable=False)
    #: Spoken in identifications; an order names its own.
    protocol: str = text_column(nullable=False)
    #: JSON of the Concert profile's settings that differ from the protocol version's default.
    profile: str = text_column(nullable=False)
    pos_number: str = text_column(nullable=False)
    #: When an authorisation is asked for though the order does not: `standard` (never), `always`, `above`.
    authorisation: str = Field(
        sa_column=Column(Text, nullable=False, server_default=text("'standard'")), default="standard"
    )
    authorisation_above_cents: int | None = Field(sa_column=Column(BigInteger), default=None)
    #: Since when it takes no payments.
    disabled_at: int | None = milliseconds()
    #: The merchant says that nobody else uses this address; counts once an operator has confirmed it.
    sole_use_requested_at: int | None = milliseconds()
    sole_use_confirmed_at: int | None = milliseconds()
    sole_use_confirmed_by: str | None = text_column()
    created_at: int = milliseconds(nullable=False)
    changed_at: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=text("0")), default=0)
    #: When another device came to the same place.
    replaced_at: int | None = milliseconds()


class ProbeRow(SQLModel, table=True):
    """One identification that a merchant asked for; kept for a day."""

    __tablename__ = "probes"
    __table_args__ = (Index("probes_by_time", "merchant_id", "created_at"),)

    #: `prb_` and a ULID; holds the line as a payment's id does.
    id: str = Field(sa_column=Column(Text, primary_key=True))
    merchant_id: str = reference("merchants.id")
    terminal_id: str = text_column(nullable=False)
    terminal_address: str = text_column(nullable=False)
    protocol: str = text_column(nullable=False)
    profile: str = text_column(nullable=False)
    pos_number: str = text_column(nullable=False)
    #: `queued`; `running` from the taking of the line on; `ended`.
    state: str = text_column(nullable=False)
    #: See `shared.storage.terminals.probes.Outcome`; null until it ended.
    outcome: str | None = text_column()
    #: From the identification's write to its answer's first byte, milliseconds.
    round_trip_ms: int | None = Field(sa_column=Column(Integer), default=None)
    detail: str | None = text_column()
    #: Who held the line, and since when.
    held_by: str | None = text_column()
    held_since: int | None = milliseconds()
    created_at: int = milliseconds(nullable=False)
    #: Nobody takes it later.
    deadline_at: int = milliseconds(nullable=False)
    ended_at: int | None = milliseconds()


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
        # The listings' cursor.
        Index("payments_by_time", "merchant_id", "created_at", "id"),
        # What a person has to look at.
        Index(
            "payments_contradicted",
            "created_at",
            "id",
            postgresql_where=text("contradicted"),
            sqlite_where=text("contradicted"),
        ),
        # Where a host's name led to before; a literal address is no name.
        Index(
            "payments_by_name",
            "merchant_id",
            "host",
            "port",
            "created_at",
            "id",
            postgresql_where=text("substr(terminal_address, 1, length(host)) <> host"),
            sqlite_where=text("substr(terminal_address, 1, length(host)) <> host"),
        ),
        Index(
            "payments_by_debit",
            "debit_id",
            postgresql_where=text("debit_id IS NOT NULL"),
            sqlite_where=text("debit_id IS NOT NULL"),
        ),
        Index(
            "payments_waiting",
            "terminal_address",
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
    merchant_id: str = reference("merchants.id")
    order_id: str = text_column(nullable=False)
    operation: str = text_column(nullable=False)
    #: Names the operation for ever; `guard_key` is the same text while the attempt counts.
    operation_key: str = text_column(nullable=False)
    guard_key: str | None = text_column()
    idempotency_key: str | None = text_column()
    debit_id: str | None = text_column()
    state: str = text_column(nullable=False)
    reason: str | None = text_column()
    contradicted: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    #: An attempt of its operation key is contradicted, or a reversal of such a debit.
    key_closed: bool = Field(default=False, sa_column_kwargs={"server_default": text("false")})
    amount_cents: int = Field(sa_column=Column(BigInteger, nullable=False))
    paid_cents: int | None = Field(sa_column=Column(BigInteger), default=None)
    currency: str = text_column(nullable=False)
    protocol: str = text_column(nullable=False)
    force_authorization: bool
    host: str = text_column(nullable=False)
    port: int = Field(sa_column=Column(Integer, nullable=False))
    terminal_address: str | None = text_column()
    pos_number: str = text_column(nullable=False)
    #: JSON of the Concert profile that this payment is sent with, as it was at acceptance.
    profile: str = text_column(nullable=False)
    #: The request as JSON text, not jsonb: it is echoed as it was sent.
    request: str = text_column(nullable=False)
    #: The only endpoint that hears of it, where the order names one; null: every one that listens.
    webhook_endpoint_id: str | None = text_column()
    reply_to: str | None = text_column()
    #: W3C trace context of the HTTP request.
    traceparent: str | None = text_column()
    #: The run that claimed it: its worker and the line's epoch then.
    worker: str | None = text_column()
    epoch: int | None = Field(sa_column=Column(BigInteger), default=None)
    created_at: int = milliseconds(nullable=False)
    deadline_at: int = milliseconds(nullable=False)
    published_at: int = milliseconds(nullable=False)
    publish_count: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("1")), default=1)
    claimed_at: int | None = milliseconds()
    ended_at: int | None = milliseconds()
    #: When its outcome became unknown, whatever became of it later.
    doubted_at: int | None = milliseconds()
    #: What settled the doubt: the evidence's source.
    resolved_by: str | None = text_column()
    #: Who brought that proof, see `EvidenceRow.brought_by`.
    proved_by: str | None = text_column()
    held_since: int | None = milliseconds()
    error_code: str | None = text_column()
    error_description: str | None = text_column()
    authorisation_number: str | None = text_column()
    masked_card: str | None = text_column()
    application: str | None = text_column()
    aid: str | None = text_column()
    card_read_mode: str | None = text_column()
    receipt: str | None = text_column()
    #: JSON list of words.
    warnings: str = Field(sa_column=Column(Text, nullable=False, server_default=text("'[]'")), default="[]")


class IdempotencyKeyRow(SQLModel, table=True):
    """The operation that a merchant's `Idempotency-Key` names, for ever."""

    __tablename__ = "idempotency_keys"

    merchant_id: str = Field(sa_column=Column(Text, ForeignKey("merchants.id"), primary_key=True))
    key: str = Field(sa_column=Column(Text, primary_key=True))
    order_id: str = text_column(nullable=False)
    operation: str = text_column(nullable=False)
    amount_cents: int = Field(sa_column=Column(BigInteger, nullable=False))
    currency: str = text_column(nullable=False)
    created_at: int = milliseconds(nullable=False)


class GatewayRecordRow(SQLModel, table=True):
    """A record that a gateway reported, once however often it is sent."""

    __tablename__ = "gateway_records"

    #: The gateway's name.
    source: str = Field(sa_column=Column(Text, primary_key=True))
    #: The gateway's own id of the record.
    record_id: str = Field(sa_column=Column(Text, primary_key=True))
    payment_id: str = reference("payments.id")
    #: What was reported, masked, as JSON: another report of the same id is told from a repeated one.
    content: str = text_column(nullable=False)
    at: int = milliseconds(nullable=False)


class PaymentEventRow(SQLModel, table=True):
    """The history of a payment, append-only: each change of state with its reason and time."""

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
    """What was learned of a payment's outcome outside its own session, a proof or a hint; append-only."""

    __tablename__ = "evidence"

    id: int | None = identity()
    payment_id: str = reference("payments.id", index=True)
    at: int = milliseconds(nullable=False)
    #: `late_answer`, `enquiry`, `gateway`, `operator` or `worker`.
    source: str = text_column(nullable=False)
    #: The event that it proves (`proved_done`, ...); null: a hint.
    proves: str | None = text_column()
    #: The gateway's credential, the operator's name or the worker's id; null in rows of before.
    brought_by: str | None = text_column()
    #: JSON object.
    detail: str = text_column(nullable=False)


class OperatorActionRow(SQLModel, table=True):
    """Something that an operator did which no payment's history tells; append-only."""

    __tablename__ = "operator_actions"

    id: int | None = identity()
    at: int = milliseconds(nullable=False)
    #: The operator's credential.
    by: str = text_column(nullable=False)
    #: See `shared.storage.payments.operator_actions.Action`.
    action: str = text_column(nullable=False)
    #: JSON object: what it was done to.
    detail: str = text_column(nullable=False)
