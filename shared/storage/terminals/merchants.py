"""Merchants, their credentials and the terminals that they registered."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.payment.payment import Operation
from shared.security.credentials import CredentialKind
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.rows import json_text

_INSERT_MERCHANT = Statement(
    "INSERT INTO merchants"
    " (id, name, networks, guard_hours, reverses_unknown, credits_known_only, created_at)"
    " VALUES (:id, :name, :networks, :guard_hours, :reverses_unknown, :credits_known_only, {now})"
)
_INSERT_CREDENTIAL = Statement(
    "INSERT INTO credentials (id, kind, merchant_id, secret_hash, created_at)"
    " VALUES (:id, :kind, :merchant_id, :secret_hash, {now})"
)
#: A second revocation changes nothing: the first time stays.
_REVOKE = Statement(
    "UPDATE credentials SET revoked_at = {now} WHERE id = :id AND revoked_at IS NULL RETURNING id"
)
_CREDENTIAL_EXISTS = Statement("SELECT id FROM credentials WHERE id = :id")

#: A second suspension changes the reason: the first time stays.
_SUSPEND = Statement(
    "UPDATE merchants SET suspended_at = COALESCE(suspended_at, {now}), suspended_because = :because"
    " WHERE id = :id RETURNING id"
)
_RESUME = Statement(
    "UPDATE merchants SET suspended_at = NULL, suspended_because = NULL WHERE id = :id RETURNING id"
)
_SET_NETWORKS = Statement("UPDATE merchants SET networks = :networks WHERE id = :id RETURNING id")
_SET_UNKNOWN_ORDERS = Statement(
    "UPDATE merchants SET reverses_unknown = :reverses_unknown, credits_known_only = :credits_known_only"
    " WHERE id = :id RETURNING id"
)
#: A lock by an update that changes nothing: FOR UPDATE would delay the merchant's payments, which refer to
#: its
#: row.
_LOCK = Statement("UPDATE merchants SET name = name WHERE id = :id")
_MERCHANT = Statement("SELECT id FROM merchants WHERE id = :id")

#: Credentials that are not revoked, with their merchants' settings.
_CREDENTIALS = Statement(
    "SELECT c.id, c.kind, c.merchant_id, c.secret_hash, m.networks, m.guard_hours,"
    " m.reverses_unknown, m.credits_known_only, m.suspended_because FROM credentials c"
    " LEFT JOIN merchants m ON m.id = c.merchant_id WHERE c.id {in_ids} AND c.revoked_at IS NULL"
)

#: Settings of a merchant, for whoever acts for it on the machine.
_ACTING = Statement(
    "SELECT id, networks, guard_hours, reverses_unknown, credits_known_only, suspended_because"
    " FROM merchants WHERE id = :id"
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


async def create_merchant(
    database: Database,
    merchant_id: str,
    name: str,
    networks: list[str],
    guard_hours: int | None = None,
    unknown_orders: UnknownOrders = DEFAULT_UNKNOWN_ORDERS,
) -> None:
    """Store a merchant. Raises DatabaseUnavailable, CommitUnknown."""
    await database.write(
        lambda tx: tx.run(
            _INSERT_MERCHANT,
            id=merchant_id,
            name=name,
            networks=json_text(networks),
            guard_hours=guard_hours,
            **_columns(unknown_orders),
        )
    )


async def create_credential(
    database: Database, credential_id: str, kind: CredentialKind, merchant_id: str | None, secret_hash: str
) -> bool:
    """Store a credential's keyed hash; False: there is no such merchant."""

    async def work(tx: Transaction) -> bool:
        if merchant_id is not None and await tx.one(_MERCHANT, id=merchant_id) is None:
            return False
        await tx.run(
            _INSERT_CREDENTIAL,
            id=credential_id,
            kind=kind.value,
            merchant_id=merchant_id,
            secret_hash=secret_hash,
        )
        return True

    return await database.write(work)


async def credentials(database: Database, names: Sequence[str]) -> dict[str, Credential]:
    """Return those credentials of these names that are not revoked. Raises DatabaseUnavailable."""
    rows = await database.read(lambda tx: tx.all_of(_CREDENTIALS, names))
    return {
        row.id: Credential(
            row.id,
            CredentialKind(row.kind),
            row.merchant_id,
            row.secret_hash,
            tuple(json.loads(row.networks)) if row.networks else (),
            row.guard_hours,
            UnknownOrders(bool(row.reverses_unknown), not row.credits_known_only),
            row.suspended_because,
        )
        for row in rows
    }


async def acting_for(database: Database, merchant_id: str, name: str) -> Credential | None:
    """Return a private credential of this name, which has no secret; None: there is no such merchant."""
    row = await database.read(lambda tx: tx.one(_ACTING, id=merchant_id))
    if row is None:
        return None
    return Credential(
        name,
        CredentialKind.PRIVATE,
        row.id,
        "",
        tuple(json.loads(row.networks)),
        row.guard_hours,
        UnknownOrders(bool(row.reverses_unknown), not row.credits_known_only),
        row.suspended_because,
    )


async def revoke_credential(database: Database, credential_id: str) -> bool:
    """Revoke a credential for ever; False: there is no such credential."""

    async def work(tx: Transaction) -> bool:
        revoked = await tx.one(_REVOKE, id=credential_id)
        return revoked is not None or await tx.one(_CREDENTIAL_EXISTS, id=credential_id) is not None

    return await database.write(work)


async def suspend_merchant(database: Database, merchant_id: str, because: str) -> bool:
    """Refuse the merchant's new orders with this reason; False: there is no such merchant."""
    return await database.write(lambda tx: _is_found(tx, _SUSPEND, id=merchant_id, because=because))


async def resume_merchant(database: Database, merchant_id: str) -> bool:
    """Accept the merchant's orders again; False: there is no such merchant."""
    return await database.write(lambda tx: _is_found(tx, _RESUME, id=merchant_id))


async def set_networks(database: Database, merchant_id: str, networks: list[str]) -> bool:
    """Set the networks in which the merchant may drive terminals; False: there is no such merchant."""
    networks_json = json_text(networks)
    return await database.write(
        lambda tx: _is_found(tx, _SET_NETWORKS, id=merchant_id, networks=networks_json)
    )


async def set_unknown_orders(database: Database, merchant_id: str, unknown_orders: UnknownOrders) -> bool:
    """Set the operations allowed for orders without a debit here; False: there is no such merchant."""
    columns = _columns(unknown_orders)
    return await database.write(lambda tx: _is_found(tx, _SET_UNKNOWN_ORDERS, id=merchant_id, **columns))


def _columns(unknown_orders: UnknownOrders) -> dict[str, bool]:
    return {
        "reverses_unknown": unknown_orders.reversals,
        "credits_known_only": not unknown_orders.credits,
    }


async def _is_found(tx: Transaction, statement: Statement, **parameters: object) -> bool:
    return await tx.one(statement, **parameters) is not None


async def terminal_by_id(database: Database, merchant_id: str, terminal_id: str) -> Terminal | None:
    """Return a registered terminal by its id."""
    row = await database.read(lambda tx: tx.one(_TERMINAL_BY_ID, merchant_id=merchant_id, id=terminal_id))
    return None if row is None else Terminal(**row._mapping)
