"""Bytes of orders that each merchant stores a day."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "merchant_usage",
        sa.Column("merchant_id", sa.Text(), sa.ForeignKey("merchants.id"), primary_key=True),
        sa.Column("day", sa.Integer(), primary_key=True),
        sa.Column("order_bytes", sa.BigInteger(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("merchant_usage")
