"""An operator's request that a worker ends: it finishes its sessions, takes nothing new, and ends."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import pytest
from eventually import eventually
from payments import rows
from running.assembled import Api, whole_process
from structlog.testing import capture_logs
from system import System
from wire.raw_http import basic
from wire.scripted_terminal import ScriptedTerminal, answers_after

from api.operator import fleet_routes
from shared.security.credentials import CredentialKind
from terminal_worker import main as worker_main
from terminal_worker.drain_request import until_asked_to_drain


@dataclass
class Operator:
    """Operator, an administrator, with a client of the API."""

    api: Api
    headers: dict[str, str]

    async def drain(self, worker: str, **body: Any) -> Any:
        return await self.api.client.post(
            f"/v1/operator/workers/{worker}/drain", json=body, headers=self.headers
        )

    async def get(self, path: str) -> Any:
        answered = await self.api.client.get(path, headers=self.headers)
        assert answered.status_code == 200, answered.text
        return answered.json()


async def an_operator(system: System) -> Operator:
    login = await system.login(kind=CredentialKind.OPERATOR, merchant=False)
    return Operator(await system.api(), basic(login.username, login.secret))


def worker_process(system: System) -> AbstractAsyncContextManager["asyncio.Task[None]"]:
    """Run a terminal worker as its command does, with its own account of the database."""
    return whole_process(worker_main.run(system._settings_of("terminal", {})))


async def test_a_drained_worker_ends_its_sessions_and_then_itself(
    system_on_both: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with SIGTERM: what runs is answered, what waits is another worker's; the request is recorded."""
    # Long against the tests' heartbeats of 0.1 s.
    monkeypatch.setattr(fleet_routes, "_LOOK_AGAIN_SECONDS", 0.8)
    system, customer_pays = system_on_both, asyncio.Event()
    operator, pos = await an_operator(system), await system.pos()
    async with (
        ScriptedTerminal(answers_after(customer_pays)) as terminal,
        worker_process(system) as running,
        asyncio.TaskGroup() as group,
    ):
        paying = group.create_task(pos.pay(terminal.host))
        await eventually(lambda: terminal.talks and terminal.talks[0].received)
        (lock,) = await rows(system.database, "SELECT worker FROM terminal_locks WHERE held_by IS NOT NULL")

        with capture_logs() as log:
            asked = await operator.drain(lock.worker, reason="Its machine is replaced.")
            await eventually(lambda: any(line["event"] == "finishing sessions" for line in log))
        (listed,) = (await operator.get("/v1/operator/workers"))["workers"]
        assert not running.done()
        customer_pays.set()
        await asyncio.wait_for(running, 30)

        assert (asked.status_code, asked.json()) == (202, {"id": lock.worker, "is_new": True})
        assert (listed["id"], listed["is_alive"], listed["drains"]) == (lock.worker, True, True)
        assert (await paying).json()["paymentStatus"] == "Success"
    assert await system.all_of("worker_drains") == []
    (recorded,) = (await operator.get("/v1/operator/audit?action=worker_drained"))["actions"]
    assert (recorded["action"], recorded["subject"]) == ("worker_drained", lock.worker)
    assert recorded["reason"] == "Its machine is replaced."
    assert (await operator.drain(lock.worker, reason="Again.")).status_code == 404


async def test_a_drain_is_asked_for_once_by_an_administrator_with_a_reason(system: System) -> None:
    """The second request changes nothing; without a reason, or for no worker, nothing is asked."""
    operator, worker = await an_operator(system), await system.worker()

    for body in ({}, {"reason": ""}, {"reason": "x", "more": 1}):
        assert (await operator.drain(worker.id, **body)).status_code == 400, body
    assert (await operator.drain("0123456789abcdef", reason="x")).status_code == 404
    assert await system.all_of("worker_drains") == []
    first, second = [await operator.drain(worker.id, reason="x") for _ in range(2)]

    assert (first.json()["is_new"], second.json()["is_new"]) == (True, False)
    assert len((await operator.get("/v1/operator/audit?action=worker_drained"))["actions"]) == 1


async def test_an_unavailable_database_ends_no_worker(system: System) -> None:
    """The worker goes on, and obeys once the database is back."""
    operator, worker = await an_operator(system), await system.worker()
    looking = asyncio.create_task(until_asked_to_drain(worker.database, worker.id, interval_seconds=0.01))
    worker.database.is_unavailable = True
    with capture_logs() as log:
        await operator.drain(worker.id, reason="x")
        await eventually(lambda: any(line["event"] == "drain request not looked for" for line in log))
        assert not looking.done()
        worker.database.is_unavailable = False

        await asyncio.wait_for(looking, 30)
