"""A revoked credential is refused by every process within five seconds."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence

import httpx
import pytest
from databases import Store
from eventually import eventually
from orders import order_for
from running.api_alone import ApiAlone, Caller, api_alone
from stored.merchants import resume_merchant, revoke_credential, suspend_merchant

from shared.security.credentials import CredentialKind
from shared.settings.load import load_settings
from shared.settings.settings import SettingsError
from shared.storage.db.engine import Database
from shared.storage.terminals import merchants

#: Of a request that begins later, nothing of the earlier state is believed.
_WITHIN_SECONDS = 5


async def in_time(look: Callable[[], Awaitable[bool]]) -> None:
    """Wait until it is so, which it must be for whoever comes after five seconds."""
    since = time.monotonic()

    async def look_once() -> bool:
        began = time.monotonic()
        seen = await look()
        assert seen or began - since < _WITHIN_SECONDS
        return seen

    await eventually(look_once)


def through(other: ApiAlone, caller: Caller) -> Caller:
    """The same client at another process."""
    client = httpx.AsyncClient(
        transport=httpx.ASGITransport(other.app), base_url="http://api", headers=caller.client.headers
    )
    return Caller(client, caller.merchant_id, caller.username)


PATHS = {
    CredentialKind.PRIVATE: ("GET", "/v1/payments"),
    CredentialKind.OPERATOR: ("GET", "/v1/operator/doubts"),
    CredentialKind.GATEWAY: ("POST", "/v1/gateway/evidence"),
}


async def test_a_revoked_credential_is_refused_by_every_process(store: Store) -> None:
    """Of each kind; those that believed it a moment ago, too."""
    async with api_alone(store) as one, api_alone(store) as two:

        async def is_revoked(kind: CredentialKind) -> None:
            owner = (await one.merchant()).merchant_id if kind is CredentialKind.PRIVATE else None
            here = await one.caller(kind, owner)
            there = through(two, here)

            async def statuses() -> set[int]:
                return {(await caller.client.request(*PATHS[kind])).status_code for caller in (here, there)}

            assert 401 not in await statuses()
            await revoke_credential(one.database, here.username)

            async def all_refused() -> bool:
                return await statuses() == {401}

            await in_time(all_refused)

        await asyncio.gather(*(is_revoked(kind) for kind in PATHS))


async def test_a_suspended_merchant_pays_nothing_new_at_any_process(store: Store) -> None:
    """It is answered why. What is running is answered and found as ever, and resumed it pays again."""
    # Until all know of it, orders are accepted: however many come, the queue has room.
    room = {"waiting_limit_per_terminal": 2500}
    async with api_alone(store, **room) as one, api_alone(store, **room) as two:
        here = await one.merchant()
        there = through(two, here)
        assert here.merchant_id is not None
        async_too = {"prefer": "respond-async"}
        # One terminal has room for fifty payments that wait.
        hosts = (f"127.9.{number // 250}.{number % 250 + 1}" for number in itertools.count())
        running = await here.order_async(order_id="running")
        other = await there.order_async(order_id="other")
        assert running != other

        await suspend_merchant(one.database, here.merchant_id, "the shop has closed")

        async def all_refused() -> bool:
            answers = [await caller.order(next(hosts), headers=async_too) for caller in (here, there)]
            return {answered.status_code for answered in answers} == {403}

        await in_time(all_refused)
        refused = await there.order(headers=async_too)
        assert refused.json()["error"]["code"] == "suspended.forbidden"
        assert refused.json()["error"]["description"] == "The merchant is suspended: the shop has closed."
        assert (await there.post("/v1/terminals/till/probe")).status_code == 403
        assert await there.order_async(order_id="running") == running
        assert (await there.get(f"/v1/payments/{running}")).status_code == 200
        assert (await there.post(f"/v1/payments/{running}/cancel")).status_code == 200

        await resume_merchant(one.database, here.merchant_id)

        async def accepted() -> bool:
            return (await there.order(next(hosts), headers=async_too)).status_code == 202

        await in_time(accepted)


def test_no_setting_lets_a_revoked_credential_live_longer() -> None:
    """The promise holds for every installation."""
    with pytest.raises(SettingsError, match="CREDENTIAL_CACHE_SECONDS"):
        load_settings(credential_cache_seconds=6)


async def test_known_and_unknown_names_are_refused_alike(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One answer, and one look into the database for each, also where the name is known from a moment ago."""
    looks: list[str] = []
    real = merchants.credentials

    async def counted(database: Database, names: Sequence[str]) -> dict[str, merchants.Credential]:
        looks.extend(names)
        return await real(database, names)

    monkeypatch.setattr(merchants, "credentials", counted)
    async with api_alone(sqlite_store) as api:
        caller = await api.merchant()
        await caller.get("/v1/payments")
        looks.clear()

        answers = [
            await caller.client.post(
                "/v1/connector/order", json=order_for("127.0.0.9", 1), auth=(name, "wrong")
            )
            for name in (caller.username, "nobody", caller.username, "nobody")
        ]

        assert {answered.status_code for answered in answers} == {401}
        assert len({answered.text for answered in answers}) == 1
        assert looks == [caller.username, "nobody"] * 2
