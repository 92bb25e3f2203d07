"""The command line of an operator: over HTTP with a credential, or on the machine with the database."""

import json
from dataclasses import dataclass
from typing import Any

from databases import Store
from in_memory.written_log import logging_restored
from running.served_api import ServedApi
from typer.testing import CliRunner, Result

from cli.main import app
from shared.security.credentials import CredentialKind
from shared.settings.fields import variable


@dataclass(frozen=True)
class Command:
    """A command line with its environment, at 80 columns."""

    environ: dict[str, str]

    def run(self, *words: str, code: int = 0, typed: str | None = None) -> Result:
        """Run a verb; fail where its exit code is another one."""
        with logging_restored():
            ran = CliRunner().invoke(app, words, env={**self.environ, "COLUMNS": "80"}, input=typed)
        assert ran.exit_code == code, (ran.exit_code, ran.output, ran.exception)
        return ran

    def rows(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        """Return the lines of JSON that a verb prints."""
        return [json.loads(line) for line in self.run(*words, "--json", code=code).stdout.splitlines()]

    def row(self, *words: str) -> dict[str, Any]:
        """Return the one line of JSON that a verb prints."""
        (found,) = self.rows(*words)
        return found


def on_machine(store: Store) -> Command:
    """Return the command line on the machine with the database."""
    return Command(
        {
            "XDG_CONFIG_HOME": "/nowhere",
            variable("database_url"): store.url,
            variable("secret_key"): "a key for tests, 32 characters long",
        }
    )


def over_http(served: ServedApi, kind: CredentialKind, merchant_id: str | None = None) -> Command:
    """Return the command line with a new credential of this kind."""
    name, secret = served.run(served.api.login(kind, merchant_id))
    return Command(
        {"XDG_CONFIG_HOME": "/nowhere", "CT_URL": served.url, "CT_USERNAME": name, "CT_SECRET": secret}
    )
