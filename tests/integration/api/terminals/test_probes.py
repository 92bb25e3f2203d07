"""Probes over HTTP: their results, and that a probe and a payment never meet on a terminal."""

import asyncio
from typing import Any

from eventually import eventually
from limits import PATIENT_SESSIONS
from loopback import terminal_host
from payments import change, rows
from running.merchant import Merchant, merchant, refused, requests_of
from system import System, payment_id
from wire.scripted_terminal import ScriptedTerminal, Talk, says_nothing
from wire.shop_terminal import shop_terminal

from sandbox.terminal.script.behaviour import Behaviour
from shared.security.credentials import CredentialKind


async def probe(shop: Merchant, terminal_id: str = "till-1") -> dict[str, Any]:
    answered = await shop.send("POST", f"/{terminal_id}/probe")
    assert answered.status_code == 200, answered.text
    found: dict[str, Any] = answered.json()
    return found


async def free(system: System, host: str) -> bool:
    return await system.holder(host) is None


async def test_a_terminal_that_answers_is_reachable(system_on_both: System) -> None:
    """One identification with the entry's POS number; the lock is free again, `last_seen` is set."""
    system = system_on_both
    shop = await merchant(system, await system.api())
    await system.worker(**PATIENT_SESSIONS)
    async with shop_terminal() as device:
        await shop.put("till-1", device.host, pos_number="42", protocol="ConcertV3.2")

        found = await probe(shop)

        (asked,) = requests_of(device)
    assert found["result"] == "reachable"
    assert 0 <= found["round_trip_ms"] < 5000
    assert (asked["CD"], asked["CA"], asked["CZ"]) == ("I", "42", "0320")
    assert await free(system, device.host)
    shown = await shop.get("till-1")
    assert shown["last_seen"] is not None
    assert shown["observed"] == {"answers": 0, "fields": [], "identifies": True, "identify_first": False}


async def test_foreign_devices_and_closed_ports_have_results_of_their_own(system: System) -> None:
    """A silent or foreign listener, a closed port, a name without an address; the lock is free after each."""
    shop = await merchant(system, await system.api())
    await system.worker()

    async def greets(talk: Talk) -> None:
        talk.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        talk.close()

    for script in (says_nothing, greets):
        async with ScriptedTerminal(script, scripts_all=True) as other:
            await shop.put("till-1", other.host)
            found = await probe(shop)
        assert found["result"] == "not_concert"
        assert await free(system, other.host)
    host = terminal_host()
    await shop.put("till-1", host)
    found = await probe(shop)
    assert (found["result"], bool(found["detail"])) == ("unreachable", True)
    assert await free(system, host)


async def test_a_terminal_in_use_is_busy(system: System) -> None:
    """A sale is made on it by hand: it is a Concert terminal, and its observed capabilities stay."""
    shop = await merchant(system, await system.api())
    await system.worker(**PATIENT_SESSIONS)
    async with shop_terminal(Behaviour(delay_seconds=30)) as device:
        await shop.put("till-1", device.host)
        _, writer = await asyncio.open_connection(device.host, 8888)
        writer.write(b"CZ0040310CJ012012345678901CA00201CB003500CD0010CE003978")
        await eventually(lambda: device.is_busy)

        found = await probe(shop)

        writer.close()
    assert found["result"] == "busy"
    assert (await shop.get("till-1"))["observed"]["identifies"] is None


async def test_a_terminal_that_answered_payments_needs_no_identification(system: System) -> None:
    """Some leave identifications unanswered: a listener that answered payments before is reachable."""
    shop = await merchant(system, await system.api())
    await system.worker()
    async with ScriptedTerminal(says_nothing, scripts_all=True) as device:
        await shop.put("till-1", device.host)
        assert (await probe(shop))["result"] == "not_concert"
        await change(system.database, "UPDATE terminal_locks SET echoes = '[[\"CB\"]]', identifies = false")

        found = await probe(shop)

    assert (found["result"], "round_trip_ms" in found) == ("reachable", False)
    assert (await shop.get("till-1"))["observed"]["identifies"] is False


async def test_a_locked_terminal_is_held_without_a_packet(system_on_both: System) -> None:
    """`held_by` names the merchant's own payment; of others' only `held_since` is shown."""
    system = system_on_both
    api = await system.api()
    one, other = await merchant(system, api), await merchant(system, api)
    await system.worker()
    async with ScriptedTerminal(says_nothing, scripts_all=True) as device:
        for shop in (one, other):
            await shop.put("till-1", device.host)
        running = await one.pos.pay(device.host, headers={"Prefer": "respond-async"})
        await eventually(lambda: device.talks)

        mine, theirs = await probe(one), await probe(other)

        assert (mine["result"], mine["held_by"]) == ("held", payment_id(running))
        assert theirs == {"result": "held", "held_since": mine["held_since"]}
        assert len(device.talks) == 1


async def test_a_payment_waits_for_a_probe(system_on_both: System) -> None:
    """It stays queued while the probe has the lock, and is paid when the probe has ended."""
    system = system_on_both
    api = await system.api()
    one, other = await merchant(system, api), await merchant(system, api)
    await system.worker(identification_timeout_seconds=0.5)
    asked: list[str] = []

    async def slow(talk: Talk) -> None:
        if not asked:
            asked.append("identification")
            await talk.peer_closed()
            return
        asked.append("payment")
        talk.answer(await talk.request())
        await talk.peer_closed()

    async with ScriptedTerminal(slow, scripts_all=True) as device:
        await one.put("till-1", device.host)
        probing = asyncio.create_task(probe(one))
        await eventually(lambda: device.talks)
        assert (await system.holder(device.host) or "").startswith("prb_")
        paid = await other.pos.pay(device.host)

        assert (await probing)["result"] == "not_concert"
    assert paid.status_code == 200, paid.text
    assert asked[:2] == ["identification", "payment"]


async def test_without_a_worker_a_probe_ends_in_time(system: System) -> None:
    """504: nothing is known, and a worker that comes later does not run it."""
    api = await system.api(probe_lease_seconds=0.2, publish_timeout_seconds=0.9, queue_deadline_seconds=1)
    shop = await merchant(system, api)
    await shop.put("till-1", terminal_host())

    refused(await shop.send("POST", "/till-1/probe"), 504, "expired.probe.gateway.timeout")

    (row,) = await rows(system.database, "SELECT state, result FROM probes")
    assert (row.state, row.result) == ("ended", "no_worker")


async def test_only_the_merchants_own_terminals_are_probed(system: System) -> None:
    """404, and other kinds of credentials are refused."""
    api = await system.api()
    one, other = await merchant(system, api), await merchant(system, api)
    await one.put("till-1", terminal_host())
    public = Merchant(api, await system.login(kind=CredentialKind.PUBLIC))

    refused(await other.send("POST", "/till-1/probe"), 404, "unknown.resource.not.found")
    refused(await public.send("POST", "/till-1/probe"), 403, "public.forbidden")
