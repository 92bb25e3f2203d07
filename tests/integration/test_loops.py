"""Loops that log errors and go on: no cancelled statement and no error of the code ends a process."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from databases import Store
from eventually import eventually
from payments import rows
from races.cancelled_statements import timeouts_set
from races.interleaving import open_transaction
from structlog.testing import capture_logs
from system import System, system_on
from wire.endpoints import add_endpoint
from wire.scripted_terminal import ScriptedTerminal, answers
from wire.webhook_receiver import receiving

from api.limits.admission import Admission
from api.payments.waiters import Waiters
from notifier_worker import main as notifier_main
from notifier_worker.dispatch import Dispatcher
from notifier_worker.relay import Relay
from shared.storage.db.engine import Database
from shared.storage.db.schema.migrate import METADATA
from shared.storage.db.statement import Statement
from shared.storage.terminals.heartbeats import Heartbeats
from terminal_worker import main as worker_main
from terminal_worker.recovery.dead_workers import Recovery
from terminal_worker.recovery.doubt_leases import DoubtLeases
from terminal_worker.recovery.sweep import Sweep


@asynccontextmanager
async def processes(system: System) -> AsyncIterator[list["asyncio.Task[None]"]]:
    """Run a terminal worker and a notifier worker as their commands do."""
    running = [asyncio.create_task(root.run(system.settings)) for root in (worker_main, notifier_main)]
    try:
        await eventually(lambda: rows(system.database, "SELECT id FROM workers"))
        yield running
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_a_database_that_cancels_every_statement_ends_no_process(
    postgres_store: Store, postgres_database: Database, amqp_url: str, system_prefix: str
) -> None:
    """Somebody holds every table for a while, and `lock_timeout` is short: afterwards payments are paid."""
    async with (
        timeouts_set(postgres_database, statement="5s", lock="50ms"),
        system_on(postgres_store.url, amqp_url, system_prefix) as system,
        processes(system) as running,
        ScriptedTerminal(answers) as terminal,
    ):
        pos = await system.pos()
        with capture_logs() as log:
            async with open_transaction(postgres_database) as tx:
                await tx.run(Statement("SET LOCAL lock_timeout = 0"))
                tables = ", ".join(table.name for table in METADATA.sorted_tables)
                await tx.run(Statement(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"))
                await eventually(
                    lambda: (
                        {
                            "heartbeat not stored",
                            "workers not checked",
                            "payments whose deadline passed not read",
                            "deliveries not swept",
                        }
                        <= {line["event"] for line in log}
                    )
                )

        assert not any(task.done() for task in running)
        assert (await pos.pay(terminal.host)).json()["paymentStatus"] == "Success"


@pytest.mark.parametrize("limits", [{"waiting_count_seconds": 0.1}])
async def test_an_error_of_the_code_ends_no_loop(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each loop's work fails once, and is done again."""
    calls = Counter[str]()

    def failing(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        async def fail_once(*given: Any, **named: Any) -> Any:
            calls[name] += 1
            if calls[name] == 1:
                raise RuntimeError(name)
            return await original(*given, **named)

        return fail_once

    loops: list[tuple[type[Any], str]] = [
        (Heartbeats, "beat"),
        (Recovery, "look"),
        (DoubtLeases, "end_due"),
        (Sweep, "once"),
        (Relay, "sweep"),
        (Relay, "count"),
        (Dispatcher, "_lease_pending"),
        (Waiters, "ask"),
        (Admission, "recount"),
    ]
    for owner, name in loops:
        key = f"{owner.__name__}.{name}"
        monkeypatch.setattr(owner, name, failing(key, getattr(owner, name)))
    async with (
        processes(system) as running,
        ScriptedTerminal(answers) as terminal,
        receiving() as hooks,
    ):
        pos = await system.pos()
        await add_endpoint(system.database, system.settings, pos.login.merchant_id, hooks.url)

        assert (await pos.pay(terminal.host)).json()["paymentStatus"] == "Success"
        await hooks.heard(1)
        await eventually(lambda: set(calls) and len(calls) == len(loops) and min(calls.values()) > 1)

        assert not any(task.done() for task in running)
