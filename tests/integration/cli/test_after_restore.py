"""A restore of an older backup: nothing is answered from a past that is not true."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from databases import Store
from payments import change, rows
from running.command import on_machine
from running.served_api import served_api

from shared.payment.payment import Result
from shared.payment.states import Event
from shared.security.credentials import CredentialKind

WHY = ("--name", "Jane Doe", "--reason", "the terminal's journal")


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    return sqlite_store


def test_after_a_restore_nothing_is_answered_from_the_backup(store: Store) -> None:
    """Open payments are in doubt; an order that failed, or was just paid, is neither charged nor answered.

    An older success stays; marking again changes nothing; what is in doubt can be decided.
    """
    with served_api(store) as served:

        async def sell() -> dict[str, str]:
            pos = await served.api.merchant()
            found = {}
            for name, event in (("paid", Event.ANSWERED_DONE), ("refused", Event.ANSWERED_REFUSED),
                                ("paid long ago", Event.ANSWERED_DONE)):  # fmt: skip
                found[name] = await pos.order_async(order_id=name)
                claimed = await served.api.claim(found[name])
                await served.api.settle(claimed, event, Result(error_code="04"))
            found["in session"] = await pos.order_async(order_id="in session")
            await served.api.claim(found["in session"])
            found["queued"] = await pos.order_async(order_id="queued", host="127.0.0.10")
            await change(
                served.api.database,
                "UPDATE payments SET created_at = created_at - 90000000, ended_at = ended_at - 90000000"
                " WHERE order_id = 'paid long ago'",
            )
            return found

        ids = served.run(sell())
        here = on_machine(store)
        moment = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()

        marked, again = here.row("doubts", "--since", moment), here.row("doubts", "--since", moment)

        assert (marked["in doubt"], marked["orders locked"]) == (2, 2)
        assert (again["in doubt"], again["orders locked"]) == (0, 0)
        doubts = {row["payment"]["id"]: row["payment"] for row in here.rows("doubts")}
        assert doubts.keys() == {ids["in session"], ids["queued"]}
        assert {each["reason"] for each in doubts.values()} == {"restored"}

        async def answers() -> dict[str, tuple[int, str | None]]:
            database = served.api.database
            (merchant,) = await rows(database, "SELECT id FROM merchants")
            pos = await served.api.caller(CredentialKind.PRIVATE, merchant.id)
            told = {}
            for name in ("paid", "refused", "in session", "queued", "paid long ago"):
                host = "127.0.0.10" if name == "queued" else "127.0.0.9"
                answered = await pos.order(order_id=name, host=host, headers={"prefer": "wait=0"})
                told[name] = (answered.status_code, answered.json().get("error", {}).get("code"))
                assert answered.json()["payment"]["safe_to_retry"] is False
            return told

        assert served.run(answers()) == {
            "paid": (409, "closed.order.conflict"),
            "refused": (409, "closed.order.conflict"),
            "in session": (504, "timeout.terminal.gateway.timeout"),
            "queued": (504, "timeout.terminal.gateway.timeout"),
            "paid long ago": (409, "used.order.conflict"),
        }
        served.run(served.api.age(1000))
        settled = here.row("payments", "resolve", ids["queued"], "not_charged", *WHY)
        assert settled["payment"]["state"] == "aborted"
        recorded = "SELECT detail FROM audit_trail WHERE action = 'restored' ORDER BY id"
        first, _second = served.run(rows(served.api.database, recorded))
        assert (json.loads(first.detail)["doubts"], json.loads(first.detail)["locked"]) == (2, 2)
    assert "with its offset" in here.run("doubts", "--since", "yesterday", code=2).stderr
