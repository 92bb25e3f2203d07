"""The terminal registry: entries of a merchant's own naming, sole use of an address, probes."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_CONFIRMED = sa.text("sole_use_confirmed_at IS NOT NULL")
_KEPT = "id, merchant_id, label, host, port, line, protocol, profile, register_number, created_at"


def upgrade() -> None:
    # Two merchants may call their terminals alike: the table is made anew for another primary key.
    op.create_table(
        "new_terminals",
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("shop", sa.Text(), server_default=sa.text("('')"), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("register_number", sa.Text(), nullable=False),
        sa.Column("authorisation", sa.Text(), server_default=sa.text("('standard')"), nullable=False),
        sa.Column("authorisation_above_cents", sa.BigInteger(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.Column("sole_use_requested_at", sa.BigInteger(), nullable=True),
        sa.Column("sole_use_confirmed_at", sa.BigInteger(), nullable=True),
        sa.Column("sole_use_confirmed_by", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), server_default=sa.text("(0)"), nullable=False),
        sa.Column("replaced_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("merchant_id", "id", name="terminals_by_id"),
    )
    _take_its_place(f"{_KEPT}, changed_at", f"{_KEPT}, created_at")
    op.create_index(
        "terminals_sole_use",
        "terminals",
        ["line"],
        unique=True,
        postgresql_where=_CONFIRMED,
        sqlite_where=_CONFIRMED,
    )
    op.create_table(
        "probes",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("terminal_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("register_number", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("round_trip_ms", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("held_by", sa.Text(), nullable=True),
        sa.Column("held_since", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("deadline_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("probes_by_time", "probes", ["merchant_id", "created_at"])


def downgrade() -> None:
    op.drop_index("probes_by_time", "probes")
    op.drop_table("probes")
    op.create_table(
        "new_terminals",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("register_number", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchants.id"]),
        sa.PrimaryKeyConstraint("id", name="terminals_pkey"),
    )
    _take_its_place(_KEPT, _KEPT)


def _take_its_place(columns: str, values: str) -> None:
    op.execute(f"INSERT INTO new_terminals ({columns}) SELECT {values} FROM terminals")
    op.drop_table("terminals")
    op.rename_table("new_terminals", "terminals")
    op.create_index("terminals_by_line", "terminals", ["merchant_id", "line"], unique=True)
