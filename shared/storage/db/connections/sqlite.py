"""SQLite's file: its connections, durable and for its owner alone."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.ext.asyncio import create_async_engine

from shared.storage.db.connections.alchemy import AlchemyPool
from shared.storage.db.connections.connection import POOL_SECONDS
from shared.storage.db.connections.private_files import make_private
from shared.storage.db.connections.urls import sqlite_path

#: Wait for another process's writer.
SQLITE_BUSY_SECONDS: Final = 5.0
READERS: Final = 4


def sqlite_pools(
    url: str, async_creator: Callable[[], Awaitable[Any]] | None = None
) -> tuple[AlchemyPool, AlchemyPool]:
    """Return the pools of the writer and of the readers; `async_creator` replaces the driver's connect."""
    extra: dict[str, Any] = {} if async_creator is None else {"async_creator": async_creator}
    extra |= {"max_overflow": 0, "pool_timeout": POOL_SECONDS, "hide_parameters": True}
    writer = create_async_engine(url, pool_size=1, **extra)
    reader = create_async_engine(url, pool_size=READERS, **extra)
    path = sqlite_path(url)
    for engine in (writer, reader):
        event.listen(engine.sync_engine, "connect", _prepare)
        if path is not None:
            # Returning None leaves the connecting to the driver.
            event.listen(engine.sync_engine, "do_connect", lambda *_: make_private(path))
    # The reader begins no transaction: each of its statements sees the newest commit.
    event.listen(writer.sync_engine, "begin", _begin_immediate)
    return AlchemyPool(writer), AlchemyPool(reader, READERS)


def _prepare(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {int(SQLITE_BUSY_SECONDS * 1000)}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
    # SQLite's own knows ASCII alone: names with accents would be found in their very case only, or never.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
