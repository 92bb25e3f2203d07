"""Requests of operators that terminal workers end, and the workers' look for them."""

from shared.storage.administration.audit_trail import Action, Actor, record
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

_ASK = Statement(
    "INSERT INTO worker_drains (worker, asked_at) VALUES (:worker, {now})"
    " ON CONFLICT (worker) DO NOTHING RETURNING worker"
)
_IS_ASKED = Statement("SELECT worker FROM worker_drains WHERE worker = :worker")
_ASKED = Statement("SELECT worker FROM worker_drains")
#: A worker ends minutes after it was asked: what is a day old is of one that died before.
_FORGET = Statement("DELETE FROM worker_drains WHERE worker = :worker OR asked_at < {now} - 86400000")


async def ask(database: Database, worker: str, actor: Actor) -> bool:
    """Ask a worker to end, and record it; False: it was asked before.

    Raises DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> bool:
        if await tx.one(_ASK, worker=worker) is None:
            return False
        await record(tx, actor, Action.WORKER_DRAINED, worker)
        return True

    return await database.write(work)


async def is_asked(database: Database, worker: str) -> bool:
    """Return whether this worker is to end. Raises DatabaseUnavailable."""
    return await database.read(lambda tx: tx.one(_IS_ASKED, worker=worker)) is not None


async def asked_workers(database: Database) -> frozenset[str]:
    """Return the workers that were asked to end. Raises DatabaseUnavailable."""
    rows = await database.read(lambda tx: tx.all(_ASKED))
    return frozenset(row.worker for row in rows)


async def forget(database: Database, worker: str) -> None:
    """Delete the request of a worker that ended, and those of a day ago. Raises DatabaseUnavailable."""
    await database.write(lambda tx: tx.run(_FORGET, worker=worker))
