"""Database URLs, `postgresql+asyncpg://...` and `sqlite+aiosqlite:///PATH`, as SQLAlchemy reads them.

Read here, since only SQLite and migrations load SQLAlchemy: it is a quarter of the time that a process needs
to start, and 20 MB.
"""

import re
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote

from shared.storage.db.statement import Dialect

_URL: Final = re.compile(
    r"""
    [\w+]+://
    (?: (?P<user>[^:/]*) (?: :(?P<password>[^@]*) )? @ )?
    (?: \[(?P<ipv6>[^/?]+)\] | (?P<host>[^/:?]+) )?
    (?: :(?P<port>[^/?]*) )?
    (?: /(?P<database>[^?]*) )?
    (?: \?(?P<query>.*) )?
    """,
    re.VERBOSE,
)


#: Arguments of the query that asyncpg takes as text; our own time-outs are no setting of the address.
_QUERY: Final = frozenset(
    {
        "host",
        "port",
        "ssl",
        "passfile",
        "service",
        "servicefile",
        "target_session_attrs",
        "krbsrvname",
        "gsslib",
    }
)
_SSL: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def url_problem(url: str) -> str | None:
    """Return why no process can connect to the URL, as the end of a sentence about it; None: it may."""
    if _URL.fullmatch(url) is None:
        return "is not a URL of one line; write special characters of a password as %XX"
    if "@" in (_parts(url)["host"] or ""):
        # The rest of a password, which a failed look-up would name.
        return "must have @ in a password written as %40"
    if dialect_of(url) == "sqlite":
        # One in memory would be another one for each process.
        return "must name a file: sqlite+aiosqlite:///PATH" if sqlite_path(url) is None else None
    try:
        asyncpg_arguments(url)
    except ValueError:
        return "must have a number as its port; write [ and ] around an IPv6 address"
    query = parse_qs(_parts(url)["query"] or "")
    unknown = sorted(query.keys() - _QUERY)
    if unknown:
        return f"has an unknown argument {unknown[0]}; known are {', '.join(sorted(_QUERY))}"
    if not set(query.get("ssl", ())) <= set(_SSL):
        return f"must have one of {', '.join(_SSL)} as its ssl"
    return None


def dialect_of(url: str) -> Dialect:
    return "sqlite" if url.startswith("sqlite") else "postgresql"


def sqlite_path(url: str) -> Path | None:
    """Return the file of an embedded database; None for PostgreSQL and for a database in memory."""
    database = _parts(url)["database"] or ""
    in_memory = database in ("", ":memory:") or database.startswith("file:")
    return None if dialect_of(url) != "sqlite" or in_memory else Path(database)


def heartbeats_url(url: str) -> str:
    """Return the URL of this database's heartbeats: its own, or for SQLite `...-heartbeats.db`."""
    if dialect_of(url) != "sqlite":
        return url
    file, mark, query = url.partition("?")
    return f"{file.removesuffix('.db')}-heartbeats.db{mark}{query}"


def asyncpg_arguments(url: str) -> dict[str, Any]:
    """Return what asyncpg's `connect` takes for a PostgreSQL: where it is, and the query's own arguments."""
    parts = _parts(url)
    found: dict[str, Any] = {
        "host": parts["ipv6"] or parts["host"],
        "port": int(parts["port"]) if parts["port"] else None,
        "user": parts["user"],
        "password": parts["password"],
        "database": parts["database"],
    }
    query = parse_qs(parts["query"] or "")
    found |= _hosts(query.pop("host", []), query.pop("port", []))
    found |= {name: values[-1] for name, values in query.items()}
    return {name: value for name, value in found.items() if value}


def _hosts(hosts: list[str], ports: list[str]) -> dict[str, Any]:
    """Return the query's host or socket folder, or several to try in turn, with their ports.

    `?host=one:5432&host=other:5432` and `?host=one,other&port=5432,5432` are the same.
    """
    pairs = [text.partition(":") for listed in hosts for text in listed.split(",")]
    found: dict[str, list[Any]] = {
        "host": [host for host, *_ in pairs],
        "port": [int(port) for *_, port in pairs if port]
        or [int(port) for listed in ports for port in listed.split(",")],
    }
    return {name: many[0] if len(many) == 1 else many for name, many in found.items() if many}


def _parts(url: str) -> dict[str, str | None]:
    found = _URL.fullmatch(url)
    assert found is not None, "the settings have checked it"
    parts = found.groupdict()
    return {
        name: unquote(text) if text and name in ("user", "password", "database") else text
        for name, text in parts.items()
    }
