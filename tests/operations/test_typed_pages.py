"""Commands of the handbook's shorter pages, typed as printed."""

from pathlib import Path

import pytest
from databases import Store
from payments import ADDRESS, MERCHANT, change, in_doubt
from running.operator_shell import OperatorShell, page
from stored.deliveries import add_endpoint_row, add_waiting
from stored.merchants import create_merchant

from shared.storage.db.engine import Database


@pytest.mark.parametrize("name", ["scale.md", "upgrade.md"])
def test_the_commands_answer_as_the_page_shows(name: str, postgres_store: Store, tmp_path: Path) -> None:
    """On an installation without open payments, of this release."""
    shell = shell_of(postgres_store, tmp_path)
    steps = page(name)

    for step in steps:
        shell.type(step)

    assert steps


async def test_the_queries_for_a_bad_night_find_what_is_wrong(
    postgres_store: Store, postgres_database: Database, tmp_path: Path
) -> None:
    """A terminal that is held, a payment in doubt, a webhook that waits, a target that is paused."""
    await create_merchant(postgres_database, MERCHANT, "Shop", [])
    claimed = await in_doubt(postgres_database)
    endpoint = await add_endpoint_row(postgres_database, MERCHANT)
    await add_waiting(postgres_database, MERCHANT, endpoint)
    await change(
        postgres_database,
        "INSERT INTO delivery_targets (id, failures, paused_until) VALUES (:id, 5, {now} + 60000)",
        id=endpoint,
    )
    shell = shell_of(postgres_store, tmp_path)

    busy, doubts, late = (shell.type(step) for step in page("troubleshooting.md"))

    assert f"{ADDRESS}|" in busy
    assert f"|{claimed.payment.id}\n" in busy
    assert "\nconnection_lost|1|1|" in doubts
    assert f"\nmerchant|{endpoint}|1|" in late
    assert f"\n{endpoint}|5|20" in late


def shell_of(store: Store, folder: Path) -> OperatorShell:
    server, _, database = store.url.rpartition("/")
    return OperatorShell(folder, server, database)
