"""Commands `cloud-terminal credentials` and `cloud-terminal operators`."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from cli.remote.output import AsJson, Column, Reason, Rows, Yes, confirm, print_facts, print_rows, short_time
from shared.security.credentials import Role

app = typer.Typer(help="User names and secrets for HTTP Basic.", no_args_is_help=True, add_completion=False)
operators = typer.Typer(
    help="Operators: their credentials with the roles read, settle and admin.",
    no_args_is_help=True,
    add_completion=False,
)


class Kind(StrEnum):
    """A kind of credential that is no operator's."""

    PRIVATE = "private"
    PUBLIC = "public"
    GATEWAY = "gateway"


_Username = Annotated[str, typer.Argument(metavar="USERNAME", help="The credential's user name.")]
_Expires = Annotated[
    datetime | None,
    typer.Option("--expires", metavar="TIME", help="It is refused from then on, e.g. 2027-01-31 (UTC)."),
]
_ROLE: Final = (
    "read: sees everything. settle: decides doubts, replays deliveries, too. admin: merchants, credentials"
    " and operators, too."
)


def _state(row: Any) -> str:
    if "revoked_at" in row:
        return "revoked"
    return "rotating" if "earlier_secret_until" in row else "valid"


_COLUMNS: Final = (
    Column("username", "username", is_whole=True),
    Column("kind", lambda row: row.get("role") or row["kind"]),
    Column("label", "label"),
    Column("merchant", "merchant_id", is_whole=True, leaves=2),
    Column("last use (UTC)", lambda row: short_time(row.get("used_at"))[:16] or "never", leaves=1),
    Column("state", _state),
)


@app.command("create")
def create(
    merchant: Annotated[
        str | None, typer.Argument(help="The merchant's id; a gateway's credential has none.")
    ] = None,
    kind: Annotated[
        Kind,
        typer.Option(
            help="private: makes payments. public: for web pages, no payments. gateway: reports transactions."
        ),
    ] = Kind.PRIVATE,
    label: Annotated[str, typer.Option(help="For display, e.g. the till that uses it.")] = "",
    expires: _Expires = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Create a credential for HTTP Basic.

    Its secret is shown once and stored as a keyed hash only.
    """
    _create(as_json, kind=kind.value, merchant_id=merchant, label=label, expires=expires, reason=reason)


@operators.command("create")
def create_operator(
    name: Annotated[str, typer.Argument(help="The operator's name, which the audit trail shows.")],
    role: Annotated[Role, typer.Option(help=_ROLE)],
    expires: _Expires = None,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Create an operator's credential; the first one on the machine with the database.

    Its secret is shown once and stored as a keyed hash only.
    """
    _create(as_json, kind="operator", label=name, role=role.value, expires=expires, reason=reason)


@app.command("list")
def list_credentials(
    merchant: Annotated[str | None, typer.Option(help="Of this merchant only.")] = None,
    kind: Annotated[Kind | None, typer.Option(help="Of this kind only.")] = None,
    revoked: Annotated[bool, typer.Option("--revoked", help="With those that are revoked.")] = False,
    limit: Rows = 20,
    as_json: AsJson = False,
) -> None:
    """List credentials with their last use, the newest first."""
    wanted = None if kind is None else kind.value
    _list(limit, as_json, merchant=merchant, kind=wanted, revoked=revoked)


@operators.command("list")
def list_operators(
    revoked: Annotated[bool, typer.Option("--revoked", help="With those that are revoked.")] = False,
    limit: Rows = 20,
    as_json: AsJson = False,
) -> None:
    """List operators with their roles and last use, the newest first."""
    _list(limit, as_json, kind="operator", revoked=revoked)


@app.command("show")
def show(username: _Username, as_json: AsJson = False) -> None:
    """Show a credential with its last use."""
    from cli.remote.client import api

    with api() as server:
        _show(server.get(_path(username)), as_json)


@app.command("change")
def change(
    username: _Username,
    label: Annotated[str | None, typer.Option(help="For display.")] = None,
    expires: _Expires = None,
    never_expires: Annotated[bool, typer.Option("--never-expires", help="It stays valid.")] = False,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Change a credential, within 5 seconds; what is not given stays as it is."""
    body = _body(label=label, expires_at=_moment(expires), reason=reason)
    if never_expires:
        body["expires_at"] = None
    _change(username, body, as_json)


@operators.command("change")
def change_operator(
    username: _Username,
    role: Annotated[Role, typer.Option(help=_ROLE)],
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Change an operator's role, within 5 seconds."""
    _change(username, _body(role=role.value, reason=reason), as_json)


@app.command("rotate")
@operators.command("rotate")
def rotate(
    username: _Username,
    overlap: Annotated[
        int,
        typer.Option(
            min=0,
            max=30 * 86_400,
            metavar="SECONDS",
            help="Time for which the earlier secret is valid, too; 0: it ends at once, as after a theft.",
        ),
    ] = 86_400,
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Replace a credential's secret; both are valid during the overlap.

    The new secret is shown once.
    """
    from cli.remote.client import api

    body = _body(overlap_seconds=overlap, reason=reason)
    with api() as server:
        _show(server.call("POST", _path(username, "rotate"), json=body), as_json)


@app.command("revoke")
@operators.command("revoke")
def revoke(
    username: _Username,
    reason: Annotated[str, typer.Option(help="Why; for the audit trail.")],
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Revoke a credential for ever; every process refuses it within 5 seconds."""
    from cli.remote.client import api

    confirm(f"Revoke {username} for ever?", yes=yes)
    with api() as server:
        _show(server.call("POST", _path(username, "revoke"), json={"reason": reason}), as_json)


def _create(as_json: bool, *, expires: datetime | None, **fields: Any) -> None:
    from cli.remote.client import api

    with api(makes_database=True) as server:
        body = _body(**fields, expires_at=_moment(expires))
        _show(server.call("POST", "/v1/operator/credentials", json=body), as_json)


def _change(username: str, body: dict[str, Any], as_json: bool) -> None:
    from cli.remote.client import api

    with api() as server:
        _show(server.call("PATCH", _path(username), json=body), as_json)


def _list(limit: int, as_json: bool, **query: Any) -> None:
    from cli.remote.client import api

    with api() as server:
        rows = server.pages("/v1/operator/credentials", "credentials", limit, **query)
        print_rows(rows, _COLUMNS, as_json=as_json, nothing="There is none.")


def _path(*parts: str) -> str:
    from cli.remote.client import path_of

    return path_of("v1", "operator", "credentials", *parts)


def _body(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _moment(time: datetime | None) -> str | None:
    return None if time is None else f"{time.isoformat()}Z"


def _show(credential: dict[str, Any], as_json: bool) -> None:
    facts = {
        "username": credential["username"],
        "secret": credential.get("secret"),
        "kind": credential["kind"],
        "role": credential.get("role"),
        "label": credential["label"],
        "merchant": credential.get("merchant_id"),
        "created": short_time(credential["created_at"]),
        "last use": short_time(credential.get("used_at")) or "never",
        "expires": short_time(credential.get("expires_at")),
        "earlier secret until": short_time(credential.get("earlier_secret_until")),
        "revoked": short_time(credential.get("revoked_at")),
    }
    print_facts(facts, as_json=as_json, whole=credential)
    if "secret" in credential and not as_json:
        print("\nThe secret is not stored and cannot be shown again.")
