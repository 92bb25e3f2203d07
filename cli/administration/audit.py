"""Command `cloud-terminal audit`."""

from datetime import datetime
from typing import Annotated, Any, Final

import typer

from cli.process import printable
from cli.remote.output import (
    AsJson,
    Column,
    Row,
    Rows,
    print_with_details,
    short_time,
    shown,
    words_of,
)
from shared.runtime.clock import iso_time


def _who_why_and_what(row: Row) -> str:
    """Return a line: who, the reason, what was changed from what."""
    before, after = row.get("before") or {}, row.get("after") or {}
    if before:
        after = {
            name: f"{_value(name, before.get(name)) or 'none'} -> {_value(name, value) or 'none'}"
            for name, value in after.items()
        }
    parts = {name: _value(name, value) for name, value in {**after, **row["detail"]}.items()}
    who = row.get("by_name") or row["by"]
    reason = [printable(row["reason"])] if "reason" in row else []
    return f"{printable(who)}: {'; '.join(filter(None, (*reason, words_of(parts))))}".removesuffix(": ")


def _value(name: str, value: Any) -> str:
    """Return a value for people; the audit trail has times as stored, in milliseconds."""
    if isinstance(value, int) and name.endswith(("_at", "_until")):
        return short_time(iso_time(value))
    return shown(value)


_COLUMNS: Final = (
    Column("at (UTC)", lambda row: short_time(row["at"])),
    Column("action", lambda row: row["action"].replace("_", " ")),
    Column("on", "subject", is_whole=True),
)


def show_audit_trail(
    by: Annotated[str | None, typer.Option(help="By this credential only.")] = None,
    action: Annotated[str | None, typer.Option(help="Actions of this kind, e.g. merchant_suspended.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="On this merchant, credential, payment or delivery.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(metavar="TIME", help="Since then (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(metavar="TIME", help="Before then (UTC).")] = None,
    limit: Rows = 20,
    as_json: AsJson = False,
) -> None:
    """List what operators did, the newest first; nothing can change it.

    `--json --limit 0` exports all of it.
    """
    from cli.remote.client import api

    times = {
        name: f"{time.isoformat()}Z" for name, time in (("from", since), ("to", until)) if time is not None
    }
    with api() as server:
        rows = server.pages(
            "/v1/operator/audit", "actions", limit, by=by, action=action, subject=subject, **times
        )
        print_with_details(
            rows, _COLUMNS, _who_why_and_what, as_json=as_json, nothing="No operator did anything."
        )
