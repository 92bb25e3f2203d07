"""Merchants as operators create, change, suspend and list them; each change is in the audit trail."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

from shared.storage.administration import audit_trail
from shared.storage.administration.audit_trail import Action, Actor
from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.listing import Place
from shared.storage.payments.rows import json_text
from shared.storage.terminals.merchants import DEFAULT_UNKNOWN_ORDERS, UnknownOrders, lock_merchant

_COLUMNS: Final = "name, networks, guard_hours, replay_seconds, reverses_unknown, credits_known_only"
_VALUES: Final = ":name, :networks, :guard_hours, :replay_seconds, :reverses_unknown, :credits_known_only"

INSERT: Final = Statement(
    f"INSERT INTO merchants (id, {_COLUMNS}, created_at) VALUES (:id, {_VALUES}, {{now}})"
)
SHOWN: Final = f"SELECT id, {_COLUMNS}, created_at, suspended_at, suspended_because FROM merchants"
_ONE = Statement(f"{SHOWN} WHERE id = :id")
UPDATE: Final = Statement(
    "UPDATE merchants SET name = :name, networks = :networks, guard_hours = :guard_hours,"
    " replay_seconds = :replay_seconds, reverses_unknown = :reverses_unknown,"
    " credits_known_only = :credits_known_only WHERE id = :id"
)
#: A second suspension changes the reason: the first time stays.
_SUSPEND = Statement(
    "UPDATE merchants SET suspended_at = COALESCE(suspended_at, {now}), suspended_because = :because"
    " WHERE id = :id"
)
_RESUME = Statement("UPDATE merchants SET suspended_at = NULL, suspended_because = NULL WHERE id = :id")

#: A condition for each filter that is given.
_CONDITIONS: Final = {
    "name": "lower(name) LIKE :name ESCAPE '!'",
    "suspended": "suspended_at IS NOT NULL",
    "active": "suspended_at IS NULL",
    "after": "(created_at, id) < (:after_created_at, :after_id)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MerchantSettings:
    """The decisions of an operator about a merchant."""

    name: str
    #: CIDR, or `public`: networks of its terminals; empty: none.
    networks: tuple[str, ...] = ()
    #: Hours after which a paid order releases its number; None: never.
    guard_hours: int | None = None
    #: Seconds for which a repeated order gets the stored success; None: the installation's setting.
    replay_seconds: int | None = None
    unknown_orders: UnknownOrders = field(default=DEFAULT_UNKNOWN_ORDERS)

    def facts(self) -> dict[str, Any]:
        """Return the settings by the names that operators know."""
        return {
            "name": self.name,
            "networks": list(self.networks),
            "guard_hours": self.guard_hours,
            "replay_seconds": self.replay_seconds,
            "cancel_unknown": self.unknown_orders.reversals,
            "credit_unknown": self.unknown_orders.credits,
        }

    def columns(self) -> dict[str, object]:
        """Return the row's values."""
        return {
            "name": self.name,
            "networks": json_text(list(self.networks)),
            "guard_hours": self.guard_hours,
            "replay_seconds": self.replay_seconds,
            "reverses_unknown": self.unknown_orders.reversals,
            "credits_known_only": not self.unknown_orders.credits,
        }


@dataclass(frozen=True, slots=True)
class StoredMerchant:
    """A merchant as it is stored; times are milliseconds since 1970 UTC."""

    id: str
    settings: MerchantSettings
    created_at: int
    suspended_at: int | None
    suspended_because: str | None

    def facts(self) -> dict[str, Any]:
        """Return what the audit trail keeps of it."""
        return {**self.settings.facts(), "suspended_because": self.suspended_because}


Change = Callable[[MerchantSettings], MerchantSettings]


async def create(
    database: Database, merchant_id: str, settings: MerchantSettings, actor: Actor
) -> StoredMerchant:
    """Store a merchant. Raises DatabaseUnavailable, CommitUnknown."""

    async def work(tx: Transaction) -> StoredMerchant:
        await tx.run(INSERT, id=merchant_id, **settings.columns())
        created = await read(tx, merchant_id)
        assert created is not None
        await audit_trail.record(tx, actor, Action.MERCHANT_CREATED, merchant_id, after=created.facts())
        return created

    return await database.write(work)


async def get(database: Database, merchant_id: str) -> StoredMerchant | None:
    """Return a merchant. Raises DatabaseUnavailable."""
    return await database.read(lambda tx: read(tx, merchant_id))


async def page(
    database: Database,
    *,
    name: str | None = None,
    is_suspended: bool | None = None,
    after: Place | None,
    limit: int,
) -> tuple[list[StoredMerchant], Place | None]:
    """Return merchants, the newest first, and the start of the next page; `name` is a part of it."""
    given: dict[str, object] = {}
    conditions: list[str] = []
    if name is not None:
        conditions.append("name")
        given["name"] = f"%{_escaped(name.lower())}%"
    if is_suspended is not None:
        conditions.append("suspended" if is_suspended else "active")
    if after is not None:
        conditions.append("after")
        given |= {"after_created_at": after.created_at, "after_id": after.id}
    statement = _list_statement(tuple(conditions))
    rows = await database.read(lambda tx: tx.all(statement, most=limit + 1, **given))
    found = [stored_merchant(row) for row in rows[:limit]]
    return found, Place(found[-1].created_at, found[-1].id) if len(rows) > limit else None


async def update(
    database: Database,
    merchant_id: str,
    change: Change,
    actor: Actor,
    check: Callable[[StoredMerchant], None] = lambda _: None,
) -> StoredMerchant | None:
    """Change the settings; None: there is no such merchant. Raises what `change` and `check` raise.

    `check`: called with the merchant that this transaction changes.
    """

    async def store(tx: Transaction, found: StoredMerchant) -> None:
        check(found)
        await tx.run(UPDATE, id=merchant_id, **change(found.settings).columns())

    return await _changed(database, merchant_id, store, Action.MERCHANT_CHANGED, actor)


async def suspend(database: Database, merchant_id: str, because: str, actor: Actor) -> StoredMerchant | None:
    """Refuse the merchant's new orders with this reason; None: there is no such merchant."""

    async def store(tx: Transaction, _found: StoredMerchant) -> None:
        await tx.run(_SUSPEND, id=merchant_id, because=because)

    return await _changed(database, merchant_id, store, Action.MERCHANT_SUSPENDED, actor)


async def resume(database: Database, merchant_id: str, actor: Actor) -> StoredMerchant | None:
    """Accept the merchant's orders again; None: there is no such merchant."""

    async def store(tx: Transaction, _found: StoredMerchant) -> None:
        await tx.run(_RESUME, id=merchant_id)

    return await _changed(database, merchant_id, store, Action.MERCHANT_RESUMED, actor)


async def _changed(
    database: Database, merchant_id: str, store: Callable[..., Any], action: Action, actor: Actor
) -> StoredMerchant | None:
    async def work(tx: Transaction) -> StoredMerchant | None:
        # What is read below is what this transaction changes: two operators follow one another.
        await lock_merchant(tx, merchant_id)
        found = await read(tx, merchant_id)
        if found is None:
            return None
        await store(tx, found)
        changed = await read(tx, merchant_id)
        assert changed is not None
        if changed != found:
            await audit_trail.record(
                tx, actor, action, merchant_id, **differences(found.facts(), changed.facts())
            )
        return changed

    return await database.write(work)


async def read(tx: Transaction, merchant_id: str) -> StoredMerchant | None:
    """Return a merchant inside a transaction."""
    row = await tx.one(_ONE, id=merchant_id)
    return None if row is None else stored_merchant(row)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return those facts that changed, as `before` and `after`."""
    names = [name for name in after if before.get(name) != after[name]]
    return {
        "before": {name: before.get(name) for name in names},
        "after": {name: after[name] for name in names},
    }


@cache
def _list_statement(conditions: tuple[str, ...]) -> Statement:
    where = " AND ".join(_CONDITIONS[name] for name in conditions)
    return Statement(
        SHOWN + (f" WHERE {where}" if where else "") + " ORDER BY created_at DESC, id DESC LIMIT :most"
    )


def _escaped(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def stored_merchant(row: Row) -> StoredMerchant:
    """Return a merchant of a row."""
    settings = MerchantSettings(
        name=row.name,
        networks=tuple(json.loads(row.networks)),
        guard_hours=row.guard_hours,
        replay_seconds=row.replay_seconds,
        unknown_orders=UnknownOrders(bool(row.reverses_unknown), not row.credits_known_only),
    )
    return StoredMerchant(row.id, settings, row.created_at, row.suspended_at, row.suspended_because)
