"""Functions in PostgreSQL: with a deliberate mistake, and compared with the statements that do the same."""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final
from unittest.mock import patch

from payments import change, rows
from races.interleaving import eventually, open_transaction

from shared.storage.db.connections.postgres import PostgresConnection
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.schema.migrate import METADATA
from shared.storage.db.statement import Statement
from shared.storage.functions.function import LOCK_WAIT, TOGETHER_SETTINGS, Function

_STOP: Final = 20_260_001
_LOCK: Final = Statement(f"SELECT pg_advisory_lock({_STOP})")
_UNLOCK: Final = Statement(f"SELECT pg_advisory_unlock({_STOP})")
_AT_THE_STOP: Final = Statement(
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'"
)


@asynccontextmanager
async def mistaken(database: Database, function: Function, changes: Mapping[str, str]) -> AsyncIterator[None]:
    """Make a mistake in the function while the block runs: `changes` by what is replaced."""
    (row,) = await rows(
        database,
        "SELECT pg_get_functiondef(CAST(CAST(:name AS TEXT) AS regproc)) AS definition",
        name=function.name,
    )
    wrong = row.definition
    for old, new in changes.items():
        assert old in wrong, old
        wrong = wrong.replace(old, new)
    await _replace(database, wrong)
    try:
        yield
    finally:
        await _replace(database, row.definition)


async def _replace(database: Database, definition: str) -> None:
    # A statement's template has braces of its own.
    await change(database, definition.replace("{", "{{").replace("}", "}}"))


async def comparable(database: Database, *names: str, also: str) -> list[str]:
    """Return all rows that name one of these texts, and another text: `names`, times and ids left out."""
    found = [also]
    for table in METADATA.sorted_tables:
        all_rows = await rows(database, f"SELECT CAST(to_jsonb(t) AS TEXT) AS words FROM {table.name} t")
        found += [f"{table.name} {row.words}" for row in all_rows if any(name in row.words for name in names)]
    return sorted(_without(words, names) for words in found)


def _without(words: str, names: tuple[str, ...]) -> str:
    for number, name in enumerate(names):
        words = words.replace(name, f"NAME {number}")
    words = re.sub(r'"(id|event_number|number)": \d+', "ID", words)
    words = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "TIME", words)
    return re.sub(r"\d{13}", "TIME", words)


class Stop:
    """A stop inside a function: its first call waits there until `go`."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    async def reached(self) -> None:
        """Wait until a call stands at the stop."""

        async def is_reached() -> bool:
            return await self._tx.one(_AT_THE_STOP) is not None

        await eventually(is_reached)

    async def go(self) -> None:
        """Let the call go on, and every later one."""
        await self._tx.run(_UNLOCK)


@asynccontextmanager
async def stopped_in(other: Database, function: Function, before: str) -> AsyncIterator[Stop]:
    """Stop the function before one of its statements, which begins with `before`.

    `other` is a connection that does not call it.
    """
    stop = {before: f"PERFORM pg_advisory_xact_lock({_STOP}); {before}"}
    if TOGETHER_SETTINGS in function.definition:
        # The stop is a lock, too.
        stop[f"SET lock_timeout TO '{LOCK_WAIT}'"] = "SET lock_timeout TO '10s'"
    async with mistaken(other, function, stop), open_transaction(other) as tx:
        await tx.one(_LOCK)
        try:
            yield Stop(tx)
        finally:
            await tx.run(_UNLOCK)


@contextmanager
def counted_round_trips() -> Iterator[Callable[[], int]]:
    """Count what PostgreSQL is sent, BEGIN and COMMIT too; the block's value returns the number so far."""
    number = 0

    def counting(original: Any) -> Any:
        async def send(*arguments: Any) -> Any:
            nonlocal number
            number += 1
            return await original(*arguments)

        return send

    with (
        patch.object(PostgresConnection, "fetch", counting(PostgresConnection.fetch)),
        patch.object(PostgresConnection, "run_many", counting(PostgresConnection.run_many)),
        patch.object(PostgresConnection, "_do", counting(PostgresConnection._do)),
    ):
        yield lambda: number
