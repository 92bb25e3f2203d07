"""Notifications: events, deliveries, webhook endpoints, the feed."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_WAITING = sa.text("state = 'waiting'")
_DEAD = sa.text("state = 'dead'")
_NO_POSITION = sa.text("position IS NULL")
_NOT_DISABLED = sa.text("disabled_at IS NULL")
_IDENTITY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("payments", sa.Column("webhook_endpoint_id", sa.Text(), nullable=True))
    _close_keys()
    _create_endpoints()
    _create_events()
    _create_deliveries()


def _close_keys() -> None:
    op.add_column(
        "payments", sa.Column("key_closed", sa.Boolean(), server_default=sa.text("(false)"), nullable=False)
    )
    op.execute(
        "UPDATE payments SET key_closed = true WHERE EXISTS (SELECT 1 FROM payments o WHERE o.contradicted"
        " AND o.merchant_id = payments.merchant_id AND o.operation_key = payments.operation_key)"
    )


def _create_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("types", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_because", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("webhook_endpoints_by_merchant", "webhook_endpoints", ["merchant_id", "created_at", "id"])
    op.create_index(
        "webhook_endpoints_that_hear",
        "webhook_endpoints",
        ["merchant_id"],
        postgresql_where=_NOT_DISABLED,
        sqlite_where=_NOT_DISABLED,
    )
    op.create_table(
        "webhook_secrets",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("endpoint_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoints.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_webhook_secrets_endpoint_id", "webhook_secrets", ["endpoint_id"])


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("number", _IDENTITY, autoincrement=True, nullable=False),
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
    op.create_index(
        "events_without_position",
        "events",
        ["merchant_id", "number"],
        postgresql_where=_NO_POSITION,
        sqlite_where=_NO_POSITION,
    )
    op.create_table(
        "feeds",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("merchant_id"),
    )


def _create_deliveries() -> None:
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
        sa.ForeignKeyConstraint(["event_number"], ["events.number"]),
        sa.PrimaryKeyConstraint("id"),
    )
    for name, columns, state in (
        ("deliveries_to_publish", ["target", "publish_at"], _WAITING),
        ("deliveries_due", ["target", "due_at"], _WAITING),
        ("deliveries_waiting", ["kind", "since_at"], _WAITING),
        ("deliveries_dead_of_merchant", ["merchant_id", "created_at", "id"], _DEAD),
        ("deliveries_dead_of_kind", ["kind", "created_at", "id"], _DEAD),
    ):
        op.create_index(name, "deliveries", columns, postgresql_where=state, sqlite_where=state)
    op.create_index("deliveries_of_payment", "deliveries", ["payment_id", "target", "sequence"])
    op.create_index("deliveries_by_time", "deliveries", ["merchant_id", "created_at", "id"])
    op.create_table(
        "delivery_attempts",
        sa.Column("id", _IDENTITY, autoincrement=True, nullable=False),
        sa.Column("delivery_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_delivery_attempts_delivery_id", "delivery_attempts", ["delivery_id"])
    op.create_table(
        "delivery_targets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("paused_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    for table in (
        "delivery_targets",
        "delivery_attempts",
        "deliveries",
        "feeds",
        "events",
        "webhook_secrets",
        "webhook_endpoints",
    ):
        op.drop_table(table)
    with op.batch_alter_table("payments") as batch:
        batch.drop_column("key_closed")
        batch.drop_column("webhook_endpoint_id")
