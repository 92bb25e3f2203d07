"""Merchants' settings for operations on orders that are not known here."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_COLUMNS = ("reverses_unknown", "credits_known_only")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column(
            "merchants", sa.Column(name, sa.Boolean(), server_default=sa.text("(false)"), nullable=False)
        )


def downgrade() -> None:
    with op.batch_alter_table("merchants") as batch:
        for name in _COLUMNS:
            batch.drop_column(name)
