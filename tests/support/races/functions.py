"""Functions in PostgreSQL: with a deliberate mistake, and compared with the statements that do the same."""

import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from unittest.mock import patch

from payments import change, rows

from shared.storage.db.engine import Database
from shared.storage.db.migrate import METADATA
from shared.storage.db.postgres import PostgresConnection
from shared.storage.functions.function import Function


@asynccontextmanager
async def mistaken(database: Database, function: Function, changes: Mapping[str, str]) -> AsyncIterator[None]:
    """Make a mistake in the function while the block runs: `changes` by what is replaced."""
    wrong = function.definition
    for old, new in changes.items():
        assert old in wrong
        wrong = wrong.replace(old, new)
    await _replace(database, wrong)
    try:
        yield
    finally:
        await _replace(database, function.definition)


async def _replace(database: Database, definition: str) -> None:
    words = definition.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")
    # A statement's template has braces of its own.
    await change(database, words.replace("{", "{{").replace("}", "}}"))


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
    return re.sub(r"\d{13}", "TIME", words)


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
