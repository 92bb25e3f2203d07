"""Commands `cloud-terminal onboard`: a file of shops is checked, and stored whole or not at all."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.remote.output import AsJson

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.onboarding.shop_file import RowProblem, Shop, ShopFile
    from shared.settings.settings import Settings
    from shared.storage.administration.credential_register import NewCredential
    from shared.storage.administration.onboarding import Plan, Wanted

app = typer.Typer(
    help="A retailer's shops from one file: checked whole, stored whole.",
    no_args_is_help=True,
    add_completion=False,
)

#: The passphrase of a sealed file; without it the command asks.
SEAL_VARIABLE: Final = "CT_PASSPHRASE"


@app.command("import")
def import_shops(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV: a row for each terminal.")],
    credentials: Annotated[
        Path | None,
        typer.Option(
            "--credentials", dir_okay=False, help="A new file for the secrets, sealed by a passphrase."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything, store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Store a file of shops on the machine with the database, all of it or nothing.

    Columns: merchant, name, networks, terminal, host; port, label, shop. Each
    row is checked first, and every wrong one is listed. Run again, it changes
    only what differs. A merchant without a credential gets one, whose secret
    goes into the file that --credentials names.
    """
    from cli.onboarding.shop_file import read_shops
    from cli.process import EXIT_USAGE, command_settings, fail, plain_errors, run_on_loop

    try:
        found = read_shops(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        raise fail(f"{file} is not UTF-8.", EXIT_USAGE) from None
    if found.problems:
        raise _refused(found.problems, as_json)
    if credentials is not None and credentials.exists():
        raise fail(f"{credentials} is there already, and is not replaced.", EXIT_USAGE)
    with plain_errors():
        settings = command_settings()
        done = run_on_loop(_run(settings, found, credentials, dry_run=dry_run))
    if isinstance(done, list):
        raise _refused(done, as_json)
    counts, is_sealed = done
    if as_json:
        print(json.dumps({"dry_run": dry_run, "rows": found.rows, **counts}))
        return
    print("Nothing is stored: it would be" if dry_run else "Stored:")
    for name, count in counts.items():
        print(f"{count:>8} {name.replace('_', ' ')}")
    if is_sealed:
        print(f"\nThe secrets are in {credentials}: cloud-terminal onboard open {credentials}")


@app.command("open")
def open_sealed(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A sealed file.")],
) -> None:
    """Print the credentials of a sealed file, one JSON object a line."""
    from cli.process import EXIT_USAGE, fail
    from shared.security.sealed_file import CannotOpen, unseal

    try:
        content = unseal(file, _passphrase(is_new=False))
    except CannotOpen:
        raise fail("Another passphrase, or no sealed file.", EXIT_USAGE) from None
    for one in content:
        print(json.dumps(one))


async def _run(
    settings: "Settings", found: "ShopFile", sealed: Path | None, *, dry_run: bool
) -> "tuple[dict[str, int], bool] | list[RowProblem]":
    """Return the numbers and whether secrets were sealed, or the problems of rows."""
    from cli.installation.db import opened_or_made_database
    from cli.process import EXIT_USAGE, fail
    from cli.remote.machine import machine_user
    from cli.remote.progress import progress
    from shared.security.sealed_file import seal
    from shared.storage.administration import onboarding
    from shared.storage.administration.audit_trail import Actor

    shops = list(found.shops.values())
    wanted = [_wanted(shop, settings.pos_number) for shop in shops]
    async with opened_or_made_database(settings) as database:
        with progress(f"{found.rows} rows are checked"):
            plan = await onboarding.plan(database, wanted)
        problems = _stored_problems(plan, found.shops, settings.terminal_limit_per_merchant)
        if problems or dry_run:
            return problems or (onboarding.counts_of(plan), False)
        made, secrets = _credentials(settings, plan)
        if secrets:
            if sealed is None:
                raise fail(
                    f"{len(secrets)} credentials would be made: name a new file for their secrets by"
                    " --credentials. Nothing is stored.",
                    EXIT_USAGE,
                )
            # Before anything is stored: no credential exists whose secret nobody has.
            seal(sealed, secrets, _passphrase(is_new=True), os.urandom)
        with progress(f"{found.rows} rows are stored"):
            done = await onboarding.store(database, wanted, made, Actor(machine_user(), "on the machine"))
        return onboarding.counts_of(done), bool(secrets)


def _wanted(shop: "Shop", pos_number: str) -> "Wanted":
    from api.terminals.entry import TerminalEntry
    from shared.storage.administration.onboarding import Wanted
    from shared.storage.terminals.registry import Entry

    protocol = TerminalEntry.model_fields["protocol"].default
    entries = [
        Entry(
            id=terminal.id,
            label=terminal.label,
            shop=terminal.shop,
            host=terminal.host,
            port=terminal.port,
            terminal_address=terminal.terminal_address,
            protocol=protocol,
            profile="{}",
            pos_number=pos_number,
            authorisation="standard",
            authorisation_above_cents=None,
            sole_use=False,
        )
        for terminal in shop.terminals
    ]
    return Wanted(shop.id, shop.name, shop.networks, entries)


def _credentials(settings: "Settings", plan: "Plan") -> "tuple[list[NewCredential], list[dict[str, Any]]]":
    from shared.runtime.ids import new_credential_id
    from shared.security.credentials import CredentialKind, hash_secret, new_secret
    from shared.security.secret_key import load_secret_key
    from shared.storage.administration.credential_register import NewCredential

    key = load_secret_key(settings, os.urandom)
    made, secrets = [], []
    for merchant_id in plan.without_credential:
        name, secret = new_credential_id(os.urandom), new_secret(os.urandom)
        made.append(
            NewCredential(
                id=name,
                kind=CredentialKind.PRIVATE,
                secret_hash=hash_secret(key, secret),
                merchant_id=merchant_id,
                label="onboarding",
            )
        )
        secrets.append({"merchant_id": merchant_id, "username": name, "secret": secret})
    return made, secrets


def _stored_problems(plan: "Plan", shops: "dict[str, Shop]", limit: int) -> "list[RowProblem]":
    from cli.onboarding.shop_file import RowProblem

    rows = {(shop.id, terminal.id): terminal.row for shop in shops.values() for terminal in shop.terminals}
    taken = "is where another terminal is registered, or another merchant's alone"
    found = [RowProblem(rows[each], "host", taken) for each in plan.taken]
    return found + [
        RowProblem(shops[merchant_id].row, "merchant", f"would have {count} terminals; {limit} are allowed")
        for merchant_id, count in plan.counts.items()
        if count > limit
    ]


def _passphrase(*, is_new: bool) -> str:
    from cli.process import EXIT_USAGE, fail
    from shared.security.sealed_file import PASSPHRASE_LEAST

    given = os.environ.get(SEAL_VARIABLE)
    found = given or str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=is_new, err=True))
    if is_new and len(found) < PASSPHRASE_LEAST:
        raise fail(f"The passphrase should have {PASSPHRASE_LEAST} characters or more.", EXIT_USAGE)
    return found


def _refused(problems: "Sequence[RowProblem]", as_json: bool) -> typer.Exit:
    from dataclasses import asdict

    from cli.process import EXIT_USAGE

    for one in sorted(problems, key=lambda problem: problem.row):
        if as_json:
            print(json.dumps(asdict(one)))
        else:
            print(f"Row {one.row}, {one.column or 'file'}: {one.problem}", file=sys.stderr)
    if not as_json:
        print(f"Nothing is stored: {len(problems)} problems.", file=sys.stderr)
    return typer.Exit(EXIT_USAGE)
