"""The cost of a payment's rows in PostgreSQL, with and without what only investigations need."""

from collections.abc import Sequence
from typing import Final

import asyncpg

#: The indexes that only investigations use.
INDEXES: Final = (
    "payments_by_age",
    "payments_by_terminal",
    "payments_by_card",
    "payments_by_authorisation",
    "payments_without_card",
)
#: Statements that take something away, for one transaction.
_WITHOUT: Final = {
    "as it is": (),
    "without these indexes": tuple(f"DROP INDEX {name}" for name in INDEXES),
    "without payments_without_card": ("DROP INDEX payments_without_card",),
    "without the triggers of late changes": ("ALTER TABLE payments DISABLE TRIGGER USER",),
}
_BATCH: Final = 500
_ROUNDS: Final = 10

_OF_THEM: Final = "WHERE id IN (SELECT 'new_' || n FROM generate_series(1, 500) AS n)"

_NOW: Final = "(extract(epoch from now()) * 1000)::bigint"
#: The three writes of a payment: its insert, its claim, its result.
_INSERT: Final = (
    "INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, guard_key, state,"
    " amount_cents, currency, protocol, force_authorization, host, port, terminal_address, pos_number,"
    " profile, request, created_at, deadline_at, published_at) SELECT 'new_' || n,"
    " 'mer_' || 1 + n % 900, 'new-' || n, 'debit',"
    " 'debit:new-' || n, 'debit:new-' || n, 'queued', 100 + n, 'EUR', 'ConcertV3.2', false, '10.0.0.1', 8888,"
    " '10.0.0.' || (n * 7919 % 20000) || ':8888', '01', '{}', repeat('x', 400),"
    " (extract(epoch from now()) * 1000)::bigint + n, 0, 0 FROM generate_series(1, 500) AS n"
)
_CLAIM: Final = (
    f"UPDATE payments SET state = 'in_session', claimed_at = {_NOW}, worker = 'w', epoch = 1 {_OF_THEM}"
)
_RESULT: Final = (
    f"UPDATE payments SET state = 'succeeded', ended_at = {_NOW}, paid_cents = amount_cents,"
    " masked_card = '497010******' || lpad((amount_cents * 4001 % 10000)::text, 4, '0'),"
    f" authorisation_number = lpad((amount_cents * 7507 % 1000000)::text, 6, '0') {_OF_THEM}"
)
_WRITES: Final = (_INSERT, _CLAIM, _RESULT)


async def _microseconds(connection: asyncpg.Connection, without: Sequence[str]) -> float:
    """Return PostgreSQL's own time for the writes of one payment; everything is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        for statement in without:
            await connection.execute(statement)
        total = 0.0
        for write in _WRITES:
            explained = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) {write}")
            total += next(
                float(row[0].split()[2]) for row in explained if row[0].startswith("Execution Time")
            )
        return total * 1000 / _BATCH
    finally:
        await transaction.rollback()


async def microseconds_without(connection: asyncpg.Connection) -> dict[str, float]:
    """Return the microseconds of a payment as it is and without each thing: the least of rounds, in turns."""
    # The connection that filled the tables runs no triggers.
    await connection.execute("SET session_replication_role = DEFAULT")
    rounds = [
        {what: await _microseconds(connection, without) for what, without in _WITHOUT.items()}
        for _ in range(_ROUNDS)
    ]
    return {what: min(each[what] for each in rounds) for what in _WITHOUT}
