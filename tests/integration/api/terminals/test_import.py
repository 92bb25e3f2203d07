"""Import of a terminal file: every row is stored, or none and every wrong cell is named."""

from typing import Any

from loopback import terminal_host
from running.merchant import Merchant, merchant, refused
from system import System


async def send(shop: Merchant, text: str | bytes, media_type: str = "text/csv", **query: str) -> Any:
    content = text.encode() if isinstance(text, str) else text
    headers = {"Content-Type": media_type}
    return await shop.send("POST", "/import", content=content, headers=headers, params=query)


async def test_a_spreadsheets_file_is_stored_whole(system_on_both: System) -> None:
    """Semicolons, a byte order mark, CR LF, empty cells and rows, a POS number without its zero."""
    system = system_on_both
    shop = await merchant(system, await system.api())
    hosts = [terminal_host() for _ in range(3)]
    await shop.put("till-1", hosts[0], label="before")
    text = (
        "id;host;port;label;pos_number;authorisation;authorisation_above_cents;"
        "profile.sends_contract;profile.request_ends_with;profile.terminal_time_seconds;;\r\n"
        f"till-1;{hosts[0]};;Caisse 1;7;above;3000;FALSE;CRLF;300;;\r\n"
        ";;;;;;;;;;;\r\n"
        f"till-2;{hosts[1]};8889;Été;;;;;;;;\r\n"
    )
    body = b"\xef\xbb\xbf" + text.encode()

    checked = await send(shop, body, "text/csv; charset=utf-8", dry_run="true")
    assert checked.json() == {"dry_run": True, "rows": 2, "created": 1, "changed": 1}
    assert (await shop.get("till-1"))["label"] == "before"

    stored = await send(shop, body)
    assert stored.json() == {"dry_run": False, "rows": 2, "created": 1, "changed": 1}
    first, second = await shop.get("till-1"), await shop.get("till-2")
    assert (first["label"], first["pos_number"]) == ("Caisse 1", "07")
    assert first["authorisation"] == {"policy": "above", "above_cents": 3000}
    assert first["profile"] == {
        "sends_contract": False, "request_ends_with": "\r\n", "terminal_time_seconds": 300,
    }  # fmt: skip
    assert (second["label"], second["port"], second["profile"]) == ("Été", 8889, {})


async def test_no_cell_of_a_file_is_a_formula(system: System) -> None:
    """A registered text may be opened in a spreadsheet later; blanks before a formula change nothing."""
    shop = await merchant(system, await system.api())
    formulas = ["=HYPERLINK(1)", "+33 1", "-1+1", "@SUM(1)", "\t=1", "  =1"]
    rows = ["id;host;label", *(f"t{n};{terminal_host()};{cell}" for n, cell in enumerate(formulas))]
    error = refused(await send(shop, "\n".join(rows)), 400, "rows.import.bad.request")

    assert [(one["row"], one["column"]) for one in error["details"]["errors"]] == [
        (number, "label") for number in range(2, 8)
    ]
    assert (await send(shop, f"id;host;label\ngood;{terminal_host()};Caisse - 1 = A+B")).status_code == 200


async def test_one_wrong_row_stores_nothing_and_every_problem_is_named(system_on_both: System) -> None:
    """By row as the spreadsheet counts, and by column."""
    system = system_on_both
    shop = await merchant(system, await system.api())
    taken, twice = terminal_host(), terminal_host()
    await shop.put("old", taken)
    rows = [
        "id,host,port,profile.sends_receipt,authorisation,profile.terminal_time_seconds",
        f"good,{terminal_host()},,,",
        f"bad id,{terminal_host()},70000,perhaps,above",
        f"good,{terminal_host()},,,",
        f"new,{taken},,,",
        f"a,{twice},,,",
        f"b,{twice},,,",
        "far,192.0.2.1,,,",
        "none,no-such-name.invalid,,,",
        ",,9000,,",
        f"fast,{terminal_host()},,,,4",
    ]
    error = refused(await send(shop, "\n".join(rows)), 400, "rows.import.bad.request")

    found = [(problem["row"], problem["column"]) for problem in error["details"]["errors"]]
    assert found == [
        (3, "id"), (3, "port"), (3, "profile.sends_receipt"), (3, "authorisation_above_cents"),
        (4, "id"),
        (5, "host"),
        (7, "host"),
        (8, "host"),
        (9, "host"),
        (10, "id"), (10, "host"),
        (11, "profile.terminal_time_seconds"),
    ]  # fmt: skip
    assert error["details"]["error_count"] == len(found)
    listed = (await shop.send("GET")).json()["terminals"]
    assert [terminal["id"] for terminal in listed] == ["old"]


WRONG_FILES = [
    (b"", "id"),
    (b"id,host\n", ""),
    (b"id,host,hots\na,127.0.0.1,x\n", "hots"),
    (b"id,host,id\na,127.0.0.1,b\n", "id"),
    (b"id,label\na,x\n", "host"),
    (b"\xff\xfe", ""),
    (b'id,host\n"a,127.0.0.1\n', ""),
    (b"id,host\na,127.0.0.1,too,many\n", ""),
    (b"id,host\na,127\0\n", ""),
]


async def test_a_file_that_cannot_be_read_names_the_problem(system: System) -> None:
    """400, never a crash."""
    shop = await merchant(system, await system.api())

    for body, column in WRONG_FILES:
        error = refused(await send(shop, body), 400, "rows.import.bad.request")
        assert error["details"]["errors"][0]["column"] == column, body


async def test_a_file_is_csv_and_its_query_is_known(system: System) -> None:
    """415 for another media type, 400 for a misspelt parameter: a dry run must not store."""
    shop = await merchant(system, await system.api())
    text = f"id,host\na,{terminal_host()}\n"

    refused(await send(shop, text, "application/json"), 415, "unsupported.body.unsupported.media.type")
    refused(await send(shop, text, dryrun="true"), 400, "invalid.query.bad.request")
    refused(await send(shop, text, dry_run="yes"), 400, "invalid.query.bad.request")
    assert (await shop.send("GET")).json() == {"terminals": []}
