"""Totals by local day, terminal, application and operation; exports of every payment."""

import csv
import io
import json
from typing import Any

import pytest
from in_memory.stored_payments import stored
from payments import change, lose, prove
from running.api_alone import ApiAlone, Caller, on_sqlite

from shared.payment.payment import Result
from shared.payment.states import Event
from shared.security.credentials import CredentialKind
from shared.storage.investigation import export
from shared.storage.investigation.export import COLUMNS, exported

CB = Result(application="001", masked_card="497010******0003")
#: 2026-03-29, the day on which Paris has no hour from two to three.
SPRING = 1_774_738_800_000
HOUR = 3_600_000


@pytest.fixture
async def operator(api: ApiAlone) -> Caller:
    return await api.caller(CredentialKind.OPERATOR)


async def paid(api: ApiAlone, pos: Caller, at: int, result: Result = CB, **order: Any) -> str:
    """Sell once, at a time in milliseconds since 1970 UTC."""
    payment_id = await pos.order_async(**order)
    await api.settle(await api.claim(payment_id), Event.ANSWERED_DONE, result)
    await moved(api, payment_id, at)
    return payment_id


async def moved(api: ApiAlone, payment_id: str, at: int) -> None:
    await change(
        api.database,
        "UPDATE payments SET created_at = CAST(:at AS BIGINT) - 9000,"
        " claimed_at = CAST(:at AS BIGINT) - 8000,"
        " ended_at = CASE WHEN ended_at IS NULL THEN NULL ELSE CAST(:at AS BIGINT) END,"
        " doubted_at = CASE WHEN doubted_at IS NULL THEN NULL ELSE CAST(:at AS BIGINT) END WHERE id = :id",
        at=at,
        id=payment_id,
    )


async def totals(client: Caller, path: str = "/v1/totals", **query: str) -> list[dict[str, Any]]:
    answered = await client.get(path, **query)
    assert answered.status_code == 200, answered.text
    found: list[dict[str, Any]] = answered.json()["totals"]
    return found


async def test_totals_are_by_the_terminals_local_day(api: ApiAlone, pos: Caller) -> None:
    """Also where the clocks change: that day has 23 hours."""
    await paid(api, pos, SPRING - 1, order_id="the last of Saturday", amount=100)
    await paid(api, pos, SPRING, order_id="the first of Sunday", amount=200)
    await paid(api, pos, SPRING + 23 * HOUR - 1, order_id="the last of Sunday", amount=300)
    await paid(api, pos, SPRING + 23 * HOUR, order_id="the first of Monday", amount=400)

    days = await totals(pos, **{"from": "2026-03-28", "to": "2026-03-30", "by": "day"})
    sunday = await totals(pos, **{"from": "2026-03-29", "by": "operation"})
    abroad = await totals(pos, **{"from": "2026-03-29", "by": "day", "time_zone": "Indian/Reunion"})

    assert [(each["day"], each["count"], each["cents"]) for each in days] == [
        ("2026-03-28", 1, 100),
        ("2026-03-29", 2, 500),
        ("2026-03-30", 1, 400),
    ]
    assert [(each["operation"], each["count"], each["cents"]) for each in sunday] == [("debit", 2, 500)]
    assert [(each["count"], each["cents"]) for each in abroad] == [(2, 300)], (
        "Saturday's last, Sunday's first"
    )


async def test_what_is_open_or_contradicted_is_counted_apart(api: ApiAlone, pos: Caller) -> None:
    """A sum that hid a doubt would be wrong by its amount."""
    await paid(api, pos, SPRING, order_id="a", amount=100, host="127.0.0.9")
    doubtful = await pos.order_async(order_id="b", amount=70, host="127.0.0.10")
    await lose(api.database, await api.claim(doubtful))
    await moved(api, doubtful, SPRING + HOUR)
    disputed = await pos.order_async(order_id="c", amount=40, host="127.0.0.11")
    await api.settle(await api.claim(disputed), Event.ANSWERED_REFUSED, Result(error_code="04"))
    await prove(api.database, disputed, Event.PROVED_DONE)
    await moved(api, disputed, SPRING)
    refused = await pos.order_async(order_id="d", amount=30, host="127.0.0.12")
    await api.settle(await api.claim(refused), Event.ANSWERED_REFUSED, Result(error_code="04"))
    await moved(api, refused, SPRING)

    (day,) = await totals(pos, **{"from": "2026-03-29", "by": "day"})

    assert {name: value for name, value in day.items() if name != "day"} == {
        "count": 1, "cents": 100, "open_count": 1, "open_cents": 70,
        "contradicted_count": 1, "contradicted_cents": 40,
    }  # fmt: skip


async def test_totals_are_by_terminal_application_and_operation(api: ApiAlone, operator: Caller) -> None:
    """The sums really paid; credits apart; each merchant alone, or all of them; as CSV, too."""
    pos, other = await api.merchant(), await api.merchant()
    await paid(api, pos, SPRING, Result(paid_cents=900, application="00B"), order_id="a", amount=1000)
    await paid(api, pos, SPRING, order_id="a", amount=200, transaction_type="Credit")
    await paid(api, other, SPRING, order_id="a", amount=50, host="127.0.0.10")

    own = await totals(pos, **{"from": "2026-03-29"})
    everybody = await totals(operator, "/v1/operator/totals", **{"from": "2026-03-29", "by": "merchant"})
    text = (await pos.get("/v1/totals", **{"from": "2026-03-29", "format": "csv"})).text

    assert [
        (each["terminal_address"], each["application"], each["operation"], each["cents"]) for each in own
    ] == [("127.0.0.9:8888", "001", "credit", 200), ("127.0.0.9:8888", "00B", "debit", 900)]
    assert {each["merchant_id"]: each["cents"] for each in everybody} == {
        pos.merchant_id: 1100,
        other.merchant_id: 50,
    }
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [(line["day"], line["operation"], line["cents"]) for line in lines] == [
        ("2026-03-29", "credit", "200"),
        ("2026-03-29", "debit", "900"),
    ]


@on_sqlite
@pytest.mark.parametrize(
    "query",
    [{"to": "2026-03-01"}, {"from": "today"}, {"by": "colour"}, {"time_zone": "../etc/passwd"},
     {"to": "2028-01-01"}, {"from": "0001-01-01"}],
    ids=str,
)  # fmt: skip
async def test_wrong_totals_are_refused(pos: Caller, query: dict[str, str]) -> None:
    """With the parameter's name."""
    answered = await pos.get("/v1/totals", **{"from": "2026-03-29", **query})

    assert (answered.status_code, answered.json()["error"]["code"]) == (400, "invalid.query.bad.request")


async def test_an_export_has_every_payment_once_page_by_page(
    api: ApiAlone, operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As CSV and as JSON lines, a merchant's own or everybody's; only what fits."""
    monkeypatch.setattr(export, "PAGE_ROWS", 2)
    pos, other = await api.merchant(), await api.merchant()
    ids = [await paid(api, pos, SPRING + number, order_id=f"={number}", amount=100) for number in range(5)]
    theirs = await paid(api, other, SPRING, order_id="b")

    lines = (await pos.get("/v1/payments/export", format="jsonl")).text.splitlines()
    table = [*csv.DictReader(io.StringIO((await pos.get("/v1/payments/export")).text))]
    everybody = (await operator.get("/v1/operator/payments/export", format="jsonl")).text.splitlines()
    none = await pos.get("/v1/payments/export", format="jsonl", state="refused")

    assert [json.loads(line)["id"] for line in lines] == ids
    assert [line["id"] for line in table] == ids
    assert table[0]["order_id"] == "'=0", "no formula for a spreadsheet"
    assert json.loads(lines[0])["order_id"] == "=0"
    assert {json.loads(line)["id"] for line in everybody} == {*ids, theirs}
    assert (none.status_code, none.text) == (200, "")


async def test_an_export_reads_no_further_than_its_reader(
    api: ApiAlone, pos: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So any number of rows needs the memory of one page."""
    monkeypatch.setattr(export, "PAGE_ROWS", 2)
    for number in range(5):
        await paid(api, pos, SPRING + number, order_id=f"{number}")
    pages = export.pages(api.database, export.ExportFilter(merchant_id=pos.merchant_id))

    first = await anext(pages)
    await change(api.database, "UPDATE payments SET reason = 'changed'")
    rest = [payment async for page in pages for payment in page]

    assert [each.reason for each in first] == [None, None]
    assert [each.reason for each in rest] == ["changed"] * 3, "each page is a statement of its own"


def test_the_columns_of_an_export_are_its_fields() -> None:
    """In the same order."""
    assert tuple(exported(stored())) == COLUMNS
