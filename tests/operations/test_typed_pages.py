"""Commands of the handbook's shorter pages, typed as printed."""

from pathlib import Path

import pytest
from databases import Store
from operator_shell import OperatorShell, page


@pytest.mark.parametrize("name", ["scale.md", "troubleshooting.md", "upgrade.md"])
def test_the_commands_answer_as_the_page_shows(name: str, postgres_store: Store, tmp_path: Path) -> None:
    """On an installation without open payments, of this release."""
    server, _, database = postgres_store.url.rpartition("/")
    shell = OperatorShell(tmp_path, server, database)
    steps = page(name)

    for step in steps:
        shell.type(step)

    assert steps
