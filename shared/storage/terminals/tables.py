"""Tables of merchants, terminals and workers.

Times are milliseconds since 1970 UTC by the database's clock.
"""

from sqlalchemy import Column, Index, Integer
from sqlmodel import Field, SQLModel

from shared.storage.db.schema.columns import (
    flag,
    integer,
    milliseconds,
    partial_index,
    reference,
    text_column,
    text_key,
)


class MerchantRow(SQLModel, table=True):
    """A retailer or a POS vendor's customer; owns credentials, terminals and payments."""

    __tablename__ = "merchants"
    __table_args__ = (Index("merchants_by_time", "created_at", "id"),)

    id: str = text_key()
    name: str = text_column(nullable=False)
    #: JSON list of networks (CIDR, or `public`: every public address) whose terminals this merchant may
    #: drive; empty: none.
    networks: str = text_column(nullable=False)
    #: Hours after which a succeeded order releases its number, for cash registers that start again at 1.
    #: Null: an order number is used once.
    guard_hours: int | None = integer()
    #: Seconds for which a repeated order gets the stored success. Null: the installation's setting.
    replay_seconds: int | None = integer()
    #: A reversal of an order without a debit here is passed on: a terminal may then reverse the newest other
    #: sale of that amount.
    reverses_unknown: bool = flag()
    #: A credit of an order without a debit here is refused.
    credits_known_only: bool = flag()
    created_at: int = milliseconds(nullable=False)
    #: Start of its suspension, and the reason that clients get in the response.
    suspended_at: int | None = milliseconds()
    suspended_because: str | None = text_column()


class MerchantUsageRow(SQLModel, table=True):
    """The bytes of the orders that a merchant stored on one day."""

    __tablename__ = "merchant_usage"

    merchant_id: str = text_key("merchants.id")
    #: Days since 1970 UTC by the database's clock.
    day: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    order_bytes: int = integer(nullable=False, is_big=True)


class CredentialRow(SQLModel, table=True):
    """A name and secret for HTTP Basic; the secret is kept as a keyed hash only."""

    __tablename__ = "credentials"
    __table_args__ = (Index("credentials_by_time", "created_at", "id"),)

    #: The user name of HTTP Basic.
    id: str = text_key()
    #: `private`, `public`, `gateway` or `operator`; the first two belong to a merchant, the others to none.
    kind: str = text_column(nullable=False)
    merchant_id: str | None = reference("merchants.id", nullable=True, index=True)
    secret_hash: str = text_column(nullable=False)
    #: The secret before, valid until then.
    earlier_hash: str | None = text_column()
    earlier_until: int | None = milliseconds()
    #: For display: a shop's till, an operator's name.
    label: str = text_column(nullable=False, default="")
    #: Of an operator: `read`, `settle` or `admin`; null: another kind.
    role: str | None = text_column()
    created_at: int = milliseconds(nullable=False)
    #: Its last use, written once a minute; null: never.
    used_at: int | None = milliseconds()
    expires_at: int | None = milliseconds()
    revoked_at: int | None = milliseconds()


class TerminalLockRow(SQLModel, table=True):
    """The lock of one terminal address (`address:port`): one session at a time reaches the terminal."""

    __tablename__ = "terminal_locks"
    __table_args__ = (
        # Read at each heartbeat and each claim: few are held, however many terminals there are.
        partial_index("terminal_locks_held", "held_by", where="held_by IS NOT NULL"),
    )

    address: str = text_key()
    #: The payment or probe that holds the lock; null: it is free.
    held_by: str | None = text_column()
    #: The worker that runs the holder's session.
    worker: str | None = text_column()
    #: Fencing number, raised by every acquisition and release: a late write of an earlier session changes
    #: nothing.
    epoch: int = integer(nullable=False, is_big=True, default=0)
    #: Random token of the run that acquired the lock: the run finds its own commit by it when the answer to
    #: the commit was lost.
    claim: str | None = text_column()
    acquired_at: int | None = milliseconds()
    #: End of the lease, for display; no statement decides by it.
    lease_until: int | None = milliseconds()
    #: JSON list of the echoed tags of the last three complete answers.
    echoes: str = text_column(nullable=False, default="[]")
    #: Time of the terminal's last complete answer.
    answered_at: int | None = milliseconds()
    #: True if the terminal answers identifications; tried once, after a finished payment; null: not yet.
    identifies: bool | None = None
    #: The next sessions begin with an identification until one is answered, because the terminal may still
    #: show an earlier amount.
    identify_first: bool = flag()
    #: An operator's request for early release: the payment in doubt, the operator and the time. It lapses
    #: with
    #: that payment.
    release_for: str | None = text_column()
    release_by: str | None = text_column()
    release_asked_at: int | None = milliseconds()


class TerminalRow(SQLModel, table=True):
    """A merchant's entry for the terminal at an address; observed capabilities belong to the address."""

    __tablename__ = "terminals"
    __table_args__ = (
        Index("terminals_by_address", "merchant_id", "terminal_address", unique=True),
        # At most one merchant has sole use of an address.
        partial_index(
            "terminals_sole_use", "terminal_address", where="sole_use_confirmed_at IS NOT NULL", unique=True
        ),
    )

    merchant_id: str = text_key("merchants.id")
    #: Chosen by the merchant.
    id: str = text_key()
    label: str = text_column(nullable=False)
    shop: str = text_column(nullable=False, default="")
    host: str = text_column(nullable=False)
    port: int = integer(nullable=False)
    #: Address of the host's name when the entry was last changed, or at a later payment or probe.
    terminal_address: str = text_column(nullable=False)
    #: Protocol of identifications; an order names its own.
    protocol: str = text_column(nullable=False)
    #: JSON of the Concert profile's settings that differ from the protocol version's default.
    profile: str = text_column(nullable=False)
    pos_number: str = text_column(nullable=False)
    #: Condition for an authorisation that the order does not ask for: `standard` (never), `always`, `above`.
    authorisation: str = text_column(nullable=False, default="standard")
    authorisation_above_cents: int | None = integer(is_big=True)
    #: Start of the time in which it takes no payments.
    disabled_at: int | None = milliseconds()
    #: The merchant claims sole use of this address; valid once an operator has confirmed it.
    sole_use_requested_at: int | None = milliseconds()
    sole_use_confirmed_at: int | None = milliseconds()
    sole_use_confirmed_by: str | None = text_column()
    created_at: int = milliseconds(nullable=False)
    changed_at: int = integer(nullable=False, is_big=True, default=0)
    #: Time at which another device replaced the one at this address.
    replaced_at: int | None = milliseconds()


class ProbeRow(SQLModel, table=True):
    """One identification that a merchant asked for; kept for a day."""

    __tablename__ = "probes"
    __table_args__ = (Index("probes_by_time", "merchant_id", "created_at"),)

    #: `prb_` and a ULID; holds the terminal lock as a payment's id does.
    id: str = text_key()
    merchant_id: str = reference("merchants.id")
    terminal_id: str = text_column(nullable=False)
    terminal_address: str = text_column(nullable=False)
    protocol: str = text_column(nullable=False)
    profile: str = text_column(nullable=False)
    pos_number: str = text_column(nullable=False)
    #: `queued`; `running` once the terminal lock is acquired; `ended`.
    state: str = text_column(nullable=False)
    #: See `shared.storage.terminals.probes.ProbeResult`; null until it ended.
    result: str | None = text_column()
    #: Milliseconds from the identification's write to the first byte of its answer.
    round_trip_ms: int | None = integer()
    detail: str | None = text_column()
    #: Holder of the terminal lock, and the start of its lease.
    held_by: str | None = text_column()
    held_since: int | None = milliseconds()
    created_at: int = milliseconds(nullable=False)
    #: No worker starts it later.
    deadline_at: int = milliseconds(nullable=False)
    ended_at: int | None = milliseconds()


class WorkerRow(SQLModel, table=True):
    """A running terminal worker: its counter grows with each heartbeat; it deletes the row when it ends."""

    __tablename__ = "workers"

    #: New at every start of a process.
    id: str = text_key()
    counter: int = integer(nullable=False, is_big=True)
    #: Of the last heartbeat.
    beaten_at: int | None = milliseconds()
    #: Name of its machine or container, and its release; null: not told.
    host: str | None = text_column()
    version: str | None = text_column()


class WorkerDrainRow(SQLModel, table=True):
    """An operator's request that a terminal worker ends; the worker looks for it at each heartbeat.

    It is in the database of payments, since SQLite has the heartbeats in a file of their own.
    """

    __tablename__ = "worker_drains"

    worker: str = text_key()
    asked_at: int = milliseconds(nullable=False)
