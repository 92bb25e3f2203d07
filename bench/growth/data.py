"""The stored data of an installation of any size, written by PostgreSQL itself.

What is open stays the same at every size: 100 payments, 40 held terminal locks, 50 waiting deliveries. What
was done grows. The row of number n has the same key in every table, so that one key finds a merchant, its
terminal, a payment, a delivery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

#: Payments that are open: the first 40 in session or in doubt, each with the lock of its terminal.
OPEN: Final = 100
HELD: Final = 40
#: Deliveries that wait, to ten endpoints.
WAITING: Final = 50
_YEAR_MS: Final = 31_536_000_000


@dataclass(frozen=True, slots=True)
class Installation:
    """The number of terminals and of all payments that an installation ever had."""

    terminals: int
    payments: int

    def __str__(self) -> str:
        return f"{self.terminals:,} terminals, {self.payments:,} payments"


def key(number: int) -> str:
    """Return the key of the row with this number."""
    return f"key_{number:012d}"


_KEY: Final = "'key_' || lpad(({})::text, 12, '0')"
_NOW: Final = "(extract(epoch from now()) * 1000)::bigint"


def _key(expression: str) -> str:
    return _KEY.format(expression)


def _statements(size: Installation) -> list[str]:
    terminals, payments = size.terminals, size.payments
    merchants = max(2, terminals // 4)
    # A quarter of the terminals belongs to the first merchant.
    merchant_of = f"CASE WHEN ({{0}}) % 4 = 1 THEN 1 ELSE 2 + ({{0}}) % {merchants - 1} END"
    of_terminal = _key(merchant_of.format("n"))
    # The queued payments wait for held terminals, and for as many that are free.
    terminal = f"CASE WHEN n <= {OPEN} THEN (n - 1) % {2 * HELD} ELSE (n - 1) % {terminals} END + 1"
    of_payment = _key(merchant_of.format(terminal))
    state = (
        f"CASE WHEN n <= {HELD * 3 // 4} THEN 'in_session' WHEN n <= {HELD} THEN 'in_doubt'"
        f" WHEN n <= {OPEN} THEN 'queued' WHEN n % 10 = 0 THEN 'declined' ELSE 'succeeded' END"
    )
    is_open, waits = f"n <= {OPEN}", f"n <= {WAITING}"
    created = f"CASE WHEN {is_open} THEN {_NOW} - 30000 ELSE {_NOW} - n::bigint * {_YEAR_MS} / {payments} END"
    target = f"CASE WHEN {waits} THEN {_key('1 + n % 10')} ELSE {of_payment} END"
    each = "FROM generate_series(1, {}) AS n".format
    return [
        (
            f"INSERT INTO merchants (id, name, networks, created_at) SELECT {_key('n')}, 'Bakery', '[]', 0"
            f" {each(merchants)}"
        ),
        (
            f"INSERT INTO credentials (id, kind, merchant_id, secret_hash, created_at) SELECT {_key('n')},"
            f" 'private', {_key('n')}, '', 0 {each(merchants)}"
        ),
        (
            f"INSERT INTO merchant_usage (merchant_id, day, order_bytes) SELECT {_key('n')}, day, 1000"
            f" {each(merchants)}, generate_series(1, 31) AS day"
        ),
        f"INSERT INTO feeds (merchant_id, position) SELECT {_key('n')}, {payments} {each(merchants)}",
        (
            "INSERT INTO webhook_endpoints (id, merchant_id, url, created_at, changed_at, disabled_at)"
            f" SELECT {_key('n')}, {_key('n')}, 'https://pos.example/hooks', n, 0,"
            f" CASE WHEN n % 10 = 0 THEN 1 END {each(merchants)}"
        ),
        (
            f"INSERT INTO webhook_secrets (endpoint_id, encrypted, created_at) SELECT {_key('n')}, '', 0"
            f" {each(merchants)}"
        ),
        f"INSERT INTO workers (id, counter) SELECT {_key('n')}, 1 {each(8)}",
        (
            "INSERT INTO terminals (merchant_id, id, label, host, port, terminal_address, protocol, profile,"
            f" pos_number, created_at) SELECT {of_terminal}, {_key('n')}, 'Till',"
            f" {_key('n')}, 8888, {_key('n')},"
            f" 'ConcertV3.2', '{{}}', '01', 0 {each(terminals)}"
        ),
        (
            "INSERT INTO terminal_locks (address, held_by, worker, claim, epoch, acquired_at, answered_at)"
            f" SELECT {_key('n')}, CASE WHEN n <= {HELD} THEN {_key('n')} END,"
            f" CASE WHEN n <= {HELD} THEN {_key('1 + n % 8')} END, CASE WHEN n <= {HELD} THEN"
            f" {_key('n')} END, 1,"
            f" CASE WHEN n <= {HELD} THEN {_NOW} - 20000 END, {_NOW} - 60000 {each(terminals)}"
        ),
        (
            "INSERT INTO probes (id, merchant_id, terminal_id, terminal_address, protocol,"
            " profile, pos_number,"
            f" state, result, created_at, deadline_at, ended_at) SELECT {_key('n')},"
            f" {of_terminal}, {_key('n')},"
            f" {_key('n')}, 'ConcertV3.2', '{{}}', '01', 'ended', 'reachable',"
            f" {_NOW} - n::bigint * 86000000 / {terminals}, 0, 1 {each(terminals)}"
        ),
        (
            "INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, guard_key,"
            " idempotency_key, state, amount_cents, currency, protocol, force_authorization, host, port,"
            " terminal_address, pos_number, profile, request, reply_to, worker, epoch,"
            " created_at, deadline_at,"
            f" published_at, claimed_at, ended_at, doubted_at) SELECT {_key('n')}, {of_payment}, {_key('n')},"
            f" 'debit', {_key('n')}, CASE WHEN {state} <> 'declined' THEN {_key('n')} END,"
            f" {_key('n')}, {state},"
            f" 899, 'EUR', 'ConcertV3.2', false, {_key(terminal)}, 8888, {_key(terminal)}, '01', '{{}}',"
            f" repeat('x', 200), 'replies', {_key('1')}, 1, {created},"
            f" {created} + CASE WHEN n % 10 = 1 THEN 20000 ELSE 600000 END, {created},"
            f" CASE WHEN n <= {HELD} OR NOT {is_open} THEN {created} + 100 END,"
            f" CASE WHEN NOT {is_open} THEN {created} + 9000 END,"
            f" CASE WHEN {state} = 'in_doubt' THEN {created} + 9000 END {each(payments)}"
        ),
        (
            "INSERT INTO idempotency_keys SELECT merchant_id, idempotency_key, order_id, operation,"
            " amount_cents, currency, created_at FROM payments"
        ),
        (
            "INSERT INTO payment_events (payment_id, at, event, state, detail) SELECT id, created_at + step,"
            " 'accepted', state, '{}' FROM payments, generate_series(1, 2) AS step"
        ),
        (
            "INSERT INTO evidence (payment_id, at, source, proves, detail) SELECT id, created_at, 'gateway',"
            " 'proved_done', '{}' FROM payments WHERE right(id, 1) = '1'"
        ),
        (
            "INSERT INTO gateway_records (source, record_id, payment_id, content, at) SELECT"
            " 'gateway', id, id,"
            " '{}', created_at FROM payments WHERE right(id, 1) = '1'"
        ),
        (
            "INSERT INTO responses (id, payment_id, at, status, code, request, credential) SELECT id, id,"
            " created_at, 200, 'Success', 'POST /v1/connector/order', merchant_id FROM payments"
        ),
        (
            "INSERT INTO totalled_days (zone, day, starts_at, ends_at) SELECT 'Europe/Paris', n,"
            f" n * 86400000::bigint, (n + 1) * 86400000::bigint {each(365)}"
        ),
        (
            "INSERT INTO day_totals (totalled_day, merchant_id, operation, application, count, cents,"
            " open_count, open_cents, contradicted_count, contradicted_cents)"
            f" SELECT 1 + n % 365, {_key('n')}, 'debit', '001', 1, 1, 0, 0, 0, 0 {each(payments)}"
        ),
        # A tenth of the events was never read, and a thousand at least.
        (
            "INSERT INTO events (number, merchant_id, payment_id, sequence, type, at, body, position)"
            f" SELECT n, {of_payment}, {_key('n')}, 1, 'payment.succeeded', {created}, repeat('x', 200),"
            f" CASE WHEN n > {max(1000, payments // 10)} THEN n END {each(payments)}"
        ),
        "SELECT setval(pg_get_serial_sequence('events', 'number'), max(number)) FROM events",
        (
            "INSERT INTO deliveries (id, kind, target, merchant_id, payment_id, event_number, type, sequence,"
            f" state, created_at, since_at, due_at, publish_at, tried_at, ended_at) SELECT {_key('n')},"
            f" 'merchant', {target}, {of_payment}, {_key('n')}, n, 'payment.succeeded', 1,"
            f" CASE WHEN {waits} THEN 'waiting' WHEN n % 1000 = 0 THEN 'dead' ELSE"
            f" 'delivered' END, {created},"
            f" {created}, {created}, {created}, CASE WHEN NOT {waits} THEN {created} END,"
            f" CASE WHEN NOT {waits} THEN {created} END {each(payments)}"
        ),
        (
            "INSERT INTO delivery_attempts (delivery_id, at, duration_ms, status) SELECT id,"
            " created_at, 20, 200"
            " FROM deliveries WHERE state <> 'waiting'"
        ),
        (
            "INSERT INTO audit_trail (at, by, action, detail) SELECT 0, 'operator', 'suspended', '{}'"
            f" {each(terminals)}"
        ),
    ]


async def fill(connection: asyncpg.Connection, size: Installation) -> None:
    """Fill the tables of a migrated, empty database."""
    await fill_tables(connection, _statements(size))


async def fill_tables(connection: asyncpg.Connection, statements: Sequence[str]) -> None:
    """Fill tables by these statements. The connection checks no foreign keys from then on.

    Indexes are built after the rows, which takes a fraction of the time.
    """
    # A superuser's setting: the rows refer to each other as they should.
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("SET synchronous_commit = off")
    indexes = await connection.fetch(
        "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition FROM pg_index"
        " WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
        " AND NOT indisprimary AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)"
    )
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    for statement in statements:
        await connection.execute(statement)
    for index in indexes:
        await connection.execute(index["definition"])
    await connection.execute("VACUUM ANALYZE")
