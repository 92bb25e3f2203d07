"""Valid credentials with their merchants' settings, and registered terminals, as requests need them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.payment.payment import Operation
from shared.security.credentials import CredentialKind, Role
from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import Statement

#: A lock by an update that changes nothing: FOR UPDATE would delay the merchant's payments, which refer to
#: its row.
_LOCK = Statement("UPDATE merchants SET name = name WHERE id = :id")
_SETTINGS = (
    "m.networks, m.guard_hours, m.replay_seconds, m.reverses_unknown, m.credits_known_only,"
    " m.suspended_because"
)
#: Credentials that are valid, with their merchants' settings.
_CREDENTIALS = Statement(
    "SELECT c.id, c.kind, c.merchant_id, c.secret_hash, c.label, c.role,"
    " CASE WHEN c.earlier_until > {now} THEN c.earlier_hash END AS earlier_hash,"
    f" {_SETTINGS} FROM credentials c LEFT JOIN merchants m ON m.id = c.merchant_id"
    " WHERE c.id {in_ids} AND c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > {now})"
)
#: The settings of a merchant, for whoever acts for it on the machine.
_ACTING = Statement(
    "SELECT CAST(:name AS TEXT) AS id, 'private' AS kind, m.id AS merchant_id, '' AS secret_hash,"
    f" '' AS label, NULL AS role, NULL AS earlier_hash, {_SETTINGS}"
    " FROM merchants m WHERE m.id = :merchant_id"
)

_TERMINAL_BY_ID = Statement(
    "SELECT id, host, port, terminal_address, protocol, profile, pos_number, authorisation,"
    " authorisation_above_cents, disabled_at FROM terminals WHERE merchant_id = :merchant_id AND id = :id"
)


@dataclass(frozen=True, slots=True)
class UnknownOrders:
    """Operations that a merchant may send for an order that has no debit here."""

    #: Reversals; the terminal may reverse the newest other sale of that amount instead.
    reversals: bool = False
    #: Credits.
    credits: bool = True

    def pass_on(self, operation: Operation) -> bool:
        """Return True if the operation is sent to the terminal."""
        return self.credits if operation is Operation.CREDIT else self.reversals


#: Of merchants for which an operator set nothing else.
DEFAULT_UNKNOWN_ORDERS: Final = UnknownOrders()


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential for HTTP Basic with its merchant's settings.

    `networks`: the merchant's allowed networks (CIDR, or `public`); empty: none. `guard_hours`: hours after
    which a succeeded order releases its number; None: never.
    """

    id: str
    kind: CredentialKind
    merchant_id: str | None
    secret_hash: str
    networks: tuple[str, ...]
    guard_hours: int | None = None
    unknown_orders: UnknownOrders = DEFAULT_UNKNOWN_ORDERS
    #: Reason for which its merchant's new orders are refused; None: they are not.
    suspended_because: str | None = None
    #: Seconds for which a repeated order gets the stored success; None: the installation's setting.
    replay_seconds: int | None = None
    #: The hash of its secret before, while that is valid.
    earlier_hash: str | None = None
    #: For display.
    label: str = ""
    #: Of an operator.
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Terminal:
    """A registered terminal; `profile` is the JSON of what differs from its protocol's default."""

    id: str
    host: str
    port: int
    terminal_address: str
    protocol: str
    profile: str
    pos_number: str
    #: `standard`, `always` or `above` so many cents, see `asks_authorisation`.
    authorisation: str = "standard"
    authorisation_above_cents: int | None = None
    #: Milliseconds since 1970; None: it takes payments.
    disabled_at: int | None = None

    def asks_authorisation(self, amount_cents: int) -> bool:
        """Return True if a debit of this amount needs an authorisation although its order asks for none."""
        if self.authorisation == "above":
            return (
                self.authorisation_above_cents is not None and amount_cents > self.authorisation_above_cents
            )
        return self.authorisation == "always"


async def lock_merchant(tx: Transaction, merchant_id: str) -> None:
    """Serialise transactions that count a merchant's entries; its payments do not wait for them."""
    await tx.run(_LOCK, id=merchant_id)


async def credentials(database: Database, names: Sequence[str]) -> dict[str, Credential]:
    """Return those credentials of these names that are valid. Raises DatabaseUnavailable."""
    rows = await database.read(lambda tx: tx.all_of(_CREDENTIALS, names))
    return {row.id: _credential(row) for row in rows}


async def acting_for(database: Database, merchant_id: str, name: str) -> Credential | None:
    """Return a private credential of this name, which has no secret; None: there is no such merchant."""
    row = await database.read(lambda tx: tx.one(_ACTING, merchant_id=merchant_id, name=name))
    return None if row is None else _credential(row)


def _credential(row: Row) -> Credential:
    return Credential(
        row.id,
        CredentialKind(row.kind),
        row.merchant_id,
        row.secret_hash,
        tuple(json.loads(row.networks)) if row.networks else (),
        row.guard_hours,
        UnknownOrders(bool(row.reverses_unknown), not row.credits_known_only),
        row.suspended_because,
        row.replay_seconds,
        row.earlier_hash,
        row.label,
        None if row.role is None else Role(row.role),
    )


async def terminal_by_id(database: Database, merchant_id: str, terminal_id: str) -> Terminal | None:
    """Return a registered terminal by its id."""
    row = await database.read(lambda tx: tx.one(_TERMINAL_BY_ID, merchant_id=merchant_id, id=terminal_id))
    return None if row is None else Terminal(**row._mapping)
