"""Webhook endpoints that merchants register and change."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import Statement
from shared.storage.db.unchanged import check_unchanged
from shared.storage.payments.listing import Place
from shared.storage.terminals.merchants import lock_merchant
from shared.storage.webhooks import signing_secrets
from shared.storage.webhooks.outbox import add_test_event
from shared.storage.webhooks.signing_secrets import SigningSecret

#: Endpoints with the state of their circuit breakers, see `DeliveryTargetRow`.
_SELECT: Final = (
    "SELECT w.id, w.url, w.description, w.types, w.disabled_at, w.disabled_because, w.created_at,"
    " w.changed_at, COALESCE(t.failures, 0) AS failures,"
    " CASE WHEN t.paused_until > {now} THEN t.paused_until END AS paused_until FROM webhook_endpoints w"
    " LEFT JOIN delivery_targets t ON t.id = w.id WHERE w.merchant_id = :merchant_id"
)
_GET = Statement(_SELECT + " AND w.id = :id")
_PAGE = Statement(
    _SELECT + " AND (w.created_at, w.id) > (:created_at, :after) ORDER BY w.created_at, w.id LIMIT :most"
)
_ENABLED = Statement(
    "SELECT id, merchant_id, url FROM webhook_endpoints WHERE disabled_at IS NULL ORDER BY id LIMIT :most"
)
_DISABLED_AT = Statement(
    "SELECT disabled_at FROM webhook_endpoints WHERE merchant_id = :merchant_id AND id = :id"
)

#: Read after the merchant's lock was taken.
_COUNT = Statement(
    "SELECT COUNT(*) AS number, COUNT(CASE WHEN disabled_at IS NULL THEN 1 END) AS enabled"
    " FROM webhook_endpoints WHERE merchant_id = :merchant_id"
)
_INSERT = Statement(
    "INSERT INTO webhook_endpoints (id, merchant_id, url, description, types, created_at, changed_at)"
    " VALUES (:id, :merchant_id, :url, :description, :types, {now}, {now})"
)
_LOCK = Statement(
    "SELECT url, disabled_at FROM webhook_endpoints WHERE merchant_id = :merchant_id AND id = :id"
    " {for_update}"
)
#: A value that is not given stays. An endpoint that is gone stays so until it is enabled again.
_CHANGE = Statement(
    "UPDATE webhook_endpoints SET url = COALESCE(CAST(:url AS TEXT), url),"
    " description = COALESCE(CAST(:description AS TEXT), description),"
    " types = COALESCE(CAST(:types AS TEXT), types),"
    " disabled_at = CASE WHEN CAST(:disabled AS BOOLEAN) IS NULL THEN disabled_at"
    " WHEN CAST(:disabled AS BOOLEAN) THEN COALESCE(disabled_at, {now}) END,"
    " disabled_because = CASE WHEN CAST(:disabled AS BOOLEAN) IS NULL THEN disabled_because"
    " WHEN CAST(:disabled AS BOOLEAN) THEN COALESCE(disabled_because, 'merchant') END,"
    " changed_at = {now} WHERE id = :id"
)
#: The failures were those of another URL, or the merchant enabled the endpoint again.
_FORGET_FAILURES = Statement("DELETE FROM delivery_targets WHERE id = :id")

_START: Final = Place(-1, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEndpoint:
    """An endpoint to be stored; `types` are the event types that it subscribes to, empty: all."""

    id: str
    merchant_id: str
    url: str
    description: str
    types: Sequence[str]
    #: Its first secret, encrypted with the endpoint's id as owner.
    encrypted_secret: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Changes of an endpoint; None: the value stays."""

    url: str | None = None
    description: str | None = None
    types: Sequence[str] | None = None
    disabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredEndpoint:
    """An endpoint as it is stored. Times are milliseconds since 1970 UTC."""

    id: str
    url: str
    description: str
    #: Empty: all.
    types: tuple[str, ...]
    disabled_at: int | None
    #: `merchant` or `gone`.
    disabled_because: str | None
    created_at: int
    changed_at: int
    #: Failed attempts in a row.
    failures: int
    #: End of the pause in which nothing is sent after failures.
    paused_until: int | None
    #: The secrets that sign now, the newest first.
    secrets: tuple[SigningSecret, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class EnabledEndpoint:
    """An endpoint of any merchant, to be looked at."""

    id: str
    merchant_id: str
    url: str


class TooManyEndpoints(Exception):
    """Raised when the merchant has reached its limit of enabled endpoints."""


class NoMoreEndpoints(Exception):
    """Raised when the merchant has reached its limit of endpoints, disabled ones included."""


class EndpointIsDisabled(Exception):
    """Raised for an endpoint that is disabled."""


async def create(database: Database, new: NewEndpoint, *, limit: int, total_limit: int) -> None:
    """Store an endpoint with its first secret.

    `limit`: enabled endpoints of the merchant; `total_limit`: all of them. Raises
    TooManyEndpoints, NoMoreEndpoints, DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> None:
        if await _check_room(tx, new.merchant_id, limit) >= total_limit:
            raise NoMoreEndpoints
        await tx.run(
            _INSERT,
            id=new.id,
            merchant_id=new.merchant_id,
            url=new.url,
            description=new.description,
            types=_stored(new.types),
        )
        await signing_secrets.add(tx, new.id, new.encrypted_secret)

    await database.write(work)


async def enabled(database: Database, *, most: int) -> list[EnabledEndpoint]:
    """Return enabled endpoints of all merchants, the oldest first. Raises DatabaseUnavailable."""
    rows = await database.read(lambda tx: tx.all(_ENABLED, most=most))
    return [EnabledEndpoint(row.id, row.merchant_id, row.url) for row in rows]


async def get(database: Database, merchant_id: str, endpoint_id: str) -> RegisteredEndpoint | None:
    """Return one of the merchant's endpoints. Raises DatabaseUnavailable."""
    return await database.read(lambda tx: _get(tx, merchant_id, endpoint_id))


async def _get(tx: Transaction, merchant_id: str, endpoint_id: str) -> RegisteredEndpoint | None:
    row = await tx.one(_GET, merchant_id=merchant_id, id=endpoint_id)
    if row is None:
        return None
    (found,) = await _with_secrets(tx, [row])
    return found


async def page(
    database: Database, merchant_id: str, *, after: Place | None, limit: int
) -> tuple[list[RegisteredEndpoint], Place | None]:
    """Return the merchant's endpoints after a place, the oldest first, and the start of the next page."""

    async def look(tx: Transaction) -> tuple[list[RegisteredEndpoint], Place | None]:
        start = after or _START
        rows = await tx.all(
            # One more than is shown: there is a next page if it is found.
            _PAGE, merchant_id=merchant_id, created_at=start.created_at, after=start.id, most=limit + 1
        )  # fmt: skip
        found = await _with_secrets(tx, rows[:limit])
        return found, Place(found[-1].created_at, found[-1].id) if len(rows) > limit else None

    return await database.read(look)


async def is_enabled(database: Database, merchant_id: str, endpoint_id: str) -> bool | None:
    """Return True if the merchant's endpoint is enabled; None: it has no such endpoint."""
    row = await database.read(lambda tx: tx.one(_DISABLED_AT, merchant_id=merchant_id, id=endpoint_id))
    return None if row is None else row.disabled_at is None


async def change(
    database: Database,
    merchant_id: str,
    endpoint_id: str,
    changes: Changes,
    *,
    limit: int,
    seen: RegisteredEndpoint | None = None,
) -> bool:
    """Change an endpoint; False: the merchant has no such endpoint.

    A disabled endpoint gets nothing more; the sweep of a notifier worker ends the deliveries that wait for
    it. Another URL, or enabling, ends a pause after failures. `seen`: the endpoint has to be as it was.
    Raises Changed, TooManyEndpoints, DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> bool:
        if changes.disabled is False:
            await lock_merchant(tx, merchant_id)
        before = await tx.one(_LOCK, merchant_id=merchant_id, id=endpoint_id)
        if before is None:
            return False
        if seen is not None:
            check_unchanged(await _get(tx, merchant_id, endpoint_id), seen)
        if changes.disabled is False and before.disabled_at is not None:
            await _check_room(tx, merchant_id, limit)
        await tx.run(
            _CHANGE,
            id=endpoint_id,
            url=changes.url,
            description=changes.description,
            types=None if changes.types is None else _stored(changes.types),
            disabled=changes.disabled,
        )
        if changes.disabled is False or changes.url not in (None, before.url):
            await tx.run(_FORGET_FAILURES, id=endpoint_id)
        return True

    return await database.write(work)


async def send_test(database: Database, merchant_id: str, endpoint_id: str) -> str | None:
    """Write a test event for this endpoint alone; return the delivery's id. None: there is no such endpoint.

    Raises EndpointIsDisabled, DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> str | None:
        row = await tx.one(_LOCK, merchant_id=merchant_id, id=endpoint_id)
        if row is None:
            return None
        if row.disabled_at is not None:
            raise EndpointIsDisabled
        return await add_test_event(tx, merchant_id=merchant_id, endpoint_id=endpoint_id)

    return await database.write(work)


async def _check_room(tx: Transaction, merchant_id: str, limit: int) -> int:
    """Return the number of endpoints, disabled ones included. Raises TooManyEndpoints."""
    await lock_merchant(tx, merchant_id)
    row = await tx.one(_COUNT, merchant_id=merchant_id)
    assert row is not None, "an aggregate has a row"
    if row.enabled >= limit:
        raise TooManyEndpoints
    return int(row.number)


async def _with_secrets(tx: Transaction, rows: Sequence[Row]) -> list[RegisteredEndpoint]:
    secrets = await signing_secrets.of(tx, [row.id for row in rows])
    return [
        RegisteredEndpoint(**{**row._mapping, "types": _read(row.types)}, secrets=tuple(secrets[row.id]))
        for row in rows
    ]


def _stored(types: Sequence[str]) -> str:
    """Return the types, each between bars so that a statement can search for one; empty for all."""
    return f"|{'|'.join(types)}|" if types else ""


def _read(types: str) -> tuple[str, ...]:
    return tuple(type_ for type_ in types.split("|") if type_)
