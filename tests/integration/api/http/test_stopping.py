"""An API process that stops: the proxy notices first, then the port is closed, then the requests end."""

import asyncio
from functools import partial
from pathlib import Path

import httpx
from databases import Store
from eventually import eventually
from limits import PATIENT_SESSIONS, SHORT_LIMITS
from running.fleet import Process, fleet_of
from system import LOOPBACK, Pos, delete_queues, system_on
from wire.scripted_terminal import ScriptedTerminal, answers_after

#: Long enough for a few requests on a loaded machine.
UNREADY_SECONDS = 6.0

#: The customer takes as long as the test needs; the machine decides how long that is.
PATIENT_CUSTOMER = {
    **SHORT_LIMITS,
    **PATIENT_SESSIONS,
    "answer_timeout_seconds": 60,
    "terminal_own_time_seconds": 60,
    "worker_drain_seconds": 70,
    "worker_stop_grace_seconds": 75,
    "caller_wait_seconds": 150,
    "api_drain_seconds": 155,
    "api_stop_grace_seconds": 165,
}


async def management(process: Process, path: str) -> int:
    port = (await process.logged("management port is open"))["port"]
    async with httpx.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{port}{path}")).status_code


async def refuses(url: str) -> bool:
    """Return whether a new connection is refused, or was made right before the port was closed."""
    try:
        async with httpx.AsyncClient() as client:
            await client.get(f"{url}/v1/connector/healthcheck")
    except httpx.TransportError:
        return True
    return False


async def test_a_stopping_api_refuses_nobody_before_the_proxy_knows(
    sqlite_store: Store, amqp_url: str, amqp_prefix: str, tmp_path: Path
) -> None:
    """Red at once, open for the promised time, each answer ends its connection; the running order is
    answered."""
    settings = {
        **PATIENT_CUSTOMER,
        "database_url": sqlite_store.url,
        "amqp_url": amqp_url,
        "amqp_prefix": amqp_prefix,
        "api_unready_seconds": UNREADY_SECONDS,
    }
    customer_pays = asyncio.Event()

    async with (
        fleet_of(settings, tmp_path) as fleet,
        system_on(sqlite_store.url, amqp_url, amqp_prefix, **PATIENT_CUSTOMER) as system,
        ScriptedTerminal(answers_after(customer_pays)) as terminal,
        httpx.AsyncClient(timeout=200) as client,
        asyncio.TaskGroup() as group,
    ):
        api = await fleet.start("api")
        url = f"http://127.0.0.1:{(await api.logged('API is serving'))['port']}"
        await system.worker()
        paying = group.create_task(Pos(client, await system.login(LOOPBACK), url).pay(terminal.host))
        await eventually(lambda: terminal.talks and terminal.talks[0].received)
        assert [await management(api, path) for path in ("/acceptz", "/readyz")] == [200, 200]
        assert "connection" not in (await client.get(f"{url}/v1/connector/healthcheck")).headers

        api.terminate()

        await api.logged("stopping")
        assert [await management(api, path) for path in ("/acceptz", "/readyz")] == [503, 503]
        late = await client.get(f"{url}/v1/connector/healthcheck")
        assert (late.status_code, late.headers["connection"]) == (200, "close")
        await eventually(partial(refuses, url))
        assert not paying.done()
        customer_pays.set()
        assert (await paying).json()["paymentStatus"] == "Success"
        assert await api.ended() == 0
    await delete_queues(amqp_url, amqp_prefix)
