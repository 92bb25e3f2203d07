"""A retailer's shops from one file: checked whole, stored whole, changed where they differ."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from databases import Store
from running.api_alone import on_sqlite
from running.command import Command, on_machine

HEADER = "merchant,name,networks,terminal,host,port,label,shop\n"
SHOPS = (
    HEADER
    + "lyon,Bakery Lyon,10.20.0.0/16,till-1,10.20.0.1,,Front,Lyon\n"
    + "lyon,Bakery Lyon,10.20.0.0/16,till-2,10.20.0.2,8889,,Lyon\n"
    + "nice,Bakery Nice,10.30.0.0/16 10.31.0.0/16,till-1,10.31.0.1,,,Nice\n"
)
PASSPHRASE = "a long passphrase"


def here(store: Store) -> Command:
    machine = on_machine(store)
    return Command({**machine.environ, "CT_PASSPHRASE": PASSPHRASE})


def written(folder: Path, text: str, name: str = "shops.csv") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


def counts(command: Command, *words: str) -> dict[str, Any]:
    found = command.row("onboard", "import", *words)
    return {name: number for name, number in found.items() if number and name not in ("dry_run", "rows")}


def test_shops_are_stored_whole_and_their_secrets_sealed(store: Store, tmp_path: Path) -> None:
    """A dry run stores nothing; run again, only what differs changes."""
    command, file, sealed = here(store), written(tmp_path, SHOPS), str(tmp_path / "sealed")
    everything = {"merchants_created": 2, "terminals_created": 3, "credentials_created": 2}

    assert counts(command, file, "--dry-run") == everything
    assert command.rows("merchants", "list") == []
    unnamed = command.run("onboard", "import", file, code=2)
    assert "--credentials" in unnamed.stderr
    assert command.rows("merchants", "list") == []
    assert counts(command, file, "--credentials", sealed) == everything

    terminals = command.rows("terminals", "list", "--limit", "0")
    assert [(each["merchant_id"], each["id"], each["terminal_address"]) for each in terminals] == [
        ("mer_lyon", "till-1", "10.20.0.1:8888"),
        ("mer_lyon", "till-2", "10.20.0.2:8889"),
        ("mer_nice", "till-1", "10.31.0.1:8888"),
    ]
    opened = [json.loads(line) for line in command.run("onboard", "open", sealed).stdout.splitlines()]
    listed = command.rows("credentials", "list")
    assert {each["username"] for each in opened} == {each["username"] for each in listed}
    assert all(each["secret"] not in Path(sealed).read_text() for each in opened)
    assert Path(sealed).stat().st_mode & 0o777 == 0o600
    other = Command({**command.environ, "CT_PASSPHRASE": "another passphrase"})
    assert "Another passphrase" in other.run("onboard", "open", sealed, code=2).stderr

    assert counts(command, file, "--credentials", str(tmp_path / "again")) == {}
    assert not (tmp_path / "again").exists()
    assert counts(command, file) == {}
    moved = written(
        tmp_path, SHOPS.replace("10.20.0.2,8889,", "10.20.0.3,8889,Back").replace("Nice,10", "Nizza,10")
    )
    assert counts(command, moved, "--credentials", str(tmp_path / "again")) == {
        "merchants_changed": 1,
        "terminals_changed": 1,
    }
    actions = [each["action"] for each in command.rows("audit", "--limit", "0")]
    assert actions.count("shops_imported") == 2
    assert actions.count("merchant_created") == 2


@on_sqlite
def test_one_wrong_row_stores_nothing_and_every_wrong_row_is_listed(store: Store, tmp_path: Path) -> None:
    """With the cell and what is wrong with it."""
    command = here(store)
    wrong = SHOPS + (
        "lyon,Another name,10.20.0.0/16,till-3,10.20.0.4,,,\n"
        "lyon,Bakery Lyon,10.20.0.0/16,till-1,10.20.0.5,,,\n"
        "lyon,Bakery Lyon,10.20.0.0/16,till-4,10.20.0.2,8889,,\n"
        "lyon,Bakery Lyon,10.20.0.0/16,till-5,10.21.0.1,,,\n"
        "paris,Paris,0.0.0.0/0,till-1,10.1.1.1,,,\n"
        "paris2,Paris,10.1.1.1/16,till-1,10.1.1.1,,,\n"
        "rome,Rome,10.2.0.0/16,till 1,terminal.example,,,\n"
        "oslo,,10.2.0.0/16,till-1,10.2.0.1,70000,,\n"
        "bonn,Bonn,10.2.0.0/16,till-1,10.2.0.1,70000,,\n"
    )

    found = command.rows("onboard", "import", written(tmp_path, wrong), "--dry-run", code=2)

    assert {(each["row"], each["column"]) for each in found} >= {
        (5, "name"), (6, "terminal"), (7, "host"), (8, "host"), (9, "networks"), (10, "networks"),
        (11, "terminal"), (11, "host"), (12, "name"), (13, "port"),
    }  # fmt: skip
    shown = command.run(
        "onboard", "import", written(tmp_path, wrong), "--credentials", str(tmp_path / "s"), code=2
    )
    assert "Nothing is stored" in shown.stderr
    assert command.rows("merchants", "list") == []
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    "text", ["", HEADER, "merchant,name\n1,2\n", SHOPS.replace("shop\n", "shop,colour\n")]
)
def test_a_file_that_is_none_is_refused(sqlite_store: Store, tmp_path: Path, text: str) -> None:
    """Without rows, without a column, with one too many."""
    assert here(sqlite_store).rows("onboard", "import", written(tmp_path, text), "--dry-run", code=2)


@on_sqlite
def test_another_merchants_address_alone_and_an_own_other_terminals_are_refused(
    store: Store, tmp_path: Path
) -> None:
    """The stored terminals count, too; a file for secrets is never replaced."""
    command = here(store)
    counts(command, written(tmp_path, SHOPS), "--credentials", str(tmp_path / "one"))
    taken = HEADER + "lyon,Bakery Lyon,10.20.0.0/16,till-9,10.20.0.1,,,\n"

    (problem,) = command.rows("onboard", "import", written(tmp_path, taken), "--dry-run", code=2)

    assert (problem["row"], problem["column"]) == (2, "host")
    refused = command.run(
        "onboard", "import", written(tmp_path, SHOPS), "--credentials", str(tmp_path / "one"), code=2
    )
    assert "not replaced" in refused.stderr


def test_ten_thousand_rows_take_less_than_thirty_seconds_of_our_time(
    postgres_store: Store, tmp_path: Path
) -> None:
    """Of the processor's, so that the machine's other work does not count."""
    rows = (
        f"m{number // 10},Shop {number // 10},10.0.0.0/8,till-{number % 10},"
        f"10.1.{number // 250}.{number % 250},,,\n"
        for number in range(2_000)
    )
    file = written(tmp_path, HEADER + "".join(rows))
    before = time.process_time()

    done = counts(here(postgres_store), file, "--credentials", str(tmp_path / "sealed"))

    assert done["terminals_created"] == 2_000
    # A fifth of the rows, in a fifth of the time.
    assert time.process_time() - before < 6
