"""Type of a deliberate mistake, and a statement with other words."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from shared.storage.db.statement import Statement

#: Makes the mistake while its block runs.
Mistake = Callable[[], AbstractContextManager[object]]


def changed(statement: Statement, *parts: tuple[str, str]) -> Statement:
    """Return a statement with some words changed; the words must be there."""
    sql = statement.on("sqlite")
    for old, new in parts:
        assert old in sql, f"{old!r} is not in {sql!r}"
        sql = sql.replace(old, new)
    return Statement(sql.replace("{", "{{").replace("}", "}}"))
