"""Command `cloud-terminal audit`."""

from datetime import datetime
from typing import Annotated, Final

import typer

from cli.remote.output import AsJson, Column, Row, Rows, print_rows, short_time, shown


def _what(row: Row) -> str:
    before, after = row.get("before") or {}, row.get("after") or {}
    if before:
        parts = [f"{name}: {shown(before.get(name))} -> {shown(value)}" for name, value in after.items()]
    else:
        parts = [f"{name}: {shown(value)}" for name, value in after.items() if value not in (None, "", [])]
    parts += [f"{name}: {shown(value)}" for name, value in row["detail"].items() if value is not None]
    return "; ".join((*([row["reason"]] if "reason" in row else []), *parts))


_COLUMNS: Final = (
    Column("at (UTC)", lambda row: short_time(row["at"])),
    Column("by", lambda row: row.get("by_name") or row["by"]),
    Column("action", lambda row: row["action"].replace("_", " ")),
    Column("on", "subject", is_whole=True),
    Column("why and what", _what),
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
        print_rows(rows, _COLUMNS, as_json=as_json, nothing="No operator did anything.")
