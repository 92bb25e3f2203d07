"""The order guard stands before everything that can fail: an earlier attempt is the answer."""

import copy
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, Final

import httpx
import pytest
from orders import order_for
from payments import add_terminal_row, change, lose, prove, rows
from running.api_alone import ApiAlone, Caller, on_sqlite
from stored.merchants import suspend_merchant

from shared.network.hosts import Address
from shared.payment.states import Event, State
from shared.security.credentials import CredentialKind

NAME: Final = "terminal.example"
ADDRESS: Final = "127.0.0.9"
#: Names, entries and credentials are asked for anew at each request.
NO_CACHE: Final[dict[str, Any]] = {"credential_cache_seconds": 0.001, "name_cache_seconds": 0.001}


@dataclass
class Names:
    """A name server that can be told to fail."""

    known: dict[str, list[str]] = field(default_factory=lambda: {NAME: [ADDRESS]})

    async def lookup(self, host: str) -> Sequence[Address]:
        if host not in self.known:
            raise OSError("no such name")
        return [ip_address(address) for address in self.known[host]]


@dataclass
class Scene:
    """A POS, its order on its way, and what stands in the way of the next equal request."""

    api: ApiAlone
    pos: Caller
    names: Names
    body: dict[str, Any]

    async def again(self, changes: Callable[[dict[str, Any]], None] | None = None) -> httpx.Response:
        """Send the order once more, without waiting for its result."""
        body = copy.deepcopy(self.body)
        if changes is not None:
            changes(body)
        return await self.pos.post("/v1/connector/order", body, prefer="respond-async")


async def name_lost(scene: Scene) -> None:
    """The host's name has no address any more."""
    scene.names.known.clear()


async def networks_changed(scene: Scene) -> None:
    """The terminal is outside of what the merchant may drive now."""
    await change(scene.api.database, "UPDATE merchants SET networks = '[\"10.0.0.0/8\"]'")


async def suspended(scene: Scene) -> None:
    """An operator suspended the merchant."""
    assert scene.pos.merchant_id is not None
    await suspend_merchant(scene.api.database, scene.pos.merchant_id, "unpaid")


async def reserved_for_another(scene: Scene) -> None:
    """An operator confirmed the sole use of another merchant."""
    other = await scene.api.merchant()
    await add_terminal_row(scene.api.database, other.merchant_id, sole_use_confirmed_at=1)


async def disabled(scene: Scene) -> None:
    """The merchant disabled the terminal."""
    await add_terminal_row(scene.api.database, scene.pos.merchant_id, disabled_at=1)


async def profile_changed(scene: Scene) -> None:
    """The terminal's entry wants an authorisation that its profile cannot bear."""
    await add_terminal_row(
        scene.api.database,
        scene.pos.merchant_id,
        profile='{"sends_authorisation":false}',
        authorisation="always",
    )


async def endpoint_gone(scene: Scene) -> None:
    """The order names a webhook endpoint that is not known."""
    scene.body["order"]["webhook_endpoint_id"] = "whe_unknown"


async def too_many_wait(scene: Scene) -> None:
    """No place is left in the queue of the terminal."""
    scene.api.payments.admission._limits["terminal_address"] = 0


#: What is said where the order has no earlier attempt.
OBSTACLES: Final[dict[str, tuple[Callable[[Scene], Awaitable[None]], int]]] = {
    "name lost": (name_lost, 502),
    "networks changed": (networks_changed, 403),
    "suspended": (suspended, 403),
    "reserved": (reserved_for_another, 403),
    "disabled": (disabled, 409),
    "profile changed": (profile_changed, 400),
    "endpoint gone": (endpoint_gone, 400),
    "too many wait": (too_many_wait, 503),
}


@pytest.fixture
def names() -> Names:
    return Names()


@pytest.fixture
def api_settings(names: Names) -> dict[str, Any]:
    return {**NO_CACHE, "lookup": names.lookup}


@pytest.fixture
def scene(api: ApiAlone, pos: Caller, names: Names) -> Scene:
    return Scene(api, pos, names, order_for(NAME))


async def walk(scene: Scene, check: Callable[[str], Awaitable[None]]) -> None:
    """Let the scene's only payment pass through every state that keeps others out; check in each."""
    (row,) = await rows(scene.api.database, "SELECT id FROM payments")
    await check(row.id)
    claimed = await scene.api.claim(row.id)
    await check(row.id)
    await lose(scene.api.database, claimed)
    await check(row.id)
    await prove(scene.api.database, row.id, Event.PROVED_DONE)
    await check(row.id)


@pytest.mark.parametrize("obstacle", OBSTACLES)
async def test_an_earlier_attempt_is_the_answer_whatever_stands_in_the_way(
    scene: Scene, obstacle: str
) -> None:
    """Queued, in session, in doubt or succeeded: the same order attaches or is replayed."""
    assert (await scene.again()).status_code == 202
    await OBSTACLES[obstacle][0](scene)

    async def check(payment_id: str) -> None:
        answered = await scene.again()
        payment = answered.json()["payment"]
        assert (payment["id"], payment["safe_to_retry"]) == (payment_id, False), answered.text
        assert answered.status_code == (200 if payment["state"] == State.SUCCEEDED else 202)
        assert len(await rows(scene.api.database, "SELECT id FROM payments")) == 1

    await walk(scene, check)


@pytest.mark.parametrize("obstacle", OBSTACLES)
async def test_another_amount_is_a_conflict_whatever_stands_in_the_way(scene: Scene, obstacle: str) -> None:
    """With the attempt that counts, and not safe to retry; with an Idempotency-Key of its own, too."""
    assert (await scene.again()).status_code == 202
    await OBSTACLES[obstacle][0](scene)

    async def check(payment_id: str) -> None:
        for headers in ({}, {"idempotency_key": "k"}):
            body = copy.deepcopy(scene.body)
            body["order"]["price"]["amount"] = 999
            answered = await scene.pos.post("/v1/connector/order", body, **headers)
            assert answered.status_code == 409, answered.text
            told = answered.json()
            assert told["error"]["details"] == {"safe_to_retry": False}
            assert (told["payment"]["id"], told["payment"]["safe_to_retry"]) == (payment_id, False)

    await walk(scene, check)


@pytest.mark.parametrize("obstacle", OBSTACLES)
async def test_without_an_earlier_attempt_the_obstacle_is_the_answer(scene: Scene, obstacle: str) -> None:
    """Also after one that failed; what is refused leaves neither payment nor key behind."""
    assert (await scene.again()).status_code == 202
    (row,) = await rows(scene.api.database, "SELECT id FROM payments")
    await scene.api.settle(await scene.api.claim(row.id), Event.ANSWERED_REFUSED)
    set_up, status = OBSTACLES[obstacle]
    await set_up(scene)

    answered = await scene.pos.post("/v1/connector/order", scene.body, idempotency_key="k")

    assert answered.status_code == status, answered.text
    is_stored = obstacle == "name lost"  # as unreachable, with its event
    assert len(await rows(scene.api.database, "SELECT id FROM payments")) == 1 + is_stored
    assert len(await rows(scene.api.database, "SELECT key FROM idempotency_keys")) == is_stored


async def test_a_registered_terminal_that_was_removed_still_attaches(scene: Scene) -> None:
    """By the id that the order named; another order hears that there is no such terminal."""
    await add_terminal_row(scene.api.database, scene.pos.merchant_id)
    del scene.body["pos_technical_info"]["host_information"]
    scene.body["pos_technical_info"]["terminal_id"] = "t1"
    assert (await scene.again()).status_code == 202
    await change(scene.api.database, "DELETE FROM terminals")

    async def check(payment_id: str) -> None:
        assert (await scene.again()).json()["payment"]["id"] == payment_id

    await walk(scene, check)
    other = await scene.again(lambda body: body["order"].update(order_id="other"))
    assert other.json()["error"]["code"] == "unavailable.terminal.bad.request"


@pytest.mark.parametrize("operation", ["Cancel", "Credit"])
@pytest.mark.parametrize("obstacle", ["name lost", "networks changed", "too many wait"])
async def test_money_is_not_given_back_twice_where_the_name_is_lost(
    scene: Scene, operation: str, obstacle: str
) -> None:
    """A reversal or credit that counts is the answer for its repetition, as a debit is."""
    assert (await scene.again()).status_code == 202
    (row,) = await rows(scene.api.database, "SELECT id FROM payments")
    await scene.api.settle(await scene.api.claim(row.id), Event.ANSWERED_DONE)
    scene.body["order"]["transaction_type"] = operation
    back = (await scene.again()).json()["payment"]["id"]
    assert back != row.id
    await lose(scene.api.database, await scene.api.claim(back))

    await OBSTACLES[obstacle][0](scene)

    answered = await scene.again()
    payment = answered.json()["payment"]
    assert (payment["id"], payment["safe_to_retry"]) == (back, False)


async def test_another_name_that_leads_nowhere_is_another_terminal(scene: Scene) -> None:
    """An order that may be the same is a conflict, and never a second charge."""
    assert (await scene.again()).status_code == 202

    def elsewhere(body: dict[str, Any]) -> None:
        body["pos_technical_info"]["host_information"]["host"] = "other.example"

    async def check(payment_id: str) -> None:
        answered = await scene.again(elsewhere)
        assert answered.status_code == 409
        assert answered.json()["error"]["code"] == "different.order.conflict"
        assert answered.json()["payment"]["id"] == payment_id

    await walk(scene, check)


@on_sqlite
async def test_a_new_credential_of_the_merchant_finds_its_order(scene: Scene) -> None:
    """The guard belongs to the merchant: the POS with the new password attaches, too."""
    first = (await scene.again()).json()["payment"]["id"]
    scene.names.known.clear()
    scene.pos = await scene.api.caller(CredentialKind.PRIVATE, scene.pos.merchant_id)

    assert (await scene.again()).json()["payment"]["id"] == first
