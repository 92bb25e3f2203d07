"""The steps of a purge: payments with all that belongs to them, and deliveries before these.

A step is one short transaction. Kept is every payment whose outcome is open or disputed: in doubt,
contradicted by a proof, or of an order that is locked for review. A debit goes with its reversals and
credits, when all of them may go; what has a delivery that still waits stays.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.functions.purge_function import CALL_PURGE
from shared.storage.payments.listing import Place
from shared.storage.retention.lease import Lease, renew

#: Payments of one step.
STEP: Final = 100
#: Payments whose deliveries one step looks at.
DELIVERIES_STEP: Final = 500

_IS_OLD: Final = (
    "({0}.state NOT IN ('queued', 'in_session', 'in_doubt') AND NOT {0}.contradicted AND NOT {0}.key_closed"
    " AND {0}.ended_at < :before)"
)
_PLACE: Final = "(created_at, id) > (:after_created_at, :after_id)"

#: Debits, and what belongs to none. A payment that is locked at this moment is left to the next run.
_GROUPS: Final = (
    f"SELECT id, created_at FROM payments WHERE created_at < :before AND {_PLACE}"
    f" AND {_IS_OLD.format('payments')}"
    " AND (debit_id IS NULL OR NOT EXISTS (SELECT 1 FROM payments debit WHERE debit.id = payments.debit_id))"
    " AND NOT EXISTS (SELECT 1 FROM payments follower WHERE follower.debit_id = payments.id"
    f" AND (NOT {_IS_OLD.format('follower')} OR EXISTS (SELECT 1 FROM deliveries"
    " WHERE deliveries.payment_id = follower.id AND deliveries.state = 'waiting')))"
    " AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.payment_id = payments.id"
    " AND deliveries.state = 'waiting')"
    " AND NOT EXISTS (SELECT 1 FROM terminal_locks WHERE terminal_locks.held_by = payments.id)"
    " ORDER BY created_at, id LIMIT :most"
)
_LOCK_GROUPS = Statement(_GROUPS + " {skip_locked}")
_READ_GROUPS = Statement(_GROUPS)
#: Debits are locked before their reversals and credits, as everywhere.
_LOCK_FOLLOWERS = Statement("SELECT id FROM payments WHERE debit_id {in_ids} ORDER BY id {for_update}")
_READ_FOLLOWERS = Statement("SELECT id FROM payments WHERE debit_id {in_ids}")

#: What belongs to a payment, in the order in which it can be deleted: on SQLite what the function does.
_OF_PAYMENTS: Final[Mapping[str, Statement]] = {
    "delivery_attempts": Statement(
        "DELETE FROM delivery_attempts WHERE delivery_id IN"
        " (SELECT id FROM deliveries WHERE payment_id {in_ids})"
    ),
    "deliveries": Statement("DELETE FROM deliveries WHERE payment_id {in_ids}"),
    "events": Statement("DELETE FROM events WHERE payment_id {in_ids}"),
    "evidence": Statement("DELETE FROM evidence WHERE payment_id {in_ids}"),
    "gateway_records": Statement("DELETE FROM gateway_records WHERE payment_id {in_ids}"),
    "payment_events": Statement("DELETE FROM payment_events WHERE payment_id {in_ids}"),
    "responses": Statement("DELETE FROM responses WHERE payment_id {in_ids}"),
    # A key names its operation as long as a payment of it is stored.
    "idempotency_keys": Statement(
        "DELETE FROM idempotency_keys WHERE (merchant_id, key) IN (SELECT merchant_id, idempotency_key"
        " FROM payments WHERE id {in_ids} AND idempotency_key IS NOT NULL) AND NOT EXISTS (SELECT 1"
        " FROM payments other WHERE other.merchant_id = idempotency_keys.merchant_id"
        " AND other.order_id = idempotency_keys.order_id AND other.operation = idempotency_keys.operation"
        " AND NOT other.id {in_ids})"
    ),
    "payments": Statement("DELETE FROM payments WHERE id {in_ids}"),
}

_PAYMENTS = Statement(
    f"SELECT id, created_at FROM payments WHERE created_at < :before AND {_PLACE}"
    " ORDER BY created_at, id LIMIT :most"
)
_OLD_DELIVERIES: Final = "payment_id {in_ids} AND state <> 'waiting' AND created_at < :before"
_DELETE_ATTEMPTS = Statement(
    f"DELETE FROM delivery_attempts WHERE delivery_id IN (SELECT id FROM deliveries WHERE {_OLD_DELIVERIES})"
)
_DELETE_DELIVERIES = Statement(f"DELETE FROM deliveries WHERE {_OLD_DELIVERIES}")
_COUNT_DELIVERIES = Statement(f"SELECT COUNT(*) AS number FROM deliveries WHERE {_OLD_DELIVERIES}")

#: Tests of endpoints have no payment.
_OLD_TESTS: Final = (
    "SELECT id FROM deliveries WHERE payment_id IS NULL AND state <> 'waiting' AND created_at < :before"
)
_DELETE_TEST_ATTEMPTS = Statement(f"DELETE FROM delivery_attempts WHERE delivery_id IN ({_OLD_TESTS})")
_DELETE_TESTS = Statement(f"DELETE FROM deliveries WHERE id IN ({_OLD_TESTS})")

_START: Final = Place(-1, "")


@dataclass(frozen=True, slots=True)
class Step:
    """The rows that a step deleted by table, and the place where the next begins; None: there is none."""

    deleted: Counter[str]
    next: Place | None


async def purge_payments(database: Database, lease: Lease, *, before: int, after: Place | None) -> Step:
    """Delete the next payments that ended before a time, with all that belongs to them.

    Raises LeaseLost, DatabaseUnavailable, CommitUnknown.
    """
    place = after or _START

    async def work(tx: Transaction) -> Step:
        await renew(tx, lease)
        groups = await tx.all(_LOCK_GROUPS, before=before, **_bound(place), most=STEP)
        if not groups:
            return Step(Counter(), None)
        ids = [row.id for row in groups]
        ids += [row.id for row in await tx.all_of(_LOCK_FOLLOWERS, ids)]
        return Step(await _delete(tx, ids, before), Place(groups[-1].created_at, groups[-1].id))

    return await database.write(work)


async def _delete(tx: Transaction, ids: Sequence[str], before: int) -> Counter[str]:
    if tx.dialect == "postgresql":
        rows = await tx.all(CALL_PURGE, ids=list(ids), before=before)
        return Counter({row.purged: row.number for row in rows})
    return Counter({table: await tx.run_of(each, ids) for table, each in _OF_PAYMENTS.items()})


async def count_payments(database: Database, *, before: int, after: Place | None) -> Step:
    """Count the payments that `purge_payments` would delete next. Raises DatabaseUnavailable."""
    place = after or _START

    async def work(tx: Transaction) -> Step:
        groups = await tx.all(_READ_GROUPS, before=before, **_bound(place), most=10 * STEP)
        if not groups:
            return Step(Counter(), None)
        ids = [row.id for row in groups]
        followers = await tx.all_of(_READ_FOLLOWERS, ids)
        return Step(Counter(payments=len(ids) + len(followers)), Place(groups[-1].created_at, groups[-1].id))

    return await database.read(work)


async def purge_deliveries(database: Database, lease: Lease, *, before: int) -> Step:
    """Delete the deliveries, written before a time, of the next payments; the lease remembers the place.

    A delivery that is replayed at this moment waits again and stays. Raises LeaseLost, DatabaseUnavailable,
    CommitUnknown.
    """

    async def work(tx: Transaction) -> tuple[Step, Place]:
        found = await tx.all(_PAYMENTS, before=before, **_bound(lease.place), most=DELIVERIES_STEP)
        place = Place(found[-1].created_at, found[-1].id) if found else lease.place
        await renew(tx, Lease(lease.name, lease.owner, lease.started_at, place))
        ids: Sequence[str] = [row.id for row in found]
        attempts = await tx.run_of(_DELETE_ATTEMPTS, ids, before=before)
        deliveries = await tx.run_of(_DELETE_DELIVERIES, ids, before=before)
        if not found:
            attempts += await tx.run(_DELETE_TEST_ATTEMPTS, before=before)
            deliveries += await tx.run(_DELETE_TESTS, before=before)
        deleted = Counter({"delivery_attempts": attempts, "deliveries": deliveries})
        return Step(deleted, place if found else None), place

    step, lease.place = await database.write(work)
    return step


async def count_deliveries(database: Database, *, before: int, after: Place | None) -> Step:
    """Count the deliveries that `purge_deliveries` would delete next. Raises DatabaseUnavailable."""
    place = after or _START

    async def work(tx: Transaction) -> Step:
        found = await tx.all(_PAYMENTS, before=before, **_bound(place), most=DELIVERIES_STEP)
        if not found:
            return Step(Counter(), None)
        (row,) = await tx.all_of(_COUNT_DELIVERIES, [row.id for row in found], before=before)
        return Step(Counter(deliveries=row.number), Place(found[-1].created_at, found[-1].id))

    return await database.read(work)


def _bound(place: Place) -> dict[str, object]:
    return {"after_created_at": place.created_at, "after_id": place.id}
