"""Database URLs mean what they mean to SQLAlchemy, which migrations read them with."""

from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from shared.storage.db.connections.urls import asyncpg_arguments, sqlite_path


@pytest.mark.parametrize(
    "rest",
    [
        "us%40er:p%2Fw@[::1]:5433/db?ssl=require",
        "u:p#/x?y@h/db",
        "u@h:5/d%20b?ssl=verify-full&timeout=3",
        "h",
        ":p@h/d",
        "u:@h/",
        "/db?host=/run/postgresql&port=5433",
        "u:p@/db?host=one:1&host=other:2",
        "u:p@/db?host=one,other&port=1,2",
        "u:p@h:6/db?host=one",
        "u:p@h/db?host=one:7",
    ],
)
def test_asyncpg_connects_where_sqlalchemy_would(rest: str) -> None:
    """Accounts with any characters, sockets, several hosts, arguments of the driver."""
    url = f"postgresql+asyncpg://{rest}"

    _, expected = make_url(url).get_dialect()().create_connect_args(make_url(url))

    assert asyncpg_arguments(url) == expected


@pytest.mark.parametrize(
    ("rest", "file"),
    [
        ("data/shop.db", "data/shop.db"),
        ("/var/a%20b.db?timeout=3", "/var/a b.db"),
        (":memory:", None),
        ("", None),
    ],
)
def test_an_embedded_database_is_the_file_that_sqlalchemy_opens(rest: str, file: str | None) -> None:
    """Relative, absolute, escaped; none for a database in memory."""
    url = f"sqlite+aiosqlite:///{rest}"

    assert sqlite_path(url) == (None if file is None else Path(file))
    assert file is None or make_url(url).database == file
