"""One terminal however it is written: one lock, one entry, one order."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any, Final

import pytest
from orders import order_on
from payments import add_terminal_row, change, rows
from running.api_alone import ApiAlone, Caller
from stored.merchants import set_networks

from shared.network.hosts import Address
from shared.payment.states import Event

ADDRESS: Final = "127.0.0.9:8888"
#: What leads there: addresses that are folded, and names.
SPELLINGS: Final = [
    "127.0.0.9",
    "127.0.0.9.",
    "::ffff:127.0.0.9",
    "64:ff9b::7f00:9",
    "2002:7f00:9::1",
    "till.example",
    "TILL.Example",
    "till.example.",
    "mapped.example",
    "other.example",
]
NAMES: Final = {
    "till.example": "127.0.0.9",
    "other.example": "64:ff9b::7f00:9",
    "mapped.example": "::ffff:7f00:9",
}
ASYNC: Final[dict[str, Any]] = {"headers": {"prefer": "respond-async"}}


async def lookup(host: str) -> Sequence[Address]:
    if host not in NAMES:
        raise OSError("no such name")
    return [ip_address(NAMES[host])]


async def merchant(api: ApiAlone) -> Caller:
    pos = await api.merchant()
    assert pos.merchant_id is not None
    await set_networks(api.database, pos.merchant_id, ("127.0.0.0/8", "::/0"))
    return pos


@pytest.mark.parametrize("api_settings", [{"lookup": lookup}])
async def test_every_spelling_takes_the_same_lock(api: ApiAlone) -> None:
    """However many orders are sent in however many ways: one terminal, one session at a time."""
    pos = await merchant(api)
    for host in SPELLINGS:
        await pos.order_async(host)

    assert [row.address for row in await rows(api.database, "SELECT address FROM terminal_locks")] == [
        ADDRESS
    ]
    assert {
        row.terminal_address for row in await rows(api.database, "SELECT terminal_address FROM payments")
    } == {ADDRESS}


@pytest.mark.parametrize("api_settings", [{"lookup": lookup}])
async def test_every_spelling_of_the_same_order_attaches(api: ApiAlone) -> None:
    """While it runs and when it is paid; the terminal beside it is a conflict."""
    pos = await merchant(api)
    first = await pos.order_async(SPELLINGS[0], order_id="order-1")
    for host in SPELLINGS:
        assert await pos.order_async(host, order_id="order-1") == first
    await api.settle(await api.claim(first), Event.ANSWERED_DONE)

    for host in SPELLINGS:
        answered = await pos.order(host, order_id="order-1")
        assert answered.json()["payment"]["replayed"] is True, host
    assert (await pos.order("127.0.0.10", order_id="order-1", **ASYNC)).status_code == 409


@pytest.mark.parametrize("rule", ["sole use", "disabled"])
@pytest.mark.parametrize("api_settings", [{"lookup": lookup}])
async def test_no_spelling_goes_round_a_rule(api: ApiAlone, rule: str) -> None:
    """Another merchant's sole use and a terminal that the merchant disabled hold for the device."""
    pos, other = await merchant(api), await merchant(api)
    if rule == "sole use":
        await add_terminal_row(api.database, other.merchant_id, sole_use_confirmed_at=1)
    else:
        await add_terminal_row(api.database, pos.merchant_id, disabled_at=1)

    for host in SPELLINGS:
        code = (await pos.order(host, **ASYNC)).json()["error"]["code"]
        assert code == ("reserved.forbidden" if rule == "sole use" else "disabled.terminal.conflict"), host


@pytest.mark.parametrize("api_settings", [{"lookup": lookup}])
async def test_an_entry_whose_name_leads_to_a_disabled_terminal_takes_no_payment(api: ApiAlone) -> None:
    """The merchant's word is about the device, not about the name."""
    pos = await merchant(api)
    await add_terminal_row(api.database, pos.merchant_id, disabled_at=1)
    await add_terminal_row(
        api.database, pos.merchant_id, id="t2", host="till.example", terminal_address="127.0.0.10:8888"
    )

    answered = await pos.post("/v1/connector/order", order_on("t2"))

    assert answered.json()["error"]["code"] == "disabled.terminal.conflict"


@pytest.mark.parametrize("api_settings", [{"lookup": lookup}])
async def test_what_is_no_host_is_refused_before_anything_is_stored(api: ApiAlone) -> None:
    """400 naming the field, in orders and in the registry."""
    pos = await merchant(api)
    for host in ("127.000.000.009", "127.1", "0x7f.1", " till.example", "127.0.0.9:8888", "::1%99"):
        answered = await pos.order(host, **ASYNC)
        assert answered.status_code == 400
        path = "pos_technical_info.host_information.host"
        assert answered.json()["error"]["details"] == {"path": path}
        answered = await pos.client.put("/v1/terminals/t1", json={"host": host})
        assert answered.status_code == 400
        assert answered.json()["error"]["details"] == {"path": "host"}
    assert await rows(api.database, "SELECT id FROM payments") == []
    assert await rows(api.database, "SELECT id FROM terminals") == []


async def test_the_next_payment_makes_a_lost_terminal_lock_again(api: ApiAlone, pos: Caller) -> None:
    """After a restored backup, in a process that used the terminal before: no worker could claim it else."""
    await pos.order_async()
    await change(api.database, "DELETE FROM terminal_locks")

    await api.claim(await pos.order_async())
