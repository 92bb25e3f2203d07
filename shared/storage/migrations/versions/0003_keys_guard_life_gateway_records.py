"""Idempotency keys, guard life, gateway records."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: What a key named first: a payment that was stored earlier than all others of that key.
_KEYS_SO_FAR = """
INSERT INTO idempotency_keys
    (merchant_id, key, order_id, operation, amount_cents, currency, host, port, created_at)
SELECT merchant_id, idempotency_key, order_id, operation, amount_cents, currency, host, port, created_at
FROM payments WHERE idempotency_key IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM payments earlier WHERE earlier.merchant_id = payments.merchant_id
    AND earlier.idempotency_key = payments.idempotency_key
    AND (earlier.created_at, earlier.id) < (payments.created_at, payments.id))
"""


def upgrade() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("amount_cents", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("merchant_id", "key"),
    )
    op.execute(_KEYS_SO_FAR)
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
    with op.batch_alter_table("merchants", schema=None) as batch_op:
        batch_op.add_column(sa.Column("guard_hours", sa.Integer(), nullable=True))
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_index("payments_by_idempotency_key")
        batch_op.create_index(
            "payments_contradicted",
            ["created_at", "id"],
            unique=False,
            postgresql_where=sa.text("contradicted"),
            sqlite_where=sa.text("contradicted"),
        )


def downgrade() -> None:
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_index("payments_contradicted")
        batch_op.create_index("payments_by_idempotency_key", ["merchant_id", "idempotency_key"], unique=False)
    with op.batch_alter_table("merchants", schema=None) as batch_op:
        batch_op.drop_column("guard_hours")
    op.drop_table("gateway_records")
    op.drop_table("idempotency_keys")
