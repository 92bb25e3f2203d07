"""Sessions of operators on the page: a random token in a cookie, its hash here."""

from typing import Final

from shared.storage.administration import audit_trail
from shared.storage.administration.audit_trail import Action, Actor
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

#: A session ends so long after its log-in, whatever happens.
LONGEST_SECONDS: Final = 8 * 3600
#: A session without a request for so long has ended.
IDLE_SECONDS: Final = 30 * 60
_TOUCH_MS: Final = 60_000
#: Of one operator at a time: the oldest ends.
SESSIONS_AT_MOST: Final = 10

_INSERT = Statement(
    "INSERT INTO operator_sessions (token_hash, credential_id, created_at, seen_at)"
    " VALUES (:token_hash, :credential_id, {now}, {now})"
)
_IS_VALID: Final = (
    f"created_at > {{now}} - {1000 * LONGEST_SECONDS} AND seen_at > {{now}} - {1000 * IDLE_SECONDS}"
)
_FIND = Statement(
    "SELECT credential_id, {now} - seen_at AS idle_ms FROM operator_sessions"
    f" WHERE token_hash = :token_hash AND {_IS_VALID}"
)
_TOUCH = Statement("UPDATE operator_sessions SET seen_at = {now} WHERE token_hash = :token_hash")
_END = Statement("DELETE FROM operator_sessions WHERE token_hash = :token_hash RETURNING credential_id")
_END_ALL = Statement("DELETE FROM operator_sessions WHERE credential_id = :credential_id")
_FORGET = Statement(f"DELETE FROM operator_sessions WHERE NOT ({_IS_VALID})")
_END_OLDEST = Statement(
    "DELETE FROM operator_sessions WHERE credential_id = :credential_id AND token_hash NOT IN"
    " (SELECT token_hash FROM operator_sessions WHERE credential_id = :credential_id"
    " ORDER BY created_at DESC, token_hash LIMIT :most)"
)


async def begin(database: Database, token_hash: str, actor: Actor) -> None:
    """Store a session of this operator, and forget those that have ended."""

    async def work(tx: Transaction) -> None:
        await tx.run(_FORGET)
        await tx.run(_INSERT, token_hash=token_hash, credential_id=actor.by)
        await tx.run(_END_OLDEST, credential_id=actor.by, most=SESSIONS_AT_MOST)
        await audit_trail.record(tx, actor, Action.LOGGED_IN, actor.by)

    await database.write(work)


async def find(database: Database, token_hash: str) -> str | None:
    """Return the credential of a session that goes on; None: there is none, or it has ended."""
    row = await database.read(lambda tx: tx.one(_FIND, token_hash=token_hash))
    if row is None:
        return None
    if row.idle_ms > _TOUCH_MS:
        await database.write(lambda tx: tx.run(_TOUCH, token_hash=token_hash))
    return str(row.credential_id)


async def end(database: Database, token_hash: str, actor: Actor) -> None:
    """End a session, in every process at once."""

    async def work(tx: Transaction) -> None:
        if await tx.one(_END, token_hash=token_hash) is not None:
            await audit_trail.record(tx, actor, Action.LOGGED_OUT, actor.by)

    await database.write(work)


async def end_all(tx: Transaction, credential_id: str) -> None:
    """End all sessions of a credential."""
    await tx.run(_END_ALL, credential_id=credential_id)
