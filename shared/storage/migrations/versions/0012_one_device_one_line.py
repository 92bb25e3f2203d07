"""One device, one line: stored addresses are folded to what they reach; keys name no terminal any more.

A packet to an IPv4-mapped, IPv4-compatible, NAT64, 6to4 or Teredo address ends at the IPv4 address in it, and
a zone id (`%99`) names no other device. Each such spelling was a lock of its own.

Lines that become one keep the state of the one that is held: payment, worker, epoch and token stay as they
are, so that its worker's takeover finds it. A worker that still runs with the old text finds its line gone,
as after a takeover: what it learns is evidence, and it frees nothing. Where two of them are held at once
there were two sessions on one device; neither lock may be lost, so the migration changes nothing and says
what to wait for.
"""

from collections import defaultdict
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import sqlalchemy as sa
from alembic import op

from shared.storage.db.migrate import CannotMigrate

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")

_IPV6_LINES = sa.text(
    "SELECT address FROM lines WHERE address LIKE '[%' UNION SELECT line FROM payments WHERE line LIKE '[%'"
    " UNION SELECT line FROM probes WHERE line LIKE '[%'"
    " UNION SELECT line FROM terminals WHERE line LIKE '[%'"
)
_LINE = sa.text(
    "SELECT address, held_by, epoch, answered_at, identifies, identify_first FROM lines"
    " WHERE address = :address"
)
_DROP_LINE = sa.text("DELETE FROM lines WHERE address = :address")
_KEEP_LINE = sa.text(
    "UPDATE lines SET address = :folded, epoch = :epoch, identifies = :identifies,"
    " identify_first = :identify_first WHERE address = :address"
)
_TERMINALS = sa.text(
    "SELECT merchant_id, id, line, sole_use_confirmed_at, created_at FROM terminals WHERE line = :line"
)
_MOVE_TERMINAL = sa.text("UPDATE terminals SET line = :line WHERE merchant_id = :merchant_id AND id = :id")
_WITHDRAW = sa.text(
    "UPDATE terminals SET sole_use_confirmed_at = NULL, sole_use_confirmed_by = NULL"
    " WHERE merchant_id = :merchant_id AND id = :id"
)


def upgrade() -> None:
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.drop_column("host")
        batch_op.drop_column("port")
    connection = op.get_bind()
    spellings: dict[str, list[str]] = defaultdict(list)
    for (line,) in connection.execute(_IPV6_LINES).all():
        folded = _folded(line)
        if folded != line:
            spellings[folded].append(line)
    for folded, others in spellings.items():
        _fold_line(connection, folded, others)
        _fold_terminals(connection, folded, others)
        for table in ("payments", "probes"):
            for line in others:
                connection.execute(
                    sa.text(f"UPDATE {table} SET line = :folded WHERE line = :line"),
                    {"folded": folded, "line": line},
                )


def downgrade() -> None:
    """The folded addresses stay: they reach what the others reached."""
    with op.batch_alter_table("idempotency_keys", schema=None) as batch_op:
        batch_op.add_column(sa.Column("host", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(sa.Column("port", sa.Integer(), server_default="0", nullable=False))


def _folded(line: str) -> str:
    text, _, port = line[1:].rpartition("]:")
    address = IPv6Address(int(IPv6Address(text)))
    reached = _reached(address)
    return f"[{address}]:{port}" if reached is None else f"{reached}:{port}"


def _reached(address: IPv6Address) -> IPv4Address | None:
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    is_compatible = address in _IPV4_COMPATIBLE and int(address) > 1
    if address.ipv4_mapped is not None or address in _NAT64 or is_compatible:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


def _fold_line(connection: sa.Connection, folded: str, others: list[str]) -> None:
    found = [connection.execute(_LINE, {"address": line}).mappings().first() for line in (folded, *others)]
    lines = [line for line in found if line is not None]
    if not lines:
        return
    held = [line for line in lines if line["held_by"] is not None]
    if len(held) > 1:
        names = " and ".join(line["address"] for line in held)
        raise CannotMigrate(
            f"{names} are one terminal, and payments hold both at this moment: let the workers of the earlier"
            " release end them (6 minutes at most), then migrate again"
        )
    kept = held[0] if held else max(lines, key=lambda line: int(line["answered_at"] or 0))
    for line in lines:
        if line is not kept:
            connection.execute(_DROP_LINE, {"address": line["address"]})
    known = [line["identifies"] for line in (kept, *lines) if line["identifies"] is not None]
    connection.execute(
        _KEEP_LINE,
        {
            "address": kept["address"],
            "folded": folded,
            "epoch": kept["epoch"] if held else max(line["epoch"] for line in lines) + 1,
            "identifies": known[0] if known else None,
            "identify_first": any(line["identify_first"] for line in lines),
        },
    )


def _fold_terminals(connection: sa.Connection, folded: str, others: list[str]) -> None:
    """Move each merchant's oldest entry to the line, unless it has one there.

    A further entry of that merchant keeps its text, which is no lock: payments that name it are sent to where
    its host leads. Of several confirmations of a sole use the oldest stays.
    """
    entries = [
        entry
        for line in (folded, *others)
        for entry in connection.execute(_TERMINALS, {"line": line}).mappings().all()
    ]
    confirmed = [entry for entry in entries if entry["sole_use_confirmed_at"] is not None]
    for entry in sorted(confirmed, key=lambda entry: int(entry["sole_use_confirmed_at"]))[1:]:
        connection.execute(_WITHDRAW, {"merchant_id": entry["merchant_id"], "id": entry["id"]})
    merchants: set[str] = set()
    for entry in sorted(
        entries, key=lambda entry: (entry["line"] != folded, entry["created_at"], entry["id"])
    ):
        if entry["merchant_id"] not in merchants and entry["line"] != folded:
            named = {"merchant_id": entry["merchant_id"], "id": entry["id"]}
            connection.execute(_MOVE_TERMINAL, {**named, "line": folded})
        merchants.add(entry["merchant_id"])
