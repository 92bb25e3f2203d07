"""Commands `cloud-terminal credential`: create, revoke."""

import json
import os
from typing import Annotated

import typer

from shared.security.credentials import CredentialKind

app = typer.Typer(help="User names and secrets for HTTP Basic.", no_args_is_help=True, add_completion=False)

OF_A_MERCHANT = (CredentialKind.PRIVATE, CredentialKind.PUBLIC)


@app.command("create")
def create(
    merchant: Annotated[
        str | None, typer.Argument(help="The merchant's id; gateway and operator credentials have none.")
    ] = None,
    kind: Annotated[
        CredentialKind,
        typer.Option(
            help="private: makes payments. public: for web pages, no payments. "
            "gateway: reports transactions. operator: settles payments in doubt."
        ),
    ] = CredentialKind.PRIVATE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Create a credential for HTTP Basic; its secret is shown once and stored as a keyed hash only."""
    from rich.console import Console

    from cli.process import EXIT_USAGE, fail, plain_errors, run_on_loop
    from shared.runtime.ids import new_credential_id
    from shared.security.credentials import hash_secret, new_secret
    from shared.security.secret_key import load_secret_key
    from shared.settings.load import load_settings
    from shared.storage.db.opening import opened_database
    from shared.storage.terminals import merchants

    if (merchant is None) == (kind in OF_A_MERCHANT):
        fix = "needs a merchant: give its id" if merchant is None else "has no merchant: leave the id out"
        raise fail(f"A {kind} credential {fix}.", EXIT_USAGE)
    name, secret = new_credential_id(os.urandom), new_secret(os.urandom)

    async def store() -> bool:
        settings = load_settings()
        async with opened_database(settings) as database:
            secret_hash = hash_secret(load_secret_key(settings, os.urandom), secret)
            return await merchants.create_credential(database, name, kind, merchant, secret_hash)

    with plain_errors():
        if not run_on_loop(store()):
            raise fail(f"Unknown merchant {merchant}.", EXIT_USAGE)
    if as_json:
        print(json.dumps({"username": name, "secret": secret, "kind": kind, "merchant": merchant}))
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Username: [bold]{name}[/bold]")
    console.print(f"Secret:   [bold]{secret}[/bold]")
    console.print("The secret is not stored and cannot be shown again.")


@app.command("revoke")
def revoke(username: Annotated[str, typer.Argument(help="The credential's user name.")]) -> None:
    """Revoke a credential permanently; every process refuses it within 5 seconds."""
    from cli.process import EXIT_USAGE, fail, plain_errors, run_on_loop
    from shared.settings.load import load_settings
    from shared.storage.db.opening import opened_database
    from shared.storage.terminals import merchants

    async def store() -> bool:
        async with opened_database(load_settings()) as database:
            return await merchants.revoke_credential(database, username)

    with plain_errors():
        if not run_on_loop(store()):
            raise fail(f"Unknown credential {username}.", EXIT_USAGE)
    print(f"{username} is revoked.")
