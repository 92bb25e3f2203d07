"""The key of a debit is closed where a reversal of it is contradicted."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "UPDATE payments SET key_closed = true WHERE EXISTS (SELECT 1 FROM payments r"
        " JOIN payments d ON d.id = r.debit_id WHERE r.contradicted AND r.operation = 'reversal'"
        " AND d.merchant_id = payments.merchant_id AND d.operation_key = payments.operation_key)"
    )


def downgrade() -> None:
    """Nothing: which keys were closed by this is not kept, and one closed too many charges nobody."""
