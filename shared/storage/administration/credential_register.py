"""Credentials as operators create, change, rotate, revoke and list them; each change is in the audit trail.

A revoked or expired credential, and an earlier secret whose time is over, is refused by every process once
its cache has forgotten it: within 5 seconds.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from shared.security.credentials import CredentialKind, Role
from shared.storage.administration import audit_trail, sessions
from shared.storage.administration.audit_trail import Action, Actor
from shared.storage.administration.merchant_register import differences
from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.listing import Place

INSERT: Final = Statement(
    "INSERT INTO credentials (id, kind, merchant_id, secret_hash, label, role, expires_at, created_at)"
    " VALUES (:id, :kind, :merchant_id, :secret_hash, :label, :role, :expires_at, {now})"
)
_MERCHANT = Statement("SELECT id FROM merchants WHERE id = :id")
_SHOWN: Final = (
    "SELECT id, kind, merchant_id, label, role, created_at, used_at, expires_at, revoked_at,"
    " CASE WHEN earlier_until > {now} THEN earlier_until END AS earlier_until FROM credentials"
)
_ONE = Statement(f"{_SHOWN} WHERE id = :id")
_LOCKED = Statement(f"{_SHOWN} WHERE id = :id {{for_update}}")
_CHANGE = Statement(
    "UPDATE credentials SET label = :label, role = :role, expires_at = :expires_at WHERE id = :id"
)
_ROTATE = Statement(
    "UPDATE credentials SET earlier_hash = CASE WHEN :overlap_ms > 0 THEN secret_hash END,"
    " earlier_until = CASE WHEN :overlap_ms > 0 THEN {now} + :overlap_ms END,"
    " secret_hash = :secret_hash WHERE id = :id"
)
#: A second revocation changes nothing: the first time stays.
_REVOKE = Statement("UPDATE credentials SET revoked_at = {now} WHERE id = :id AND revoked_at IS NULL")
#: Rows that another process writes at this moment are left to it: both write the same minute.
_USED = Statement(
    "UPDATE credentials SET used_at = {now} WHERE id IN"
    " (SELECT id FROM credentials WHERE id {in_ids} ORDER BY id {skip_locked})"
)

#: A condition for each filter that is given.
_CONDITIONS: Final = {
    "kind": "kind = :kind",
    "merchant_id": "merchant_id = :merchant_id",
    "valid": "revoked_at IS NULL",
    "after": "(created_at, id) < (:after_created_at, :after_id)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCredential:
    """A credential to store; `secret_hash` is keyed."""

    id: str
    kind: CredentialKind
    secret_hash: str
    merchant_id: str | None = None
    #: For display: a shop's till, an operator's name.
    label: str = ""
    #: Of an operator; None: another kind.
    role: Role | None = None
    #: Milliseconds since 1970 UTC; None: never.
    expires_at: int | None = None

    def columns(self) -> dict[str, object]:
        """Return the row's values."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "merchant_id": self.merchant_id,
            "secret_hash": self.secret_hash,
            "label": self.label,
            "role": None if self.role is None else self.role.value,
            "expires_at": self.expires_at,
        }


@dataclass(frozen=True, slots=True)
class StoredCredential:
    """A credential as it is stored, without its secret; times are milliseconds since 1970 UTC."""

    id: str
    kind: CredentialKind
    merchant_id: str | None
    label: str
    role: Role | None
    created_at: int
    #: To the minute; None: never used.
    used_at: int | None
    expires_at: int | None
    revoked_at: int | None
    #: End of an earlier secret that is still valid.
    earlier_until: int | None

    def facts(self) -> dict[str, Any]:
        """Return what the audit trail keeps of it."""
        return {
            "kind": self.kind.value,
            "merchant_id": self.merchant_id,
            "label": self.label,
            "role": None if self.role is None else self.role.value,
            "expires_at": self.expires_at,
            "revoked_at": self.revoked_at,
            "earlier_until": self.earlier_until,
        }


class IsRevoked(Exception):
    """Raised for a revoked credential: it is never valid again."""


class StillRotating(Exception):
    """Raised where an earlier secret is still valid, and a rotation with an overlap would end it."""

    def __init__(self, earlier_until: int) -> None:
        super().__init__(earlier_until)
        #: Milliseconds since 1970 UTC.
        self.earlier_until: Final = earlier_until


async def create(database: Database, new: NewCredential, actor: Actor) -> StoredCredential | None:
    """Store a credential; None: there is no such merchant. Raises DatabaseUnavailable, CommitUnknown."""

    async def work(tx: Transaction) -> StoredCredential | None:
        if new.merchant_id is not None and await tx.one(_MERCHANT, id=new.merchant_id) is None:
            return None
        await tx.run(INSERT, **new.columns())
        row = await tx.one(_ONE, id=new.id)
        assert row is not None
        created = _stored(row)
        await audit_trail.record(tx, actor, Action.CREDENTIAL_CREATED, new.id, after=created.facts())
        return created

    return await database.write(work)


async def get(database: Database, credential_id: str) -> StoredCredential | None:
    """Return a credential. Raises DatabaseUnavailable."""
    row = await database.read(lambda tx: tx.one(_ONE, id=credential_id))
    return None if row is None else _stored(row)


async def page(
    database: Database,
    *,
    kind: CredentialKind | None = None,
    merchant_id: str | None = None,
    with_revoked: bool = True,
    after: Place | None,
    limit: int,
) -> tuple[list[StoredCredential], Place | None]:
    """Return credentials, the newest first, and the start of the next page."""
    given: dict[str, object] = {}
    if kind is not None:
        given["kind"] = kind.value
    if merchant_id is not None:
        given["merchant_id"] = merchant_id
    conditions = (*given, *(() if with_revoked else ("valid",)), *(() if after is None else ("after",)))
    if after is not None:
        given |= {"after_created_at": after.created_at, "after_id": after.id}
    statement = _list_statement(conditions)
    rows = await database.read(lambda tx: tx.all(statement, most=limit + 1, **given))
    found = [_stored(row) for row in rows[:limit]]
    return found, Place(found[-1].created_at, found[-1].id) if len(rows) > limit else None


async def update(
    database: Database,
    credential_id: str,
    *,
    label: str | None,
    role: Role | None,
    expires_at: int | None,
    never_expires: bool,
    actor: Actor,
    check: Callable[[StoredCredential], None] = lambda _: None,
) -> StoredCredential | None:
    """Change what is given (None: not); None: there is no such credential.

    `check`: called with the credential that this transaction changes. Raises IsRevoked, what `check` raises.
    """

    async def store(tx: Transaction, found: StoredCredential) -> None:
        check(found)
        wanted = found.role if role is None else role
        expiry = None if never_expires else found.expires_at if expires_at is None else expires_at
        await tx.run(
            _CHANGE,
            id=credential_id,
            label=found.label if label is None else label,
            role=None if wanted is None else wanted.value,
            expires_at=expiry,
        )

    return await _changed(database, credential_id, store, Action.CREDENTIAL_CHANGED, actor)


async def rotate(
    database: Database, credential_id: str, secret_hash: str, overlap_seconds: int, actor: Actor
) -> StoredCredential | None:
    """Replace the secret; the earlier one stays valid for the overlap. None: there is no such credential.

    Raises StillRotating, unless there is no overlap: then the new secret is the only one. Raises IsRevoked.
    """

    async def store(tx: Transaction, found: StoredCredential) -> None:
        if found.earlier_until is not None and overlap_seconds:
            raise StillRotating(found.earlier_until)
        await sessions.end_all(tx, credential_id)
        await tx.run(_ROTATE, id=credential_id, secret_hash=secret_hash, overlap_ms=1000 * overlap_seconds)

    return await _changed(database, credential_id, store, Action.CREDENTIAL_ROTATED, actor)


async def revoke(database: Database, credential_id: str, actor: Actor) -> StoredCredential | None:
    """Revoke a credential for ever; may be repeated. None: there is no such credential."""

    async def store(tx: Transaction, _found: StoredCredential) -> None:
        await sessions.end_all(tx, credential_id)
        await tx.run(_REVOKE, id=credential_id)

    try:
        return await _changed(database, credential_id, store, Action.CREDENTIAL_REVOKED, actor)
    except IsRevoked:
        return await get(database, credential_id)


async def store_uses(database: Database, credential_ids: Sequence[str]) -> None:
    """Store that these credentials were used by now. Raises DatabaseUnavailable, CommitUnknown."""
    await database.write(lambda tx: tx.all_of(_USED, credential_ids))


async def _changed(
    database: Database,
    credential_id: str,
    store: Callable[[Transaction, StoredCredential], Awaitable[None]],
    action: Action,
    actor: Actor,
) -> StoredCredential | None:
    async def work(tx: Transaction) -> StoredCredential | None:
        row = await tx.one(_LOCKED, id=credential_id)
        if row is None:
            return None
        found = _stored(row)
        if found.revoked_at is not None:
            raise IsRevoked
        await store(tx, found)
        row = await tx.one(_ONE, id=credential_id)
        assert row is not None
        changed = _stored(row)
        # A rotation without an overlap changes nothing that is shown.
        if changed != found or action is Action.CREDENTIAL_ROTATED:
            await audit_trail.record(
                tx, actor, action, credential_id, **differences(found.facts(), changed.facts())
            )
        return changed

    return await database.write(work)


@cache
def _list_statement(conditions: tuple[str, ...]) -> Statement:
    where = " AND ".join(_CONDITIONS[name] for name in conditions)
    return Statement(
        _SHOWN + (f" WHERE {where}" if where else "") + " ORDER BY created_at DESC, id DESC LIMIT :most"
    )


def _stored(row: Row) -> StoredCredential:
    return StoredCredential(
        row.id,
        CredentialKind(row.kind),
        row.merchant_id,
        row.label,
        None if row.role is None else Role(row.role),
        row.created_at,
        row.used_at,
        row.expires_at,
        row.revoked_at,
        row.earlier_until,
    )
