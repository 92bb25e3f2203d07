"""The start of processes: what they load, counted in modules, since seconds are the machine's."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

#: Only migrations need these, or SQLite.
OF_MIGRATIONS: Final = {"alembic", "mako", "sqlmodel"}
OF_SQLITE: Final = {"aiosqlite", "sqlalchemy"}
#: Only the API and the sandbox have a web framework, only the command line has one for commands.
FRAMEWORKS: Final = {"fastapi", "starlette", "httpx", "jinja2", "typer"}

#: Loads a process's root and opens its database; prints what was imported.
_START: Final = """
import importlib, sys
importlib.import_module(sys.argv[1])
from shared.storage.db.opening import open_database
open_database(sys.argv[2])
print(*{name.partition(".")[0] for name in sys.modules})
"""


def loaded(root: str, url: str) -> set[str]:
    """Return the packages that a process has loaded once it has a database."""
    ran = subprocess.run(
        [sys.executable, "-c", _START, root, url], capture_output=True, text=True, check=True, timeout=120
    )
    return set(ran.stdout.split())


@pytest.mark.parametrize("root", ["terminal_worker.main", "notifier_worker.main"])
def test_a_worker_on_postgresql_loads_neither_sqlalchemy_nor_a_framework(root: str) -> None:
    """They would be half of its start."""
    packages = loaded(root, "postgresql+asyncpg://u@127.0.0.1/d")

    assert "asyncpg" in packages
    assert packages & (OF_MIGRATIONS | OF_SQLITE | FRAMEWORKS) == set()


def test_a_worker_on_sqlite_loads_no_migrations(tmp_path: Path) -> None:
    """The tables are in the statements; a migration is a command of its own."""
    packages = loaded("terminal_worker.main", f"sqlite+aiosqlite:///{tmp_path}/shop.db")

    assert packages >= OF_SQLITE
    assert packages & (OF_MIGRATIONS | FRAMEWORKS) == set()


def test_the_api_loads_one_framework_and_no_migrations() -> None:
    """FastAPI, which it needs."""
    packages = loaded("api.main", "postgresql+asyncpg://u@127.0.0.1/d")

    assert packages & (OF_MIGRATIONS | OF_SQLITE | {"httpx", "jinja2", "typer"}) == set()
