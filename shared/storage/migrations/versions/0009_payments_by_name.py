"""The newest payment to a host's name is found: where the name led to before."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_BY_NAME = sa.text("substr(line, 1, length(host)) <> host")


def upgrade() -> None:
    op.create_index(
        "payments_by_name",
        "payments",
        ["merchant_id", "host", "port", "created_at", "id"],
        postgresql_where=_BY_NAME,
        sqlite_where=_BY_NAME,
    )


def downgrade() -> None:
    op.drop_index("payments_by_name", "payments")
