"""Suspended merchants; public terminals are a network that is named."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("merchants", sa.Column("suspended_at", sa.BigInteger(), nullable=True))
    op.add_column("merchants", sa.Column("suspended_because", sa.Text(), nullable=True))
    # No network meant every public address until now; from now on it means none.
    op.execute("""UPDATE merchants SET networks = '["public"]' WHERE networks IN ('[]', '')""")
