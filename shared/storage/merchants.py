"""Merchants, their credentials and the terminals that they registered."""

import json
from dataclasses import dataclass

from shared.credential_kind import CredentialKind
from shared.storage.engine import Database, Transaction
from shared.storage.rows import json_text
from shared.storage.statement import Statement

_INSERT_MERCHANT = Statement(
    "INSERT INTO merchants (id, name, networks, created_at) VALUES (:id, :name, :networks, {now})"
)
_INSERT_CREDENTIAL = Statement(
    "INSERT INTO credentials (id, kind, merchant_id, secret_hash, created_at)"
    " VALUES (:id, :kind, :merchant_id, :secret_hash, {now})"
)
_MERCHANT = Statement("SELECT id FROM merchants WHERE id = :id")

#: A credential that is not revoked, with what its merchant may reach.
_CREDENTIAL = Statement(
    "SELECT c.id, c.kind, c.merchant_id, c.secret_hash, m.networks FROM credentials c"
    " LEFT JOIN merchants m ON m.id = c.merchant_id WHERE c.id = :id AND c.revoked_at IS NULL"
)

_TERMINAL = "SELECT id, host, port, line, protocol, profile, register_number FROM terminals"
_TERMINAL_BY_ID = Statement(_TERMINAL + " WHERE merchant_id = :merchant_id AND id = :id")
_TERMINAL_BY_LINE = Statement(_TERMINAL + " WHERE merchant_id = :merchant_id AND line = :line")


@dataclass(frozen=True, slots=True)
class Credential:
    """One name for HTTP Basic.

    `networks` are its merchant's allowed ones (CIDR); empty: any public address.
    """

    id: str
    kind: CredentialKind
    merchant_id: str | None
    secret_hash: str
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Terminal:
    """A registered terminal; `profile` is the JSON of what differs from its protocol's default."""

    id: str
    host: str
    port: int
    line: str
    protocol: str
    profile: str
    register_number: str


async def create_merchant(database: Database, merchant_id: str, name: str, networks: list[str]) -> None:
    await database.write(
        lambda tx: tx.run(_INSERT_MERCHANT, id=merchant_id, name=name, networks=json_text(networks))
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


async def credential(database: Database, credential_id: str) -> Credential | None:
    """Return a credential that is not revoked."""
    row = await database.read(lambda tx: tx.one(_CREDENTIAL, id=credential_id))
    if row is None:
        return None
    networks = tuple(json.loads(row.networks)) if row.networks else ()
    return Credential(row.id, CredentialKind(row.kind), row.merchant_id, row.secret_hash, networks)


async def terminal_by_id(database: Database, merchant_id: str, terminal_id: str) -> Terminal | None:
    row = await database.read(lambda tx: tx.one(_TERMINAL_BY_ID, merchant_id=merchant_id, id=terminal_id))
    return None if row is None else Terminal(**row._mapping)


async def terminal_by_line(database: Database, merchant_id: str, line: str) -> Terminal | None:
    row = await database.read(lambda tx: tx.one(_TERMINAL_BY_LINE, merchant_id=merchant_id, line=line))
    return None if row is None else Terminal(**row._mapping)
