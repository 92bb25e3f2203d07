"""Many payments at once, whose calls of the database go together, while connections to it are lost."""

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import httpx
import pytest
from eventually import eventually
from limits import PATIENT_SESSIONS
from loopback import terminal_host
from orders import order_for
from payments import rows
from races.watched_connections import Sent, watched
from running.assembled import Api, Worker
from system import Pos, System, payment_id

from sandbox.terminal.device.device import Device
from sandbox.terminal.device.session_log import charged_twice, overlapping_sessions
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.server import VirtualTerminal

TERMINALS = 24
ORDERS_EACH = 4
TROUBLES = 20
#: Connections that are running one of the functions.
_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND state = 'active' AND query LIKE '%ct_%'"
    " AND pid <> pg_backend_pid()"
)


@pytest.fixture
def limits() -> dict[str, object]:
    return {**PATIENT_SESSIONS, "worker_stale_seconds": 9}


async def _sell(pos: Pos, host: str) -> list[httpx.Response]:
    """Pay orders one after the other; each is sent again after a trouble of ours."""
    answers = []
    for _ in range(ORDERS_EACH):
        order = order_for(host)
        answer = await pos.send(order)
        while answer.status_code >= 500:
            answer = await pos.send(order)
        answers.append(answer)
    return answers


async def _lose_connections(system: System, api: Api, worker: Worker, rng: random.Random) -> None:
    """Lose the answers of commits, and end connections in the middle of a function."""
    for _ in range(TROUBLES):
        match rng.randrange(3):
            case 0:
                api.database.lost_commits = 1
            case 1:
                worker.database.lost_commits = 1
            case _:
                await rows(system.database, _END)
        await asyncio.sleep(rng.uniform(0.02, 0.08))


async def test_of_many_payments_at_once_none_is_charged_twice_or_lost_with_its_connection(
    system: System,
) -> None:
    """Each is answered as it is stored, charged once, and its terminal is free again."""
    api, worker = await system.api(), await system.worker()
    pos = await system.pos(api)
    sizes: Counter[str] = Counter()

    async def count(sent: Sent) -> None:
        words = sent.statement.on("postgresql")
        sizes.update(
            name for name in ("ct_accept_batch", "ct_claim_batch", "ct_settle_batch") if name in words
        )

    async with AsyncExitStack() as stack:
        terminals: list[Any] = [
            await stack.enter_async_context(
                VirtualTerminal(terminal_host(), behaviour=Behaviour(), device=Device(request_idle_seconds=0))
            )
            for _ in range(TERMINALS)
        ]
        stack.enter_context(watched(api.database, before_statement=count))
        stack.enter_context(watched(worker.database, before_statement=count))
        trouble = asyncio.create_task(_lose_connections(system, api, worker, random.Random(7)))
        try:
            selling = [_sell(pos, terminal.host) for terminal in terminals]
            answers = [answer for answered in await asyncio.gather(*selling) for answer in answered]
        finally:
            trouble.cancel()

        stored = {row.id: row for row in await system.payments()}
        records = [record for terminal in terminals for record in terminal.records]
        assert min(sizes.values()) > 0
        assert len(sizes) == 3
        assert charged_twice(records) == []
        charged = sum(record.charged for record in records)
        succeeded = [row for row in stored.values() if row.state == "succeeded"]
        assert charged == len(succeeded) == len(answers)
        for answer in answers:
            assert answer.json()["paymentStatus"] == "Success", answer.text
            assert stored[payment_id(answer)].state == "succeeded"
        for terminal in terminals:
            assert overlapping_sessions(terminal.records) == []
            await eventually(partial(system.is_free, terminal.host))
