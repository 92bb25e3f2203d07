"""The part of `cloud-terminal doubts --since` that marks payments after a restore."""

from api.http.query import read_time
from cli.remote.output import print_facts
from shared.storage.retention.after_restore import Marked, Moment, mark


def mark_since(since: str, hours: float, as_json: bool) -> None:
    """Mark what may have happened after a backup's moment, and print how much. Raises typer.Exit."""
    from cli.process import EXIT_USAGE, fail, plain_errors, run_on_loop

    at = read_time(since)
    if at is None:
        raise fail(f"--since {since}: write a time with its offset: 2026-03-05T02:00:00+01:00.", EXIT_USAGE)
    with plain_errors():
        marked = run_on_loop(_mark(at, hours))
    print_facts({"in doubt": marked.doubts, "orders locked": marked.locked}, as_json=as_json)


async def _mark(at: int, hours: float) -> Marked:
    from cli.process import command_settings
    from cli.remote.machine import machine_user
    from shared.storage.db.opening import opened_database

    settings = command_settings()
    moment = Moment(at, failure_hours=hours, success_seconds=settings.replay_window_seconds)
    async with opened_database(settings) as database:
        return await mark(database, moment, by=machine_user())
