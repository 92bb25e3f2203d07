"""Merchants, credentials and operators by the command line, on the machine and over HTTP."""

import json
from pathlib import Path
from typing import Any

from databases import Store
from running.api_alone import on_sqlite
from running.command import Command, on_machine
from running.served_api import ServedApi, served_api


def by_login(served: ServedApi, login: dict[str, Any]) -> Command:
    """Return the command line with a credential that was just made."""
    return Command(
        {
            "XDG_CONFIG_HOME": "/nowhere",
            "CT_URL": served.url,
            "CT_USERNAME": login["username"],
            "CT_SECRET": login["secret"],
        }
    )


def test_the_first_operator_is_made_on_the_machine_and_does_the_rest_over_http(store: Store) -> None:
    """Merchant, credential, rotation, suspension, revocation; all of it in the audit trail."""
    here = on_machine(store)
    with served_api(store) as served:
        jane = here.row("operators", "create", "Jane Doe", "--role", "admin")
        remote = by_login(served, jane)
        shop = remote.row(
            "merchants", "create", "Bakery", "--network", "10.20.0.0/16", "--reason", "contract"
        )
        till = remote.row("credentials", "create", shop["id"], "--label", "till 1")
        rotated = remote.row("credentials", "rotate", till["username"], "--overlap", "60")
        assert rotated["secret"] != till["secret"]
        changed = remote.row("merchants", "change", shop["id"], "--guard-hours", "12", "--any-public")
        assert (changed["guard_hours"], changed["any_public"]) == (12, True)
        back = remote.row("merchants", "change", shop["id"], "--guard-hours", "0", "--no-any-public")
        assert (back["guard_hours"], back["any_public"], back["networks"]) == (None, False, ["10.20.0.0/16"])
        remote.run("merchants", "suspend", shop["id"], "--reason", "unpaid", code=1, typed="n\n")
        remote.run("merchants", "suspend", shop["id"], "--reason", "unpaid", typed="y\n")
        assert "suspended" in here.run("merchants", "show", shop["id"]).stdout
        remote.row("merchants", "resume", shop["id"])
        remote.run("credentials", "revoke", till["username"], "--reason", "stolen", "--yes")
        assert remote.rows("credentials", "list", "--merchant", shop["id"]) == []
        assert "blank" not in remote.run("merchants", "create", " ", code=2).stdout

        done = remote.rows("audit", "--limit", "0")
        assert [each["action"] for each in reversed(done) if each["by"] == jane["username"]] == [
            "merchant_created", "credential_created", "credential_rotated", "merchant_changed",
            "merchant_changed", "merchant_suspended", "merchant_resumed", "credential_revoked",
        ]  # fmt: skip
        (made,) = [each for each in done if each["subject"] == jane["username"]]
        assert "@" in made["by"]
        for words in (
            ("merchants", "list"),
            ("credentials", "list", "--revoked"),
            ("operators", "list"),
            ("audit",),
        ):
            assert all(len(line) <= 80 for line in remote.run(*words).stdout.splitlines()), words


def test_an_operator_who_reads_changes_nothing(sqlite_store: Store) -> None:
    """The refusal names the role that is needed."""
    here = on_machine(sqlite_store)
    with served_api(sqlite_store) as served:
        joe = here.row("operators", "create", "Joe", "--role", "read")
        remote = by_login(served, joe)

        remote.run("merchants", "list")
        assert "role admin" in remote.run("merchants", "create", "Bakery", code=4).stderr


def test_the_first_merchant_makes_the_database(tmp_path: Path) -> None:
    """On SQLite, on the machine."""
    here = on_machine(Store(f"sqlite+aiosqlite:///{tmp_path}/new.db"))

    made = json.loads(here.run("merchants", "create", "Bakery", "--json").stdout)

    assert here.rows("merchants", "list") == [made]


@on_sqlite
def test_a_lost_answer_of_a_rotation_refuses_no_order(store: Store) -> None:
    """The earlier secret is valid, a second rotation is refused, another credential is given to the till."""
    here = on_machine(store)
    with served_api(store) as served:
        merchant = here.row("merchants", "create", "Bakery")["id"]
        made = here.row("credentials", "create", merchant)
        here.run("credentials", "rotate", made["username"])

        assert "earlier secret until" in here.run("credentials", "show", made["username"]).stdout
        assert "rotating" in here.run("credentials", "rotate", made["username"], code=5).stderr
        assert by_login(served, made).rows("webhooks", "list") == []
        other = by_login(served, here.row("credentials", "create", merchant))
        here.run("credentials", "revoke", made["username"], "--reason", "lost", "--yes")
        assert other.rows("webhooks", "list") == []
