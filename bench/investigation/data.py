"""A year of payments of a thousand merchants, written by PostgreSQL itself; a quarter is the first's.

Beside them a day of one busy terminal, a sale every 20 seconds.
"""

from typing import Final

import asyncpg

from bench.growth.data import fill_tables

MERCHANTS: Final = 1_000
TERMINALS: Final = 20_000
#: Its day, some days ago.
BUSY_TERMINAL: Final = "10.9.0.1:8888"
BUSY_DAYS_AGO: Final = 3
_BUSY_SALES: Final = 4_320
_DAY_MS: Final = 86_400_000
YEAR_MS: Final = 31_536_000_000

_NOW: Final = "(extract(epoch from now()) * 1000)::bigint"
#: A payment every so often, by day and by night; each millisecond differs.
_CREATED: Final = f"{_NOW} - n::bigint * {YEAR_MS} / {{payments}}"
_MERCHANT: Final = f"'mer_' || CASE WHEN n % 4 = 0 THEN 1 ELSE 2 + n % {MERCHANTS - 1} END"
_TERMINAL: Final = f"'10.0.0.' || (n * 7919 % {TERMINALS}) || ':8888'"
_BUSY_CREATED: Final = (
    f"{_NOW} / {_DAY_MS} * {_DAY_MS} - {BUSY_DAYS_AGO * _DAY_MS} + n * {_DAY_MS // _BUSY_SALES}"
)
_AMOUNT: Final = "100 + n * 6151 % 20000"
#: A tenth is refused, one in a thousand contradicted.
_STATE: Final = "CASE WHEN n % 10 = 0 THEN 'refused' ELSE 'succeeded' END"


def statements(payments: int) -> list[str]:
    """Return the statements that fill a migrated, empty database."""
    return [
        (
            "INSERT INTO merchants (id, name, networks, created_at)"
            f" SELECT 'mer_' || n, 'Bakery', '[]', 0 FROM generate_series(1, {MERCHANTS}) AS n"
        ),
        _payments("order", payments, _MERCHANT, _TERMINAL, _CREATED.format(payments=payments)),
        _payments("busy", _BUSY_SALES, "'mer_2'", f"'{BUSY_TERMINAL}'", _BUSY_CREATED),
    ]


def _payments(prefix: str, count: int, merchant: str, terminal: str, created: str) -> str:
    """Return the statement that writes payments of the orders `prefix-1` and so on."""
    return (
        "INSERT INTO payments (id, merchant_id, order_id, operation, operation_key, guard_key, state,"
        " amount_cents, paid_cents, currency, protocol, force_authorization, host, port,"
        " terminal_address, pos_number, profile, request, worker, epoch, created_at, deadline_at,"
        " published_at, claimed_at, ended_at, authorisation_number, masked_card, application,"
        " contradicted, receipt)"
        f" SELECT '{prefix}_' || lpad(n::text, 26, '0'), {merchant}, '{prefix}-' || n, 'debit',"
        f" 'debit:{prefix}-' || n, 'debit:{prefix}-' || n, {_STATE}, {_AMOUNT}, {_AMOUNT},"
        f" 'EUR', 'ConcertV3.2', false, '10.0.0.1', 8888, {terminal}, '01', '{{}}', repeat('x', 400),"
        f" 'worker', 1, {created},"
        f" {created} + 30000, {created}, {created} + 100, {created} + 9000,"
        " lpad((n * 7507 % 1000000)::text, 6, '0'),"
        " '497010******' || lpad((n * 4001 % 10000)::text, 4, '0'), '00' || n % 3, n % 1000 = 7,"
        f" 'TICKET ' || n FROM generate_series(1, {count}::bigint) AS n"
    )


async def fill(connection: asyncpg.Connection, payments: int) -> None:
    """Fill a migrated, empty database."""
    await fill_tables(connection, statements(payments))
