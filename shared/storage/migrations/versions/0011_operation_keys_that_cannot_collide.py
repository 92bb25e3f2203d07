"""Keys of reversals and credits that no other order's free text can imitate."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

#: As `order_guard.operation_key` writes them from this release on. Debits keep theirs.
_KEY = (
    "CASE operation WHEN 'reversal' THEN 'reversal:' || COALESCE(debit_id, '') || ':' || order_id"
    " ELSE 'credit:' || COALESCE(debit_id, '') || ':' || CAST(amount_cents AS TEXT) || ':'"
    " || CAST(length(order_id) AS TEXT) || ':' || order_id || ':' || COALESCE(idempotency_key, '') END"
)
#: As they were written before.
_KEY_BEFORE = (
    "CASE operation WHEN 'reversal' THEN 'reversal:' || order_id || ':' || COALESCE(debit_id, '')"
    " ELSE 'credit:' || order_id || ':' || COALESCE(debit_id, '') || ':' || CAST(amount_cents AS TEXT)"
    " || ':' || COALESCE(idempotency_key, '') END"
)


def upgrade() -> None:
    _rewrite(_KEY)


def downgrade() -> None:
    _rewrite(_KEY_BEFORE)


def _rewrite(key: str) -> None:
    """Write all keys anew, in two steps: a new text may be another row's old one, and the guard is unique."""
    for new in (f"'~' || {key}", "substr(operation_key, 2)"):
        op.execute(
            f"UPDATE payments SET operation_key = {new},"
            f" guard_key = CASE WHEN guard_key IS NULL THEN NULL ELSE {new} END"
            " WHERE operation IN ('reversal', 'credit')"
        )
