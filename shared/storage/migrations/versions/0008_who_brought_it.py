"""Columns for who brought a proof, and the table of the operators' actions."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payments", sa.Column("proved_by", sa.Text(), nullable=True))
    op.add_column("evidence", sa.Column("brought_by", sa.Text(), nullable=True))
    op.create_table(
        "operator_actions",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    op.drop_table("operator_actions")
    with op.batch_alter_table("evidence") as batch:
        batch.drop_column("brought_by")
    with op.batch_alter_table("payments") as batch:
        batch.drop_column("proved_by")
