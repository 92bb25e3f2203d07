"""Registry over HTTP: a merchant's terminals change its own payments only."""

from typing import Any

import httpx
from eventually import eventually
from loopback import terminal_host
from payments import change, in_doubt, rows
from running.merchant import merchant, refused, requests_of
from system import Login, System
from wire.scripted_terminal import ScriptedTerminal, says_nothing
from wire.shop_terminal import shop_terminal

from shared.security.credentials import CredentialKind


async def test_a_terminal_is_created_read_and_changed(system_on_both: System) -> None:
    """A PUT replaces all: a field that is left out has its default again. An answer can be sent back."""
    system = system_on_both
    shop = await merchant(system, await system.api())
    host = terminal_host()
    created = await shop.put(
        "till-1",
        host,
        label="Front",
        shop="Lyon",
        protocol="ConcertV3.2",
        pos_number="07",
        profile={"sends_contract": False, "terminal_time_seconds": 300},
        authorisation={"policy": "above", "above_cents": 3000},
        sole_use=True,
    )

    assert created.status_code == 201, created.text
    shown = await shop.get("till-1")
    assert shown == created.json()
    assert shown["terminal_address"] == f"{host}:8888"
    assert (shown["label"], shown["shop"], shown["pos_number"]) == ("Front", "Lyon", "07")
    assert shown["profile"] == {"sends_contract": False, "terminal_time_seconds": 300}
    assert shown["authorisation"] == {"policy": "above", "above_cents": 3000}
    assert (shown["sole_use"], shown["disabled"], shown["last_seen"]) == ("requested", False, None)
    assert shown["payments"] == {"running": None, "waiting": [], "others_running": 0, "others_waiting": 0}

    again = await shop.send("PUT", "/till-1", json={**shown, "label": "Back"})
    assert again.status_code == 200, again.text
    assert {**again.json(), "changed_at": ""} == {**shown, "label": "Back", "changed_at": ""}

    bare = (await shop.put("till-1", host)).json()
    assert (bare["label"], bare["pos_number"], bare["sole_use"]) == ("", "01", "none")
    assert (bare["profile"], bare["authorisation"]) == ({}, {"policy": "standard"})


async def test_a_merchants_terminals_are_its_own(system_on_both: System) -> None:
    """Two merchants use one id for different terminals; each sees, changes and removes its own."""
    system = system_on_both
    api = await system.api()
    one, other = await merchant(system, api), await merchant(system, api)
    for name in ("a", "b", "c"):
        assert (await one.put(name, terminal_host())).status_code == 201
    assert (await other.put("b", terminal_host(), label="other's")).status_code == 201

    first = (await one.send("GET", params={"limit": 2})).json()
    rest = (await one.send("GET", params={"limit": 2, "cursor": first["next"]})).json()
    assert [shown["id"] for shown in first["terminals"] + rest["terminals"]] == ["a", "b", "c"]
    assert "next" not in rest

    assert (await one.send("DELETE", "/b")).status_code == 204
    refused(await one.send("GET", "/b"), 404, "unknown.resource.not.found")
    assert (await other.get("b"))["label"] == "other's"
    refused(await other.send("DELETE", "/a"), 404, "unknown.resource.not.found")


WRONG_FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"port": 0}, "port"),
    ({"protocol": "AppNepting"}, "protocol"),
    ({"pos_number": "1"}, "pos_number"),
    ({"pos_number": "AB"}, "pos_number"),
    ({"profile": {"sends_refernce": True}}, "profile.sends_refernce"),
    ({"profile": {"sends_reference": "yes"}}, "profile.sends_reference"),
    ({"profile": {"terminal_time_seconds": 0}}, "profile.terminal_time_seconds"),
    ({"profile": {"terminal_time_seconds": 4}}, "profile.terminal_time_seconds"),
    ({"authorisation": {"policy": "above"}}, "authorisation.above_cents"),
    ({"authorisation": {"policy": "often"}}, "authorisation.policy"),
    (
        {"authorisation": {"policy": "always"}, "profile": {"sends_authorisation": False}},
        "profile.sends_authorisation",
    ),
    ({"label": "a\0b"}, "label"),
    ({"lable": "x"}, "lable"),
    ({"host": " "}, "host"),
    ({"host": "no-such-name.invalid"}, "host"),
]


async def test_a_wrong_field_is_named(system: System) -> None:
    """400 with its path, and nothing is stored."""
    shop = await merchant(system, await system.api())

    for fields, path in WRONG_FIELDS:
        error = (await shop.put("t", **{"host": terminal_host(), **fields})).json()["error"]
        assert (error["status"], error["details"]["path"]) == (400, path), error
    refused(await shop.send("GET", "/t"), 404, "unknown.resource.not.found")


async def test_an_address_is_registered_once_and_inside_the_networks_only(system_on_both: System) -> None:
    """409 names the other terminal; an address outside the allowed networks is a 403."""
    system = system_on_both
    shop = await merchant(system, await system.api())
    host = terminal_host()
    await shop.put("one", host)

    error = refused(await shop.put("two", host), 409, "taken.terminal.conflict")
    assert error["details"] == {"terminal_id": "one"}
    refused(await shop.put("three", "192.0.2.1"), 403, "network.forbidden")
    assert (await shop.put("two", host, port=8889)).status_code == 201


async def test_a_payment_goes_to_the_terminal_it_names(system_on_both: System) -> None:
    """With the entry's POS number and profile; the answer echoes the request as it was sent."""
    system = system_on_both
    shop = await merchant(system, await system.api())
    await system.worker()
    async with shop_terminal() as device:
        await shop.put(
            "till-1",
            device.host,
            pos_number="42",
            profile={"sends_receipt": False},
            authorisation={"policy": "above", "above_cents": 3000},
        )
        small, large = await shop.pay("till-1", 3000), await shop.pay("till-1", 3001)

    assert [small.status_code, large.status_code] == [200, 200], large.text
    debits = [fields for fields in requests_of(device) if fields["CD"] == "0"]
    assert [(fields["CA"], fields.get("CK"), fields.get("BB")) for fields in debits] == [
        ("42", None, None),
        ("42", None, "1"),
    ]
    echoed = large.json()["pos_technical_info"]
    assert echoed["terminal_id"] == "till-1"
    assert echoed["terminal_transaction_display"]["force_authorization"] is False
    seen = await shop.get("till-1")
    assert seen["last_seen"] is not None
    assert seen["observed"]["answers"] == 2


async def test_a_disabled_terminal_takes_no_payment(system_on_both: System) -> None:
    """Neither by id nor by address, until it is enabled; nothing is stored, no packet is sent."""
    system = system_on_both
    shop = await merchant(system, await system.api())
    host = terminal_host()
    await shop.put("till-1", host)
    assert (await shop.send("POST", "/till-1/disable")).json()["disabled"] is True

    error = refused(await shop.pay("till-1"), 409, "disabled.terminal.conflict")
    assert error["details"] == {"safe_to_retry": False}
    refused(await shop.pos.pay(host), 409, "disabled.terminal.conflict")
    assert await system.payments() == []

    assert (await shop.send("POST", "/till-1/enable")).json()["disabled"] is False
    await system.worker()
    async with shop_terminal() as device:
        await shop.put("till-1", device.host)
        assert (await shop.pay("till-1")).status_code == 200


async def test_an_unknown_terminal_is_a_400(system: System) -> None:
    """Another merchant's is unknown, too."""
    api = await system.api()
    one, other = await merchant(system, api), await merchant(system, api)
    await other.put("till-1", terminal_host())

    refused(await one.pay("till-1"), 400, "unavailable.terminal.bad.request")


async def test_sole_use_needs_an_operators_confirmation(system_on_both: System) -> None:
    """A request changes nothing for others; once confirmed, their payments, probes, entries are refused."""
    system = system_on_both
    api = await system.api(credential_cache_seconds=0.01)
    one, other = await merchant(system, api), await merchant(system, api)
    operator = await system.login(kind=CredentialKind.OPERATOR, merchant=False)
    path = f"/v1/operator/merchants/{one.login.merchant_id}/terminals/till-1/sole-use"
    await system.worker()

    async def confirm(login: Login) -> httpx.Response:
        return await api.client.put(path, headers=login.headers)

    async with shop_terminal() as device:
        await one.put("till-1", device.host)
        refused(await confirm(operator), 404, "unknown.resource.not.found")
        await one.put("till-1", device.host, sole_use=True)
        await other.put("theirs", device.host, sole_use=True)
        assert (await other.pos.pay(device.host)).status_code == 200

        refused(await confirm(one.login), 403, "credential.forbidden")
        assert (await confirm(operator)).status_code == 200
        assert (await confirm(operator)).status_code == 200
        assert (await one.get("till-1"))["sole_use"] == "confirmed"

        refused(await other.pos.pay(device.host), 403, "reserved.forbidden")
        refused(await other.pay("theirs"), 403, "reserved.forbidden")
        refused(await other.send("POST", "/theirs/probe"), 403, "reserved.forbidden")
        refused(await other.put("theirs", device.host), 403, "reserved.forbidden")
        theirs = f"/v1/operator/merchants/{other.login.merchant_id}/terminals/theirs/sole-use"
        refused(await api.client.put(theirs, headers=operator.headers), 409, "taken.terminal.conflict")
        assert (await one.pay("till-1")).status_code == 200

        assert (await api.client.delete(path, headers=operator.headers)).status_code == 204
        assert (await api.client.delete(path, headers=operator.headers)).status_code == 204
        assert (await one.get("till-1"))["sole_use"] == "requested"
        assert (await other.pos.pay(device.host)).status_code == 200

        query = {"subject": one.login.merchant_id, "limit": "1"}
        first = (await api.client.get("/v1/operator/audit", params=query, headers=operator.headers)).json()
        query |= {"cursor": first["next"]}
        rest = (await api.client.get("/v1/operator/audit", params=query, headers=operator.headers)).json()
        traced = first["actions"] + rest["actions"]
        assert [each["action"] for each in traced] == ["sole_use_withdrawn", "sole_use_confirmed"]
        named = {"terminal_id": "till-1"}
        for each in traced:
            assert (each["by"], each["detail"]) == (
                operator.username,
                {**named, "terminal_address": f"{device.host}:8888"},
            )


async def test_a_confirmed_sole_use_does_not_move_to_another_address(system_on_both: System) -> None:
    """Otherwise a merchant could have its own address confirmed, then move to another merchant's."""
    system = system_on_both
    api = await system.api()
    shop = await merchant(system, api)
    operator = await system.login(kind=CredentialKind.OPERATOR, merchant=False)
    path = f"/v1/operator/merchants/{shop.login.merchant_id}/terminals/till-1/sole-use"
    host = terminal_host()
    await shop.put("till-1", host, sole_use=True)
    await api.client.put(path, headers=operator.headers)

    assert (await shop.put("till-1", host, sole_use=True, label="x")).json()["sole_use"] == "confirmed"
    moved = await shop.put("till-1", terminal_host(), sole_use=True)
    assert moved.json()["sole_use"] == "requested"


async def test_the_capabilities_of_a_replaced_device_are_forgotten(system_on_both: System) -> None:
    """Not while the terminal is locked; afterwards nothing of the old device is shown."""
    system = system_on_both
    shop = await merchant(system, await system.api())
    await system.worker()
    async with shop_terminal() as device:
        await shop.put("till-1", device.host)
        await shop.pay("till-1")

        async def identified() -> bool:
            return bool((await shop.get("till-1"))["observed"]["identifies"])

        await eventually(identified)
        replaced = (await shop.send("POST", "/till-1/replace")).json()

    assert replaced["observed"] == {
        "answers": 0, "fields": [], "identifies": None, "identify_first": False,
    }  # fmt: skip
    assert (replaced["last_seen"], replaced["replaced_at"] is None) == (None, False)


async def test_running_and_waiting_payments_are_shown_others_as_numbers(system_on_both: System) -> None:
    """The merchant's own by id; release and replace are refused by the state of the lock's holder."""
    system = system_on_both
    api = await system.api()
    one, other = await merchant(system, api), await merchant(system, api)
    await system.worker()
    async with ScriptedTerminal(says_nothing) as device:
        for shop in (one, other):
            await shop.put("till-1", device.host)
        running = await one.pos.pay(device.host, headers={"Prefer": "respond-async"})
        running_id = running.json()["payment"]["id"]

        async def held() -> bool:
            return bool(await system.holder(device.host) == running_id)

        await eventually(held)
        waiting = await other.pos.pay(device.host, headers={"Prefer": "respond-async"})
        waiting_id = waiting.json()["payment"]["id"]

        mine, theirs = (await one.get("till-1"))["payments"], (await other.get("till-1"))["payments"]
        assert mine["running"]["id"] == running_id
        assert mine["running"]["state"] == "in_session"
        assert (mine["waiting"], mine["others_running"], mine["others_waiting"]) == ([], 0, 1)
        assert theirs == {
            "running": None, "waiting": [waiting_id], "others_running": 1, "others_waiting": 0,
        }  # fmt: skip
        refused(await one.send("POST", "/till-1/replace"), 409, "held.terminal.conflict")
        refused(await one.send("POST", "/till-1/release"), 409, "in_session.payment.conflict")
        refused(await other.send("POST", "/till-1/release"), 409, "free.terminal.conflict")


async def test_a_terminal_in_doubt_is_asked_for_by_its_merchant(system_on_both: System) -> None:
    """By the terminal's id: too early, `seconds_left` is shown; later it is stored; others may not."""
    system = system_on_both
    api = await system.api()
    one, other = await merchant(system, api), await merchant(system, api)
    host = terminal_host()
    for shop in (one, other):
        await shop.put("till-1", host)
    refused(await one.send("POST", "/till-1/release"), 409, "free.terminal.conflict")
    claimed = await in_doubt(
        system.database, merchant_id=one.login.merchant_id, host=host, terminal_address=f"{host}:8888"
    )

    early = refused(await one.send("POST", "/till-1/release"), 409, "early.payment.conflict")
    assert early["details"]["seconds_left"] == 3
    refused(await other.send("POST", "/till-1/release"), 409, "free.terminal.conflict")

    await change(system.database, "UPDATE terminal_locks SET acquired_at = acquired_at - 3000")
    asked = await one.send("POST", "/till-1/release")
    assert asked.status_code == 202, asked.text
    assert asked.json()["payment"]["id"] == claimed.payment.id
    (lock,) = await rows(system.database, "SELECT release_for, release_by FROM terminal_locks")
    assert lock.release_for == claimed.payment.id
    assert lock.release_by == f"merchant ({one.login.username})"
