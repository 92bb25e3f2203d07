"""Shell of an operator who types what the handbook prints, against a PostgreSQL of the test."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from running.fleet import REPOSITORY
from running.printed_commands import Step, steps_of
from running.private_servers import postgres_programs

from sandbox.servers.private.children import unprivileged_account
from shared.settings.fields import variable

TYPED_SECONDS = 120
#: PostgreSQL's programs that refuse to run as root, and the files that they read.
AS_THE_SERVER = ("pg_basebackup", "pg_ctl", "cp --recursive base")


def page(name: str) -> list[Step]:
    """Return the steps of a page of the handbook."""
    return steps_of((REPOSITORY / "docs" / "operations" / name).read_text())


class OperatorShell:
    """Types in a folder; `database` is the one that libpq's variables and ours name."""

    def __init__(self, folder: Path, url: str, database: str, **settings: str) -> None:
        self._folder = folder
        self._place = urlsplit(url)
        self._settings = settings
        self._programs = postgres_programs()
        self.database = database

    def url(self, database: str) -> str:
        return self._place._replace(path=f"/{database}").geturl()

    def type(self, step: Step, replaced: Mapping[str, str] | None = None) -> str:
        """Run a step to its end; return what it printed, which is what the page shows."""
        text, answer = step.commands, step.answer
        for old, new in (replaced or {}).items():
            text, answer = text.replace(old, new), answer.replace(old, new)
        account = unprivileged_account() if step.commands.startswith(AS_THE_SERVER) else None
        done = subprocess.run(
            ["bash", "-euc", text],
            cwd=self._folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=TYPED_SECONDS,
            user=None if account is None else account.user_id,
            group=None if account is None else account.group_id,
            extra_groups=None if account is None else [],
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}"
        shown = Step(text, answer)
        assert shown.found_in(done.stdout) is not None, f"shown:\n{answer}\nanswered:\n{done.stdout}"
        return done.stdout

    def _environment(self) -> dict[str, str]:
        libraries = self._programs.libraries
        return {
            **os.environ,
            **{variable(name): text for name, text in self._settings.items()},
            variable("database_url"): self.url(self.database),
            "PATH": f"{sys.prefix}/bin:{self._programs.commands}:{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "PGHOST": self._place.hostname or "",
            "PGPORT": str(self._place.port),
            "PGUSER": self._place.username or "",
            "PGDATABASE": self.database,
            "LC_ALL": "C.UTF-8",
            **({"LD_LIBRARY_PATH": libraries} if libraries else {}),
        }
