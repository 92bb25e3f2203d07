"""Verbs that call the API: the same over HTTP and on the machine, and what they say where it fails."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from databases import Store
from running.api_alone import on_sqlite
from running.command import Command, on_machine, over_http
from running.served_api import ServedApi, served_api

from shared.security.credentials import CredentialKind


@pytest.fixture
def served(store: Store) -> Iterator[ServedApi]:
    with served_api(store) as one:
        yield one


def test_a_verb_shows_the_same_over_http_and_on_the_machine(served: ServedApi, store: Store) -> None:
    """With an operator's credential, and with the settings of the machine."""

    async def make_doubt() -> None:
        await served.api.in_doubt(await served.api.merchant())

    served.run(make_doubt())
    remote = over_http(served, CredentialKind.OPERATOR)
    here = on_machine(store)

    (shown,) = remote.rows("doubts")
    (also,) = here.rows("doubts")
    assert shown["payment"] == also["payment"]
    assert shown["payment"]["id"] in remote.run("doubts").stdout
    payment_id = shown["payment"]["id"]
    assert remote.row("payments", "show", payment_id)["payment"]["id"] == payment_id
    for words in (("doubts",), ("payments", "show", payment_id)):
        assert all(len(line) <= 80 for line in here.run(*words).stdout.splitlines())


@on_sqlite
def test_a_doubt_is_settled_by_the_command(served: ServedApi, store: Store) -> None:
    """Once it may be; a second decision is a conflict."""

    async def make_doubt() -> str:
        return await served.api.in_doubt(await served.api.merchant())

    remote, here = over_http(served, CredentialKind.OPERATOR), on_machine(store)
    why = ("--name", "Jane Doe", "--reason", "receipt 0042")
    payment_id = served.run(make_doubt())
    charged = ("payments", "resolve", payment_id, "charged", *why)
    not_charged = ("payments", "resolve", payment_id, "not_charged", *why)

    early = remote.run(*charged, code=5).stderr
    assert "early.payment.conflict" in early
    assert re.search(r"Try again in \d+ s", early)
    served.run(served.api.age(1000))
    asked = here.row("payments", "release", payment_id, *why)
    assert asked["payment"]["state"] == "in_doubt"
    settled = remote.row(*charged)
    assert settled["payment"]["state"] == "succeeded"
    assert ".payment.conflict" in here.run(*not_charged, code=5).stderr
    assert here.run("doubts").stdout == "No payment is in doubt.\n"
    assert "unknown.resource" in here.run("payments", "show", "../../merchants", code=3).stderr


@on_sqlite
def test_a_refusal_is_a_sentence_and_an_exit_code(served: ServedApi) -> None:
    """A wrong secret, another kind of credential, no API there."""
    remote = over_http(served, CredentialKind.GATEWAY)
    wrong = Command({**remote.environ, "CT_SECRET": "wrong"})
    nowhere = Command({**remote.environ, "CT_URL": "http://127.0.0.1:1"})

    assert "a gateway's credential; here only an operator's is allowed" in remote.run("doubts", code=4).stderr
    assert "The login has been rejected." in wrong.run("doubts", code=4).stderr
    assert "cannot be reached" in nowhere.run("doubts", code=1).stderr


def test_reading_makes_no_database(tmp_path: Path) -> None:
    """A mistyped path is an error."""
    missing = on_machine(Store(f"sqlite+aiosqlite:///{tmp_path}/none.db"))

    assert "there is no database" in missing.run("doubts", code=1).stderr
    assert not (tmp_path / "none.db").exists()


@on_sqlite
def test_a_verb_acts_for_a_merchant_on_the_machine_only(served: ServedApi, store: Store) -> None:
    """Over HTTP the merchant's own credential does."""
    remote = over_http(served, CredentialKind.OPERATOR)

    assert "--as-merchant" in remote.run("doubts", "--as-merchant", "mer_1", code=2).stderr
    assert "Unknown merchant" in on_machine(store).run("doubts", "--as-merchant", "mer_1", code=3).stderr


def test_terminals_deliveries_and_workers_are_listed(served: ServedApi, store: Store) -> None:
    """Over all merchants; a merchant's own credential registers a terminal."""

    async def merchant() -> str:
        return str((await served.api.merchant()).merchant_id)

    merchant_id = served.run(merchant())
    pos = over_http(served, CredentialKind.PRIVATE, merchant_id)
    remote, here = over_http(served, CredentialKind.OPERATOR), on_machine(store)

    assert pos.row("terminals", "add", "till-1", "127.0.0.9", "--label", "Front")["label"] == "Front"
    same = here.row("terminals", "show", "till-1", "--as-merchant", merchant_id)
    assert (same["id"], same["host"]) == ("till-1", "127.0.0.9")
    (listed,) = remote.rows("terminals", "list", "--merchant", merchant_id)
    assert (listed["merchant_id"], listed["id"], listed["rated"]) == (merchant_id, "till-1", 0)
    assert remote.rows("deliveries", "list", "--state", "dead") == []
    assert remote.rows("workers", "list") == []
    for words in (("terminals", "list"), ("deliveries", "list"), ("workers", "list")):
        assert all(len(line) <= 80 for line in remote.run(*words).stdout.splitlines())
