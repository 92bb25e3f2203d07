"""Command `cloud-terminal purge`."""

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from cli.remote.output import AsJson, Yes

if TYPE_CHECKING:
    from shared.settings.settings import Settings
    from shared.storage.retention.run import Kept


def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only; delete nothing.")] = False,
    payment_days: Annotated[
        int | None, typer.Option(min=31, help="Days that payments are kept; by default as the settings say.")
    ] = None,
    delivery_days: Annotated[
        int | None, typer.Option(min=1, help="Days that deliveries are kept; by default as the settings say.")
    ] = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete payments and deliveries that are older than the settings say, in short steps.

    Payments in doubt or contradicted by a proof are never deleted. The workers
    do the same once a day. Killed in the middle, it goes on when it is called
    again. On the machine, with the owner's account of the database.
    """
    from cli.process import command_settings, plain_errors, run_on_loop
    from shared.storage.retention.run import Kept

    with plain_errors():
        settings = command_settings()
        kept = Kept(
            settings.retention_days if payment_days is None else payment_days,
            settings.delivery_retention_days if delivery_days is None else delivery_days,
        )
        counted = run_on_loop(_with_progress(settings, kept, "counted", purges=False))
        if dry_run or not counted:
            _print("Would be deleted", counted, as_json)
            return
        if not yes:
            _print("Would be deleted", counted, as_json=False)
            typer.confirm("Delete them?", abort=True)
        total = sum(counted.values())
        deleted = run_on_loop(_with_progress(settings, kept, "deleted", purges=True, total=total))
    _print("Deleted", deleted, as_json)


async def _with_progress(
    settings: "Settings", kept: "Kept", word: str, *, purges: bool, total: int | None = None
) -> Counter[str]:
    from cli.process import EXIT_UNAVAILABLE, fail
    from cli.remote.machine import machine_user
    from cli.remote.progress import progress
    from shared.storage.db.opening import opened_database
    from shared.storage.retention.lease import LeaseLost, acquire
    from shared.storage.retention.run import TASK, count_all, purge_all

    async with opened_database(settings) as database:
        with progress(f"rows {word}:", total) as advance:

            def on_step(rows: Counter[str]) -> None:
                advance(sum(rows.values()))

            if not purges:
                return await count_all(database, kept, on_step)
            lease = await acquire(database, TASK, machine_user(), every_seconds=0)
            try:
                if lease is None:
                    raise LeaseLost(TASK)
                return await purge_all(database, lease, kept, on_step)
            except LeaseLost:
                raise fail("Another process purges now; try again later.", EXIT_UNAVAILABLE) from None


def _print(title: str, rows: Counter[str], as_json: bool) -> None:
    if as_json:
        print(json.dumps(dict(sorted(rows.items()))))
        return
    named = ", ".join(f"{number} {table}" for table, number in sorted(rows.items()))
    print(f"{title}: {named or 'nothing'}.")
