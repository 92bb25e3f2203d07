"""Recovery: doubts, releases, identification."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("lines", schema=None) as batch_op:
        batch_op.add_column(sa.Column("identifies", sa.Boolean(), nullable=True))
        batch_op.add_column(
            sa.Column("identify_first", sa.Boolean(), server_default=sa.text("(false)"), nullable=False)
        )
        batch_op.add_column(sa.Column("release_for", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("release_by", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("release_asked_at", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.add_column(sa.Column("doubted_at", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("resolved_by", sa.Text(), nullable=True))
        batch_op.create_index("payments_by_idempotency_key", ["merchant_id", "idempotency_key"], unique=False)
        batch_op.create_index("payments_by_time", ["merchant_id", "created_at", "id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("payments", schema=None) as batch_op:
        batch_op.drop_index("payments_by_time")
        batch_op.drop_index("payments_by_idempotency_key")
        batch_op.drop_column("resolved_by")
        batch_op.drop_column("doubted_at")

    with op.batch_alter_table("lines", schema=None) as batch_op:
        batch_op.drop_column("release_asked_at")
        batch_op.drop_column("release_by")
        batch_op.drop_column("release_for")
        batch_op.drop_column("identify_first")
        batch_op.drop_column("identifies")
