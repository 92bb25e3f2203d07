"""Commands `cloud-terminal merchants`."""

from typing import Annotated, Any, Final

import typer

from cli.remote.output import AsJson, Column, Reason, Rows, Yes, confirm, print_facts, print_rows, short_time

app = typer.Typer(
    help="Merchants and the networks of their terminals.", no_args_is_help=True, add_completion=False
)

_MerchantId = Annotated[str, typer.Argument(metavar="MERCHANT", help="The merchant's id.")]
_Networks = Annotated[
    list[str] | None,
    typer.Option(
        "--network", metavar="CIDR", help="A network of its terminals, e.g. 10.20.0.0/16; repeatable."
    ),
]
_GuardHours = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=8760,
        metavar="HOURS",
        help="For a POS that restarts its order numbers: hours after which a paid order's number may be used"
        " for another payment; 0: never. The number of a payment in doubt is never reused.",
    ),
]
_ReplaySeconds = Annotated[
    int | None,
    typer.Option(
        min=0,
        max=86_400,
        metavar="SECONDS",
        help="Time for which a repeated order gets the stored success; by default the installation's.",
    ),
]
_CANCEL: Final = (
    "Send a Cancel of an order that was not paid here to the terminal, which may reverse its newest other"
    " sale of that amount."
)
_CREDIT: Final = "Send a Credit of an order that was not paid here to the terminal."

_COLUMNS: Final = (
    Column("merchant", "id", is_whole=True),
    Column("name", "name"),
    Column("networks", lambda row: [*row["networks"], *(["public"] if row["any_public"] else [])]),
    Column("state", lambda row: "suspended" if "suspended_at" in row else "active"),
)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="The merchant's name, for display only.")],
    network: _Networks = None,
    any_public: Annotated[
        bool, typer.Option("--any-public", help="Its terminals may have any public address.")
    ] = False,
    guard_hours: _GuardHours = None,
    replay_seconds: _ReplaySeconds = None,
    cancel_unknown: Annotated[bool, typer.Option(help=_CANCEL)] = False,
    credit_unknown: Annotated[bool, typer.Option(help=_CREDIT)] = True,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Create a merchant and print its id, which `credentials create` takes.

    Without a network it drives no terminal; `merchants change` adds one later.
    """
    from cli.remote.client import api

    body = _body(
        name=name,
        networks=network or [],
        any_public=any_public,
        guard_hours=guard_hours or None,
        replay_seconds=replay_seconds,
        cancel_unknown=cancel_unknown,
        credit_unknown=credit_unknown,
        reason=reason,
    )
    with api(makes_database=True) as server:
        created = server.call("POST", "/v1/operator/merchants", json=body)
    _show(created, as_json)
    if not as_json:
        print(f"\nNext: cloud-terminal credentials create {created['id']}")


@app.command("list")
def list_merchants(
    name: Annotated[str | None, typer.Option(help="Those with this text in their name.")] = None,
    suspended: Annotated[
        bool | None, typer.Option("--suspended/--active", help="Those that are suspended, or are not.")
    ] = None,
    limit: Rows = 20,
    as_json: AsJson = False,
) -> None:
    """List merchants, the newest first."""
    from cli.remote.client import api

    with api() as server:
        rows = server.pages("/v1/operator/merchants", "merchants", limit, name=name, suspended=suspended)
        print_rows(rows, _COLUMNS, as_json=as_json, nothing="There is no merchant.")


@app.command("show")
def show(merchant: _MerchantId, as_json: AsJson = False) -> None:
    """Show a merchant's settings."""
    from cli.remote.client import api

    with api() as server:
        _show(server.get(_path(merchant)), as_json)


@app.command("change")
def change(
    merchant: _MerchantId,
    name: Annotated[str | None, typer.Option(help="The name, for display only.")] = None,
    network: _Networks = None,
    no_networks: Annotated[bool, typer.Option("--no-networks", help="Remove its networks.")] = False,
    any_public: Annotated[
        bool | None,
        typer.Option("--any-public/--no-any-public", help="Its terminals may have any public address."),
    ] = None,
    guard_hours: _GuardHours = None,
    replay_seconds: _ReplaySeconds = None,
    cancel_unknown: Annotated[bool | None, typer.Option(help=_CANCEL)] = None,
    credit_unknown: Annotated[bool | None, typer.Option(help=_CREDIT)] = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Change a merchant, within 5 seconds; what is not given stays as it is.

    The networks that are given replace all others.
    """
    from cli.remote.client import api

    body = _body(
        name=name,
        networks=[] if no_networks else network or None,
        any_public=any_public,
        replay_seconds=replay_seconds,
        cancel_unknown=cancel_unknown,
        credit_unknown=credit_unknown,
        reason=reason,
    )
    if guard_hours is not None:
        body["guard_hours"] = guard_hours or None
    with api() as server:
        _show(server.call("PATCH", _path(merchant), json=body), as_json)


@app.command("suspend")
def suspend(
    merchant: _MerchantId,
    reason: Annotated[str, typer.Option(help="The reason, which the merchant's clients are answered with.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Refuse a merchant's new orders and probes, within 5 seconds.

    Running sessions end as ever, and its webhooks go on.
    """
    from cli.remote.client import api

    confirm(f"Refuse all new orders of {merchant}?", yes=yes)
    with api() as server:
        _show(server.call("POST", _path(merchant, "suspend"), json={"reason": reason}), as_json)


@app.command("resume")
def resume(merchant: _MerchantId, reason: Reason = None, as_json: AsJson = False) -> None:
    """Accept a suspended merchant's orders again, within 5 seconds."""
    from cli.remote.client import api

    with api() as server:
        _show(server.call("POST", _path(merchant, "resume"), json=_body(reason=reason)), as_json)


def _path(*parts: str) -> str:
    from cli.remote.client import path_of

    return path_of("v1", "operator", "merchants", *parts)


def _body(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _show(merchant: dict[str, Any], as_json: bool) -> None:
    sent = {True: "sent to the terminal", False: "refused"}
    networks = [*merchant["networks"], *(["every public address"] if merchant["any_public"] else [])]
    hours, seconds = merchant["guard_hours"], merchant["replay_seconds"]
    facts = {
        "merchant": merchant["id"],
        "name": merchant["name"],
        "networks": networks or "none: it drives no terminal",
        "order numbers": "used once" if hours is None else f"free {hours} h after the payment",
        "repeated order": None if seconds is None else f"gets the stored success for {seconds} s",
        "unknown Cancel": sent[merchant["cancel_unknown"]],
        "unknown Credit": sent[merchant["credit_unknown"]],
        "created": short_time(merchant["created_at"]),
        "suspended": short_time(merchant.get("suspended_at")),
        "because": merchant.get("suspended_because"),
    }
    print_facts(facts, as_json=as_json, whole=merchant)
