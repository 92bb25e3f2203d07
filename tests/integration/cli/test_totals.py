"""Totals, exports and comparisons by the command."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from databases import Store
from payments import lose
from running.command import on_machine
from running.served_api import served_api

from shared.payment.payment import Result
from shared.payment.states import Event


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


def test_a_days_totals_are_compared_with_a_terminals_file(store: Store, tmp_path: Path) -> None:
    """To the cent: what is missing on which side, and what is in doubt; exit code 6 until they are equal."""
    with served_api(store) as served:

        async def sell() -> None:
            pos = await served.api.merchant()
            for order, amount in (("a", 4250), ("b", 100)):
                payment_id = await pos.order_async(order_id=order, amount=amount)
                result = Result(authorisation_number=f"18411{amount % 10}{order}", application="001")
                await served.api.settle(await served.api.claim(payment_id), Event.ANSWERED_DONE, result)
            doubtful = await pos.order_async(order_id="c", amount=70, host="127.0.0.10")
            await lose(served.api.database, await served.api.claim(doubtful))

        served.run(sell())
    here = on_machine(store)
    today = datetime.now(UTC).date()
    days = ("--from", str(today - timedelta(days=1)), "--to", str(today + timedelta(days=1)))
    file = tmp_path / "terminal.csv"

    exported = [
        json.loads(line) for line in here.run("payments", "export", "--format", "jsonl").stdout.splitlines()
    ]
    assert [(row["order_id"], row["amount"], row["state"]) for row in exported] == [
        ("a", 4250, "succeeded"), ("b", 100, "succeeded"), ("c", 70, "in_doubt"),
    ]  # fmt: skip
    assert here.run("payments", "export").stdout.count("\n") == 4
    (debits,) = here.rows("totals", "show", *days, "--by", "operation")
    assert (debits["count"], debits["cents"], debits["open_count"], debits["open_cents"]) == (2, 4350, 1, 70)
    for by in ("day", "day,terminal,application,operation"):
        shown = here.run("totals", "show", *days, "--by", by).stdout.splitlines()
        assert all(len(line) <= 80 for line in shown)
        assert len(shown) <= 4, "no line is broken"

    file.write_text("operation;count;amount\ndebit;2;43,50\n")
    assert "Both sides are equal." in here.run("totals", "compare", "--csv", str(file), *days).stdout
    file.write_text("operation;count;amount\ndebit;3;44,20\n")
    compared = here.run("totals", "compare", "--csv", str(file), *days, code=6).stdout
    assert re.search(r"^debit +in_doubt +2 = 43.50 +3 = 44.20 +\+0.70 +1 = 0.70$", compared, re.MULTILINE)
    file.write_text("amount,authorisation_number\n42.50,184110a\n0.70,999999\n5.00,\n")
    found = here.run("totals", "compare", "--csv", str(file), *days, "--json", code=6).stdout.splitlines()
    assert [json.loads(line)["finding"] for line in found] == ["in_doubt", "missing_here", "missing_there"]
    file.write_text("count,amount\nx,1\n")
    assert "needs at least one of" in here.run("totals", "compare", "--csv", str(file), *days, code=2).stderr


@pytest.mark.parametrize("order", ["a\u2028b", "a\x0bb\x85c", "a\nb", "a\r\nb"])
def test_an_export_is_written_as_it_was_answered(store: Store, order: str) -> None:
    """A POS may send an order's number with what ends a line for Unicode: no row falls apart."""
    with served_api(store) as served:

        async def sell() -> str:
            pos = await served.api.merchant()
            return await pos.order_async(order_id=order)

        payment_id = served.run(sell())
    here = on_machine(store)

    row = json.loads(here.run("payments", "export", "--format", "jsonl").stdout)
    (read,) = csv.DictReader(io.StringIO(here.run("payments", "export").stdout_bytes.decode(), newline=""))

    assert (row["id"], row["order_id"]) == (payment_id, order)
    assert (read["id"], read["order_id"]) == (payment_id, order)
