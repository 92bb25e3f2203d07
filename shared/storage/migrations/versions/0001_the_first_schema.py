"""The first schema."""

import sqlalchemy as sa
from alembic import op

from shared.storage.administration.append_only import TRIGGERS
from shared.storage.db.statement import Dialect
from shared.storage.functions.catalogue import FUNCTIONS
from shared.storage.functions.purge_function import REVOKE_FROM_ALL
from shared.storage.investigation import late_changes

revision = "1.0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_merchants()
    _create_tables()
    _create_responses()
    _create_tasks()
    _create_functions()
    _create_audit_trail()
    _create_stored_totals()


def _create_merchants() -> None:
    op.create_table(
        "merchants",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("networks", sa.Text(), nullable=False),
        sa.Column("guard_hours", sa.Integer(), nullable=True),
        sa.Column("replay_seconds", sa.Integer(), nullable=True),
        sa.Column("reverses_unknown", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("credits_known_only", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("suspended_at", sa.BigInteger(), nullable=True),
        sa.Column("suspended_because", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("merchants_by_time", "merchants", ["created_at", "id"])
    op.create_table(
        "credentials",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=True),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("earlier_hash", sa.Text(), nullable=True),
        sa.Column("earlier_until", sa.BigInteger(), nullable=True),
        sa.Column("label", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("credentials_by_time", "credentials", ["created_at", "id"])
    op.create_table(
        "operator_sessions",
        sa.Column("token_hash", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["credential_id"], ["credentials.id"]),
        sa.PrimaryKeyConstraint("token_hash"),
    )
    op.create_index(op.f("ix_credentials_merchant_id"), "credentials", ["merchant_id"])


def _create_tables() -> None:
    op.create_table(
        "delivery_targets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("paused_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "terminal_locks",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("held_by", sa.Text(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("claim", sa.Text(), nullable=True),
        sa.Column("acquired_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("echoes", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("answered_at", sa.BigInteger(), nullable=True),
        sa.Column("identifies", sa.Boolean(), nullable=True),
        sa.Column("identify_first", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("release_for", sa.Text(), nullable=True),
        sa.Column("release_by", sa.Text(), nullable=True),
        sa.Column("release_asked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("address"),
    )
    _create_partial_index("terminal_locks_held", "terminal_locks", ["held_by"], "held_by IS NOT NULL")
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("beaten_at", sa.BigInteger(), nullable=True),
        sa.Column("host", sa.Text(), nullable=True),
        sa.Column("version", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "worker_drains",
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker"),
    )
    op.create_table(
        "feeds",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("merchant_id"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("merchant_id", "key"),
    )
    op.create_table(
        "merchant_usage",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("order_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("merchant_id", "day"),
    )
    op.create_table(
        "payments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("operation_key", sa.Text(), nullable=False),
        sa.Column("guard_key", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("debit_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("contradicted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("key_closed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("paid_cents", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("force_authorization", sa.Boolean(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("terminal_address", sa.Text(), nullable=True),
        sa.Column("pos_number", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("webhook_endpoint_id", sa.Text(), nullable=True),
        sa.Column("reply_to", sa.Text(), nullable=True),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("publish_count", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("claimed_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("doubted_at", sa.BigInteger(), nullable=True),
        sa.Column("resolved_by", sa.Text(), nullable=True),
        sa.Column("proved_by", sa.Text(), nullable=True),
        sa.Column("held_since", sa.BigInteger(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_description", sa.Text(), nullable=True),
        sa.Column("authorisation_number", sa.Text(), nullable=True),
        sa.Column("masked_card", sa.Text(), nullable=True),
        sa.Column(
            "card_last_four",
            sa.Text(),
            sa.Computed("substr(masked_card, length(masked_card) - 3)", persisted=True),
            nullable=True,
        ),
        sa.Column("application", sa.Text(), nullable=True),
        sa.Column("aid", sa.Text(), nullable=True),
        sa.Column("card_read_mode", sa.Text(), nullable=True),
        sa.Column("receipt", sa.Text(), nullable=True),
        sa.Column("warnings", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    _create_indexes_of_payments()
    op.create_table(
        "probes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("terminal_id", sa.Text(), nullable=False),
        sa.Column("terminal_address", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("pos_number", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=True),
        sa.Column("round_trip_ms", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("held_by", sa.Text(), nullable=True),
        sa.Column("held_since", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("probes_by_time", "probes", ["merchant_id", "created_at"])
    op.create_table(
        "terminals",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("shop", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("terminal_address", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("pos_number", sa.Text(), nullable=False),
        sa.Column("authorisation", sa.Text(), server_default=sa.text("'standard'"), nullable=False),
        sa.Column("authorisation_above_cents", sa.BigInteger(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("sole_use_requested_at", sa.BigInteger(), nullable=True),
        sa.Column("sole_use_confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("sole_use_confirmed_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("replaced_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("merchant_id", "id"),
    )
    op.create_index("terminals_by_address", "terminals", ["merchant_id", "terminal_address"], unique=True)
    _create_partial_index(
        "terminals_sole_use",
        "terminals",
        ["terminal_address"],
        "sole_use_confirmed_at IS NOT NULL",
        unique=True,
    )
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("types", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_because", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("webhook_endpoints_by_merchant", "webhook_endpoints", ["merchant_id", "created_at", "id"])
    _create_partial_index(
        "webhook_endpoints_enabled", "webhook_endpoints", ["merchant_id"], "disabled_at IS NULL"
    )
    op.create_table(
        "events",
        sa.Column(
            "number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"]),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("events_by_payment", "events", ["payment_id", "sequence"], unique=True)
    op.create_index("events_by_position", "events", ["merchant_id", "position"], unique=True)
    _create_partial_index("events_without_position", "events", ["merchant_id", "number"], "position IS NULL")
    op.create_table(
        "evidence",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("proves", sa.Text(), nullable=True),
        sa.Column("brought_by", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_evidence_payment_id"), "evidence", ["payment_id"])
    op.create_table(
        "gateway_records",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"]),
        sa.PrimaryKeyConstraint("source", "record_id"),
    )
    op.create_index(op.f("ix_gateway_records_payment_id"), "gateway_records", ["payment_id"])
    op.create_table(
        "payment_events",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_payment_events_payment_id"), "payment_events", ["payment_id"])
    op.create_table(
        "webhook_secrets",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("encrypted", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoints.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_webhook_secrets_endpoint_id"), "webhook_secrets", ["endpoint_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=True),
        sa.Column("event_number", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("leased_until", sa.BigInteger(), nullable=True),
        sa.Column("tried_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("since_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("publish_at", sa.BigInteger(), nullable=False),
        sa.Column("publish_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("deliveries_by_time", "deliveries", ["merchant_id", "created_at", "id"])
    _create_partial_index(
        "deliveries_dead_of_merchant", "deliveries", ["merchant_id", "created_at", "id"], "state = 'dead'"
    )
    # After the one above: of two that serve a search equally well SQLite takes the later one.
    _create_partial_index(
        "deliveries_dead_of_kind", "deliveries", ["kind", "created_at", "id"], "state = 'dead'"
    )
    _create_partial_index("deliveries_due", "deliveries", ["target", "due_at"], "state = 'waiting'")
    op.create_index("deliveries_of_payment", "deliveries", ["payment_id", "target", "sequence"])
    _create_partial_index(
        "deliveries_to_publish", "deliveries", ["target", "publish_at"], "state = 'waiting'"
    )
    _create_partial_index("deliveries_waiting", "deliveries", ["kind", "since_at"], "state = 'waiting'")
    op.create_table(
        "delivery_attempts",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        op.f("ix_delivery_attempts_delivery_id"), "delivery_attempts", ["delivery_id"], unique=False
    )


def _create_indexes_of_payments() -> None:
    _create_partial_index("payments_by_debit", "payments", ["debit_id"], "debit_id IS NOT NULL")
    _create_partial_index(
        "payments_by_name",
        "payments",
        ["merchant_id", "host", "port", "created_at", "id"],
        "substr(terminal_address, 1, length(host)) <> host",
    )
    op.create_index("payments_by_order", "payments", ["order_id", "merchant_id"])
    op.create_index("payments_by_time", "payments", ["merchant_id", "created_at", "id"])
    op.create_index("payments_by_age", "payments", ["created_at", "id"])
    op.create_index("payments_by_terminal", "payments", ["terminal_address", "created_at", "id"])
    _create_partial_index(
        "payments_by_card",
        "payments",
        ["card_last_four", "created_at", "id"],
        "card_last_four IS NOT NULL",
    )
    _create_partial_index(
        "payments_by_authorisation",
        "payments",
        ["authorisation_number", "created_at", "id"],
        "authorisation_number IS NOT NULL",
    )
    _create_partial_index(
        "payments_without_card",
        "payments",
        ["terminal_address", "created_at"],
        "masked_card IS NULL AND operation = 'debit'"
        " AND (state IN ('in_session', 'in_doubt', 'succeeded') OR contradicted)",
    )
    _create_partial_index("payments_contradicted", "payments", ["created_at", "id"], "contradicted")
    _create_partial_index(
        "payments_open", "payments", ["state", "deadline_at"], "state IN ('queued', 'in_session', 'in_doubt')"
    )
    _create_partial_index(
        "payments_queued", "payments", ["terminal_address", "created_at", "id"], "state = 'queued'"
    )
    # The last ones: of indexes that look equal PostgreSQL searches the one that was created last, and without
    # statistics a merchant's payments look like one.
    op.create_index("payments_by_operation", "payments", ["merchant_id", "operation_key"])
    op.create_index("payments_guard", "payments", ["guard_key", "merchant_id"], unique=True)


def _create_tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("place_created_at", sa.BigInteger(), nullable=True),
        sa.Column("place_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )


def _create_responses() -> None:
    op.create_table(
        "responses",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("payment_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("client", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("client_left", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("responses_of_payment", "responses", ["payment_id", "at", "id"])


def _create_partial_index(
    name: str, table: str, columns: list[str], where: str, *, unique: bool = False
) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, unique=unique, postgresql_where=condition, sqlite_where=condition)


def _create_functions() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for function in FUNCTIONS:
            connection.exec_driver_sql(function.definition)
        connection.exec_driver_sql(REVOKE_FROM_ALL)


def _create_audit_trail() -> None:
    op.create_table(
        "audit_trail",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_trail_by_subject", "audit_trail", ["subject", "id"])
    connection = op.get_bind()
    for statement in TRIGGERS[_dialect(connection)]:
        connection.exec_driver_sql(statement)


def _create_stored_totals() -> None:
    identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "totalled_days",
        sa.Column("id", identity, autoincrement=True, nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("totalled_days_of_zone", "totalled_days", ["zone", "day"], unique=True)
    op.create_table(
        "day_totals",
        sa.Column("totalled_day", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("application", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("cents", sa.BigInteger(), nullable=False),
        sa.Column("open_count", sa.BigInteger(), nullable=False),
        sa.Column("open_cents", sa.BigInteger(), nullable=False),
        sa.Column("contradicted_count", sa.BigInteger(), nullable=False),
        sa.Column("contradicted_cents", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["totalled_day"], ["totalled_days.id"]),
        sa.PrimaryKeyConstraint("totalled_day", "merchant_id", "operation", "application"),
    )
    op.create_table(
        "late_changes",
        sa.Column("id", identity, autoincrement=True, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("late_changes_by_time", "late_changes", ["at"])
    connection = op.get_bind()
    for statement in late_changes.TRIGGERS[_dialect(connection)]:
        connection.exec_driver_sql(statement)


def _dialect(connection: sa.Connection) -> Dialect:
    return "postgresql" if connection.dialect.name == "postgresql" else "sqlite"


def downgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        for function in FUNCTIONS:
            connection.exec_driver_sql(f"DROP FUNCTION {function.name}")
    for table in (
        "day_totals",
        "totalled_days",
        "late_changes",
        "delivery_attempts",
        "deliveries",
        "webhook_secrets",
        "responses",
        "tasks",
        "payment_events",
        "gateway_records",
        "evidence",
        "events",
        "webhook_endpoints",
        "terminals",
        "probes",
        "payments",
        "merchant_usage",
        "idempotency_keys",
        "feeds",
        "operator_sessions",
        "credentials",
        "workers",
        "worker_drains",
        "terminal_locks",
        "audit_trail",
        "merchants",
        "delivery_targets",
    ):
        op.drop_table(table)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("DROP FUNCTION ct_refuse_audit_change")
        connection.exec_driver_sql("DROP FUNCTION ct_note_late_change")
