"""Repeats of a transaction, where the database asks for them, up to their limit."""

import asyncio
import random
import sqlite3
from typing import Any, cast

import pytest
from sqlalchemy.exc import DBAPIError

from shared.storage.db.engine import WRITE_TRIES, ConnectionLost, Database, DatabaseUnavailable, Transaction


def _locked() -> DBAPIError:
    return DBAPIError("BEGIN", None, sqlite3.OperationalError("database is locked"))


async def _nothing(_: Transaction) -> None:
    raise AssertionError("no try gets so far")


@pytest.mark.parametrize(
    "last",
    [pytest.param(_locked(), id="locked"), pytest.param(ConnectionLost("gone"), id="connection lost")],
)
async def test_a_last_try_that_fails_means_unavailable(
    last: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that is lost at the last of many tries is no error of the code."""
    database = Database(cast("Any", None), cast("Any", None), "postgresql", random.Random(1))
    ends: list[Exception] = [*(_locked() for _ in range(WRITE_TRIES - 1)), last]

    async def fail(_work: object) -> None:
        raise ends.pop(0)

    async def no_pause(_seconds: float) -> None:
        return

    monkeypatch.setattr(database, "_write_once", fail)
    monkeypatch.setattr(asyncio, "sleep", no_pause)

    with pytest.raises(DatabaseUnavailable):
        await database.write(_nothing)

    assert ends == []
