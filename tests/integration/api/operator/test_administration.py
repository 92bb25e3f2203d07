"""Merchants, credentials and operators over the API, and the audit trail of what is done to them."""

import asyncio
import contextlib
from typing import Any

import httpx
import pytest
from payments import change
from running.api_alone import ApiAlone, Caller, on_sqlite
from wire.raw_http import basic

from api.http.logins.auth import LastUses
from shared.payment.payment import Result
from shared.payment.states import Event
from shared.security.credentials import CredentialKind, Role
from shared.storage.db.engine import Database, StatementError

MERCHANTS, CREDENTIALS, AUDIT = "/v1/operator/merchants", "/v1/operator/credentials", "/v1/operator/audit"


@pytest.fixture
def api_settings() -> dict[str, Any]:
    """Let webhooks have loopback addresses."""
    return {"notify_allowed_networks": ("127.0.0.0/8",)}


@pytest.fixture
async def admin(api: ApiAlone) -> Caller:
    """Return an administrator."""
    return await api.caller(CredentialKind.OPERATOR)


async def created(admin: Caller, path: str, **body: Any) -> dict[str, Any]:
    answered = await admin.post(path, body)
    assert answered.status_code == 201, answered.text
    found: dict[str, Any] = answered.json()
    return found


async def trail(admin: Caller, subject: str) -> list[dict[str, Any]]:
    """Return the records of a subject, the oldest first."""
    return list(reversed((await admin.get(AUDIT, subject=subject)).json()["actions"]))


async def status_with(api: ApiAlone, username: str, secret: str) -> int:
    """Return the answer's status to a call with this secret."""
    transport = httpx.ASGITransport(api.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        return (await client.get("/v1/payments", headers=basic(username, secret))).status_code


async def test_a_merchant_is_created_changed_suspended_and_resumed(api: ApiAlone, admin: Caller) -> None:
    """A field that is not given stays; the trail has who, when, why, before and after of each."""
    made = await created(admin, MERCHANTS, name="  Bakery ", networks=["10.20.0.0/16"], reason="contract 7")
    assert (made["name"], made["any_public"], made["guard_hours"]) == ("Bakery", False, None)
    path = f"{MERCHANTS}/{made['id']}"

    changed = await admin.client.patch(
        path, json={"guard_hours": 12, "any_public": True, "cancel_unknown": True}
    )
    assert changed.json() == {**made, "guard_hours": 12, "any_public": True, "cancel_unknown": True}
    unchanged = await admin.client.patch(path, json={"guard_hours": 12})
    assert unchanged.json() == changed.json()
    suspended = (await admin.post(f"{path}/suspend", {"reason": "unpaid"})).json()
    assert suspended["suspended_because"] == "unpaid"
    assert [one["id"] for one in (await admin.get(MERCHANTS, suspended="true")).json()["merchants"]] == [
        made["id"]
    ]
    assert (await admin.post(f"{path}/resume", {})).json() == changed.json()
    assert (await admin.get(path)).json() == changed.json()

    records = await trail(admin, made["id"])
    assert [(one["action"], one["by"]) for one in records] == [
        (f"merchant_{what}", admin.username) for what in ("created", "changed", "suspended", "resumed")
    ]
    assert records[0]["reason"] == "contract 7"
    assert records[1]["before"] == {
        "networks": ["10.20.0.0/16"],
        "guard_hours": None,
        "cancel_unknown": False,
    }
    assert records[1]["after"]["guard_hours"] == 12
    assert (await admin.get(MERCHANTS, name="bak")).json()["merchants"] == [changed.json()]
    assert (await admin.get(MERCHANTS, name="%")).json()["merchants"] == []


@pytest.mark.parametrize("part", ["\u00c9picerie", "\u00e9PI", "\u0152UVRE", "epicerie"])
async def test_a_merchant_is_found_by_a_part_of_its_name_in_any_case(admin: Caller, part: str) -> None:
    """Letters with accents, too; they are letters of their own."""
    await created(admin, MERCHANTS, name="\u00c9picerie du Chef-d\u2019\u0153uvre")

    found = (await admin.get(MERCHANTS, name=part)).json()["merchants"]

    assert len(found) == (part != "epicerie")


@on_sqlite
@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"name": ""}, "name"),
        ({"name": " \t"}, "name"),
        ({"name": "A", "networks": ["public"]}, "networks.0"),
        ({"name": "A", "networks": ["0.0.0.0/0"]}, "networks.0"),
        ({"name": "A", "networks": ["10.20.0.1/16"]}, "networks.0"),
        ({"name": "A", "guard_hours": 0}, "guard_hours"),
    ],
)
async def test_a_merchant_without_a_name_or_with_every_address_unsaid_is_refused(
    admin: Caller, body: dict[str, Any], path: str
) -> None:
    """Every public address is asked for by `any_public`, never by a network."""
    refused = await admin.post(MERCHANTS, body)

    assert refused.status_code == 400
    assert refused.json()["error"]["details"]["path"].replace("[", ".").replace("]", "") == path


async def test_a_credential_is_rotated_without_a_refused_order(api: ApiAlone, admin: Caller) -> None:
    """Both secrets are valid in the overlap; afterwards the new one alone."""
    pos = await api.merchant()
    made = await created(admin, CREDENTIALS, merchant_id=pos.merchant_id, label="till 1")
    name, path = made["username"], f"{CREDENTIALS}/{made['username']}"
    assert await status_with(api, name, made["secret"]) == 200

    rotated = (await admin.post(f"{path}/rotate", {"overlap_seconds": 600})).json()
    assert "earlier_secret_until" in rotated
    assert [await status_with(api, name, each["secret"]) for each in (made, rotated)] == [200, 200]
    again = await admin.post(f"{path}/rotate", {})
    assert again.json()["error"]["code"] == "rotating.credential.conflict"

    last = (await admin.post(f"{path}/rotate", {"overlap_seconds": 0})).json()
    assert await status_with(api, name, last["secret"]) == 200
    shown = (await admin.get(path)).json()
    assert "earlier_secret_until" not in shown
    assert "secret" not in shown
    assert [await status_with(api, name, each["secret"]) for each in (made, rotated)] == [401, 401]
    assert made["secret"] not in str(await trail(admin, name))


async def test_an_earlier_secret_ends_with_its_overlap_and_a_credential_with_its_time(
    api: ApiAlone, admin: Caller
) -> None:
    """By the database's clock."""
    pos = await api.merchant()
    made = await created(admin, CREDENTIALS, merchant_id=pos.merchant_id)
    path = f"{CREDENTIALS}/{made['username']}"
    rotated = (await admin.post(f"{path}/rotate", {"overlap_seconds": 600})).json()
    await change(api.database, "UPDATE credentials SET earlier_until = earlier_until - 600000")
    assert await status_with(api, made["username"], made["secret"]) == 401

    await admin.client.patch(path, json={"expires_at": "2026-01-01T00:00:00Z"})
    other = await created(admin, CREDENTIALS, merchant_id=pos.merchant_id, expires_at="2026-01-01T00:00:00Z")
    assert await status_with(api, other["username"], other["secret"]) == 401
    assert (
        (await admin.client.patch(path, json={"expires_at": None})).json().keys().isdisjoint({"expires_at"})
    )
    assert await status_with(api, made["username"], rotated["secret"]) == 200


async def test_a_revoked_credential_stays_revoked(api: ApiAlone, admin: Caller) -> None:
    """It is neither changed nor rotated; a second revocation changes nothing."""
    pos = await api.merchant()
    path = f"{CREDENTIALS}/{pos.username}"
    revoked = (await admin.post(f"{path}/revoke", {"reason": "stolen"})).json()

    assert (await admin.post(f"{path}/revoke", {"reason": "once more"})).json() == revoked
    for refused in (
        await admin.post(f"{path}/rotate", {}),
        await admin.client.patch(path, json={"label": "x"}),
    ):
        assert refused.json()["error"]["code"] == "revoked.credential.conflict"
    listed = await admin.get(CREDENTIALS, merchant=str(pos.merchant_id), revoked="false")
    assert listed.json()["credentials"] == []
    assert [one["action"] for one in await trail(admin, pos.username)][1:] == ["credential_revoked"]


async def test_the_last_use_is_shown_and_no_request_writes_it(api: ApiAlone, admin: Caller) -> None:
    """It is stored once a minute for all."""
    pos = await api.merchant()
    await pos.get("/v1/payments")
    assert "used_at" not in (await admin.get(f"{CREDENTIALS}/{pos.username}")).json()

    await api.last_uses.store()

    assert "used_at" in (await admin.get(f"{CREDENTIALS}/{pos.username}")).json()


@on_sqlite
async def test_the_last_uses_are_stored_at_the_end(api: ApiAlone, admin: Caller) -> None:
    """A process that is stopped in between loses none of its last minute."""
    pos = await api.merchant()
    last_uses = LastUses(api.database)
    running = asyncio.create_task(last_uses.run())
    await asyncio.sleep(0)
    last_uses.add(pos.username)

    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running

    assert "used_at" in (await admin.get(f"{CREDENTIALS}/{pos.username}")).json()


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        {"kind": "operator", "label": "Jane"},
        {"kind": "operator", "role": "read"},
        {"kind": "gateway", "role": "read"},
        {"kind": "gateway", "merchant_id": "mer_1"},
        {"kind": "private"},
        {"kind": "private", "merchant_id": "mer_unknown"},
    ],
)
async def test_a_credential_has_what_its_kind_needs(admin: Caller, body: dict[str, Any]) -> None:
    """An operator a role and a name, a merchant's a merchant."""
    assert (await admin.post(CREDENTIALS, body)).status_code == 400


async def test_of_two_operators_one_decides_and_the_other_is_told_who_did(api: ApiAlone) -> None:
    """The same decision is as good, another one a conflict; the trail has one."""
    one, other = [await api.caller(CredentialKind.OPERATOR, role=Role.SETTLE) for _ in range(2)]
    payment_id = await api.in_doubt(await api.merchant())
    await api.age(1000)
    path = f"/v1/operator/payments/{payment_id}/resolve"

    answers = await asyncio.gather(
        one.post(path, {"decision": "charged", "name": "Jane", "reason": "receipt 42"}),
        other.post(path, {"decision": "not_charged", "name": "Joe", "reason": "nothing in the journal"}),
    )

    won = next(answered.json() for answered in answers if answered.status_code == 200)
    lost = next(answered.json() for answered in answers if answered.status_code == 409)
    winner = won["settled_by"]["name"]
    assert f"operator {winner} (" in lost["error"]["description"]
    assert won["is_new"] is True
    (record,) = await trail(one, payment_id)
    assert (record["action"], record["detail"]["name"]) == ("doubt_decided", winner)
    assert "by_name" not in record, "it is the credential's label alone, whatever name a request gives"


@on_sqlite
async def test_the_trail_names_the_credential_whatever_name_a_request_gives(
    api: ApiAlone, admin: Caller
) -> None:
    """A decision in another operator's name is that of whoever took it."""
    joe = await created(admin, CREDENTIALS, kind="operator", role="settle", label="Joe")
    payment_id = await api.in_doubt(await api.merchant())
    await api.age(1000)
    path = f"/v1/operator/payments/{payment_id}"
    admin.client.headers.update(basic(joe["username"], joe["secret"]))

    for action in ("release", "resolve"):
        body = {"name": "Jane", "reason": "receipt 42"}
        await admin.post(f"{path}/{action}", body | ({"decision": "charged"} if action == "resolve" else {}))

    records = await trail(admin, payment_id)
    assert {(each["by"], each["by_name"], each["detail"]["name"]) for each in records} == {
        (joe["username"], "Joe", "Jane")
    }


@on_sqlite
async def test_a_name_is_not_needed_where_the_credential_has_one(api: ApiAlone, admin: Caller) -> None:
    """The credential's label is the operator's name."""
    made = await created(admin, CREDENTIALS, kind="operator", role="settle", label="Jane Doe")
    payment_id = await api.in_doubt(await api.merchant())
    await api.age(1000)
    admin.client.headers.update(basic(made["username"], made["secret"]))

    decided = await admin.post(
        f"/v1/operator/payments/{payment_id}/resolve", {"decision": "charged", "reason": "receipt 42"}
    )

    assert decided.json()["settled_by"]["name"] == "Jane Doe"


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_trail SET reason = 'another'", "DELETE FROM audit_trail"]
)
async def test_nothing_changes_the_audit_trail(api: ApiAlone, admin: Caller, statement: str) -> None:
    """Not even the database's owner."""
    await created(admin, MERCHANTS, name="Bakery")

    with pytest.raises(StatementError, match="append-only"):
        await change(api.database, statement)


async def test_nothing_replaces_a_record_of_the_audit_trail(api: ApiAlone) -> None:
    """SQLite's INSERT OR REPLACE deletes a row without a trigger of DELETE."""
    insert = "INSERT{} INTO audit_trail (id, at, by, action) VALUES (7, 1, 'ct_1', '{}'){}"
    await change(api.database, insert.format("", "credential_revoked", ""))
    if api.database.dialect == "sqlite":
        replacing = insert.format(" OR REPLACE", "nothing", "")
    else:
        replacing = insert.format("", "nothing", " ON CONFLICT (id) DO UPDATE SET action = 'nothing'")

    with pytest.raises(StatementError, match="append-only"):
        await change(api.database, replacing)


async def test_nothing_empties_the_audit_trail_at_once(postgres_database: Database) -> None:
    """PostgreSQL's TRUNCATE, too."""
    with pytest.raises(StatementError, match="append-only"):
        await change(postgres_database, "TRUNCATE audit_trail")


@on_sqlite
async def test_a_suspended_merchants_webhooks_still_leave(api: ApiAlone, admin: Caller) -> None:
    """A running payment that ends is told: its event and delivery are written as ever."""
    pos = await api.merchant()
    made = await pos.post("/v1/webhooks/endpoints", {"url": "https://127.0.0.1/"})
    assert made.status_code == 201, made.text
    payment_id = await pos.order_async()
    await admin.post(f"{MERCHANTS}/{pos.merchant_id}/suspend", {"reason": "unpaid"})

    await api.settle(await api.claim(payment_id), Event.ANSWERED_DONE, Result(error_code="00"))

    deliveries = (await pos.get("/v1/webhooks/deliveries", payment=payment_id)).json()["deliveries"]
    assert [each["state"] for each in deliveries] == ["waiting"]
