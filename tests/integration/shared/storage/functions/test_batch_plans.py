"""Plans of the functions for several calls, which an empty installation's first calls make."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from databases import copied
from payments import new_payment, queued
from races.functions import mistaken
from races.interleaving import open_transaction

from shared.payment.states import State
from shared.storage.db.calls import Call
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.schema.migrate import METADATA
from shared.storage.db.statement import Statement
from shared.storage.functions.accept_batch import ACCEPT_BATCH
from shared.storage.functions.accept_function import CALL_ACCEPT
from shared.storage.functions.claim_batch import CLAIM_BATCH
from shared.storage.functions.claim_function import CALL_CLAIM
from shared.storage.functions.function import Function
from shared.storage.functions.settle_batch import SETTLE_BATCH
from shared.storage.functions.settle_function import CALL_SETTLE

#: After so many calls PostgreSQL keeps a plan as it is.
_CALLS = 8
_ROWS = 2000
_SETTINGS = ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")

#: Rows of whole tables; with the rows that indexes led to.
_READ_AS_A_WHOLE = "seq_tup_read"
_READ = "seq_tup_read + COALESCE(idx_tup_fetch, 0)"
_READ_ROWS = (
    "SELECT COALESCE(sum({counted}), 0) AS rows FROM pg_stat_xact_user_tables"
    " WHERE relname IN ('payments', 'terminal_locks', 'events', 'evidence')"
)
_SEARCHES = Statement(
    "SELECT i.relname AS name, pg_stat_get_xact_numscans(i.oid) AS number FROM pg_index x"
    " JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = 'payments'::regclass"
)
_COLUMNS = ", ".join(each.name for each in METADATA.tables["payments"].columns if each.computed is None)
_ADD_PAYMENTS = Statement(
    f"INSERT INTO payments ({_COLUMNS}) SELECT {_COLUMNS} FROM"
    " (SELECT (jsonb_populate_record(p, jsonb_build_object('id', 'pay_' || n, 'operation_key', 'key ' || n,"
    " 'guard_key', 'key ' || n, 'terminal_address', 'address ' || n,"
    " 'state', CAST(:state AS TEXT), 'epoch', 1))).*"
    f" FROM payments p, generate_series(1, {_ROWS}) n WHERE p.id = :id) made"
)
_ADD_LOCKS = Statement(
    "INSERT INTO terminal_locks (address, epoch, claim, held_by)"
    " SELECT 'address ' || n, 1, 'token', CASE WHEN CAST(:state AS TEXT) = 'in_session' THEN 'pay_' || n END"
    f" FROM generate_series(1, {_ROWS}) n"
)

FUNCTIONS: list[tuple[Function, Call]] = [
    (ACCEPT_BATCH, CALL_ACCEPT),
    (CLAIM_BATCH, CALL_CLAIM),
    (SETTLE_BATCH, CALL_SETTLE),
]


@pytest.fixture
def postgres_copy(postgres_server_url: str, postgres_template: str) -> Iterator[str]:
    """A database that no test used before: autovacuum keeps statistics of rows that are long deleted."""
    with copied(postgres_server_url, postgres_template) as url:
        yield url


@dataclass(frozen=True)
class _Reads:
    """Rows that a call read of tables that have grown since the first calls, and its searches of payments."""

    rows: int
    searches: dict[str, int]


def _calls_of_three() -> str:
    return json.dumps(
        [
            {
                "number": number,
                **new_payment(order_id=f"{number}").values(),
                "operation_key": f"{number}",
                "terminal_address": f"address {number}",
                "detail": "{}",
                "payment_id": f"pay_{number}",
                "address": f"address {number}",
                "epoch": 1,
                "token": "token",
                "worker": "worker",
                "lease_ms": 1000,
                "event": "answered_refused",
                "state": "refused",
                "type": "payment.refused",
                "body_start": "",
                "body_middle": "",
                "body_end": "",
            }
            for number in range(3)
        ]
    )


async def _reads(
    database: Database, call: Call, counted: str = _READ_AS_A_WHOLE, state: State = State.QUEUED
) -> _Reads:
    read_rows = Statement(_READ_ROWS.format(counted=counted))
    some = _calls_of_three()

    async def so_far(tx: Transaction) -> _Reads:
        row = await tx.one(read_rows)
        assert row is not None
        return _Reads(int(row.rows), {each.name: each.number for each in await tx.all(_SEARCHES)})

    first = await queued(database)
    async with open_transaction(database) as tx:
        for _ in range(_CALLS):
            await tx.all(call.together, calls=some)
        await tx.run(_ADD_PAYMENTS, id=first, state=state)
        await tx.run(_ADD_LOCKS, state=state)
        before = await so_far(tx)
        await tx.all(call.together, calls=some)
        after = await so_far(tx)
    searches = {name: number - before.searches[name] for name, number in after.searches.items()}
    return _Reads(after.rows - before.rows, {name: number for name, number in searches.items() if number})


@pytest.mark.parametrize(("function", "call"), FUNCTIONS)
async def test_no_table_is_read_as_a_whole_once_it_has_grown(
    postgres_database: Database, function: Function, call: Call
) -> None:
    """Plans stay for as long as a connection, which may be older than the first thousand payments."""
    assert (await _reads(postgres_database, call)).rows < _ROWS


async def test_an_acceptance_does_not_search_all_payments_of_its_merchant(
    postgres_database: Database,
) -> None:
    """Before there are statistics an index that begins with the merchant looks as good as the operation's."""
    assert (await _reads(postgres_database, CALL_ACCEPT, _READ)).rows < _ROWS / 10


@pytest.mark.parametrize(
    ("call", "state"), [(CALL_CLAIM, State.QUEUED), (CALL_SETTLE, State.IN_SESSION)], ids=["claim", "settle"]
)
async def test_a_claim_and_a_settlement_read_their_own_payments_and_no_others(
    postgres_database: Database, call: Call, state: State
) -> None:
    """Before there are statistics an index of the queue or of open payments looks as good as the ids."""
    reads = await _reads(postgres_database, call, _READ, state)
    assert reads.rows < _ROWS / 40
    assert set(reads.searches) == {"payments_pkey"}


@pytest.mark.parametrize(("function", "call"), [FUNCTIONS[0], FUNCTIONS[2]])
async def test_without_their_settings_a_table_would_be_read_as_a_whole(
    postgres_database: Database, function: Function, call: Call
) -> None:
    """The test above can see it; claims would be read by indexes without them, too."""
    changes = {f"SET {name} TO 'off'": f"SET {name} TO 'on'" for name in _SETTINGS}
    async with mistaken(postgres_database, function, changes):
        assert (await _reads(postgres_database, call)).rows >= _ROWS
