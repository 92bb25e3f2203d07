"""Two API processes, two workers and virtual terminals, as a merchant and an operator see them."""

import asyncio
import base64
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from databases import Store
from eventually import eventually
from limits import SHORT_LIMITS
from orders import order_for, order_with
from running.fleet import Fleet, Process, fleet_of
from system import LOOPBACK, Pos, System, system_on
from wire.scripted_terminal import ScriptedTerminal, Talk
from wire.shop_terminal import shop_terminal

from api.openapi.examples import EXAMPLE_REQUEST, FULL_REQUEST, MINIMAL_REQUEST
from sandbox.terminal.device.device import TEST_CARD_NUMBER, Device
from sandbox.terminal.device.session_log import SessionRecord, charged_twice, overlapping_sessions
from sandbox.terminal.script.behaviour import Behaviour, Customer
from sandbox.terminal.server.request import Request
from sandbox.terminal.server.server import VirtualTerminal

TERMINALS = 20
PAYMENTS = 200
#: Limits that a rush on a slow machine does not reach: this file is not about speed.
PATIENT = {
    "caller_wait_in_doubt_seconds": 1,
    "management_port": 0,
    "api_port": 0,
    "secret_key": SHORT_LIMITS["secret_key"],
    "database_pool_size": 40,
    "sweep_interval_seconds": 0.3,
    "publish_timeout_seconds": 40,
    "queue_deadline_seconds": 60,
    "accept_wait_seconds": 120,
    "worker_lag_limit_seconds": 60,
    "caller_wait_seconds": 260,
    "proxy_timeout_seconds": 270,
    "api_unready_seconds": 0,
    "api_drain_seconds": 265,
    "api_stop_grace_seconds": 280,
    "log_format": "json",
}
#: A connection that the server ends after its idle time must not be taken for a lost request.
NO_REUSE = httpx.Limits(max_connections=None, max_keepalive_connections=0)
DEVICE = Device(request_idle_seconds=0, shows_full_card_number=True)


@dataclass
class Running:
    """The processes, and the same system seen from the test."""

    fleet: Fleet
    system: System
    registers: list[Pos]
    apis: list[Process]
    workers: list[Process]
    store: Store

    async def metrics(self, process: Process) -> str:
        opened = await process.logged("management port is open")
        async with httpx.AsyncClient() as client:
            return (await client.get(f"http://127.0.0.1:{opened['port']}/metrics")).text

    async def added_up(self, name: str, *labels: str) -> float:
        """Return a metric's sum over all processes and over all labels but the given ones."""
        total = 0.0
        for process in (*self.apis, *self.workers):
            for line in (await self.metrics(process)).splitlines():
                sample, _, value = line.rpartition(" ")
                if sample.partition("{")[0] == f"cloud_terminal_{name}" and all(
                    label in sample for label in labels
                ):
                    total += float(value)
        return total


@pytest.fixture
async def running(store: Store, amqp_url: str, own_prefix: str, tmp_path: Path) -> AsyncIterator[Running]:
    settings: dict[str, Any] = {
        **PATIENT,
        "database_url": store.url,
        "amqp_url": amqp_url,
        "amqp_prefix": own_prefix,
    }
    async with (
        fleet_of(settings, tmp_path) as fleet,
        system_on(store.url, amqp_url, own_prefix, **PATIENT) as system,
        httpx.AsyncClient(timeout=120, limits=NO_REUSE) as client,
    ):
        workers = [await fleet.start("terminal-worker") for _ in range(2)]
        apis = [await fleet.start("api") for _ in range(2)]
        login = await system.login(LOOPBACK)
        registers = []
        for api in apis:
            port = (await api.logged("API is serving"))["port"]
            registers.append(Pos(client, login, f"http://127.0.0.1:{port}"))
        for worker in workers:
            await worker.logged("terminal worker is taking payments")
        yield Running(fleet, system, registers, apis, workers, store)


def customer_for(request: Request) -> Behaviour | None:
    """Return the outcome by amount: refused where it ends in 1, abandoned in 2, else approved."""
    if not request.is_operation:
        return None
    customer = {1: Customer.REFUSE, 2: Customer.ABANDON}.get(request.amount_cents % 10, Customer.APPROVE)
    return Behaviour(customer=customer, delay_seconds=0.01)


async def test_two_hundred_payments_at_once_over_twenty_terminals(running: Running) -> None:
    """No terminal has two sessions, no card is charged twice, every answer equals the stored row; then the
    metrics count all of it, no log or row holds a card number, and all processes end in order."""
    async with contextlib.AsyncExitStack() as stack:
        terminals = [
            await stack.enter_async_context(shop_terminal(choose=customer_for, device=DEVICE))
            for _ in range(TERMINALS)
        ]
        orders = [order_for(terminals[n % TERMINALS].host, 4000 + n % 10) for n in range(PAYMENTS)]
        random.Random(7).shuffle(orders)

        answers = await asyncio.gather(
            *(running.registers[n % 2].send(order) for n, order in enumerate(orders))
        )

        await check_that_answers_are_the_stored_rows(running, answers)
        check_the_terminals_records(terminals)
        await check_the_metrics(running)
        await check_that_no_card_number_was_kept(running)
    assert await running.fleet.stop() == [0, 0, 0, 0]


async def check_that_answers_are_the_stored_rows(running: Running, answers: list[httpx.Response]) -> None:
    rows = {row.id: row for row in await running.system.payments()}
    assert len(rows) == PAYMENTS
    for answer in answers:
        assert answer.status_code == 200, answer.text
        body = answer.json()
        shown, row = body["payment"], rows.pop(body["payment"]["id"])
        for field in ("state", "authorisation_number", "masked_card", "application", "aid", "order_id"):
            assert shown.get(field) == getattr(row, field), field
        assert shown["amount"] == (row.amount_cents if row.paid_cents is None else row.paid_cents)
        assert body.get("errorCode") == row.error_code
        assert body["paymentStatus"] == ("Success" if row.state == "succeeded" else "Failed")
        # The contract's base64 may hold the receipt in another form of line ends.
        assert base64.b64decode(body["receipt"]).decode().split() == (row.receipt or "").split()
    assert rows == {}


def payments_of(terminal: VirtualTerminal) -> list[SessionRecord]:
    """Return the terminal's sessions but the one identification after its first payment."""
    return [record for record in terminal.records if record.operation != "identification"]


def check_the_terminals_records(terminals: list[VirtualTerminal]) -> None:
    for terminal in terminals:
        records = payments_of(terminal)
        assert overlapping_sessions(list(terminal.records)) == []
        assert charged_twice(records) == []
        assert len(records) == PAYMENTS // TERMINALS
        assert "busy" not in {record.outcome for record in records}
    outcomes = Counter(record.outcome for terminal in terminals for record in payments_of(terminal))
    assert outcomes == {"done": 160, "refused": 20, "abandoned": 20}


async def check_the_metrics(running: Running) -> None:
    for outcome, count in (("succeeded", 160), ("refused", 20), ("aborted", 20)):
        labels = ('operation="debit"', f'outcome="{outcome}"')
        assert await running.added_up("payments_total", *labels) == count
    assert await running.added_up("session_duration_seconds_count", 'operation="debit"') == PAYMENTS
    assert await running.added_up("added_latency_seconds_count") == PAYMENTS
    assert await running.added_up("queue_wait_seconds_count") == PAYMENTS

    customer_pays = asyncio.Event()

    async def answers_the_first(talk: Talk) -> None:
        asked = await talk.request()
        if len(shop.talks) == 1:
            await customer_pays.wait()
            talk.answer(asked)

    async with ScriptedTerminal(answers_the_first) as shop, asyncio.TaskGroup() as group:
        group.create_task(running.registers[0].pay(shop.host))
        await eventually(lambda: shop.talks)
        group.create_task(running.registers[0].pay(shop.host))
        for state in ("queued", "in_session"):
            await eventually(partial(_shows, running, state))
        customer_pays.set()
        await eventually(partial(_shows, running, "in_doubt"))


async def _shows(running: Running, state: str) -> bool:
    return await running.added_up("payments_open", f'state="{state}"') >= 1


async def check_that_no_card_number_was_kept(running: Running) -> None:
    kept = "".join(process.text for process in running.fleet.processes)
    if running.system.database.dialect == "sqlite":
        path = Path(running.store.url.removeprefix("sqlite+aiosqlite:///"))
        kept += "".join(file.read_bytes().decode("latin-1") for file in path.parent.glob("*.db*"))
    else:
        for table in ("payments", "payment_events", "evidence", "terminal_locks"):
            kept += str(await running.system.all_of(table))
    assert "session ended" in kept
    assert TEST_CARD_NUMBER[:6] in kept
    assert TEST_CARD_NUMBER not in kept
    assert TEST_CARD_NUMBER[6:] not in kept
    receipts = [row.receipt for row in await running.system.payments()]
    assert any(receipts)
    assert not [text for text in receipts if text and TEST_CARD_NUMBER[:-4] in text]


async def test_every_field_of_the_contracts_answer_comes_back(sqlite_system: System) -> None:
    """The contract's example, mandatory fields only, and every field; approved, refused and abandoned."""
    pos = await sqlite_system.pos()
    await sqlite_system.worker()
    async with shop_terminal(device=DEVICE) as shop:
        for number, base in enumerate((EXAMPLE_REQUEST, MINIMAL_REQUEST, FULL_REQUEST)):
            for customer in Customer:
                shop.behaviour = Behaviour(customer=customer, contactless=True)
                edits = {
                    "order.order_id": f"order-{number}-{customer}",
                    "pos_technical_info.host_information.host": shop.host,
                }
                request = order_with(edits, base)
                check_the_answer(await pos.send(request), request, customer)


def check_the_answer(answered: httpx.Response, request: dict[str, Any], customer: Customer) -> None:
    assert answered.status_code == 200, answered.text
    body = answered.json()
    approved = customer is Customer.APPROVE
    assert body["paymentStatus"] == ("Success" if approved else "Failed")
    codes = {Customer.REFUSE: "04", Customer.ABANDON: "06"}
    assert body.get("errorCode") == codes.get(customer)
    for field in ("errorDescription", "errorData"):
        assert (field in body) is not approved
    assert ("TICKET CLIENT" in base64.b64decode(body["receipt"]).decode()) is approved or not approved
    assert contains(body["order"], request["order"])
    assert body["order"]["transaction_type"] == "Debit"
    assert body["order"]["price"]["currency"] == "EUR"
    assert body["order"]["description"]
    assert contains(body["customer"], request.get("customer", {}))
    assert contains(body["technical_pos_info"], request["pos_technical_info"])
    assert body["technical_pos_info"] == body["pos_technical_info"]
    assert body["pos_technical_info"]["host_information"]["port"] == 8888
    assert {"id", "state", "safe_to_retry", "amount", "created_at", "warnings"} <= body["payment"].keys()
    if approved:
        assert {"masked_card", "application", "application_name"} <= body["payment"].keys()
        asked = request["pos_technical_info"]["terminal_transaction_display"]["contract_array"]
        # One application is asked for; of none or several the card decides.
        application = asked[0].get("payment_application") if len(asked) == 1 else None
        assert body["payment"]["application"] == (application or "00B")


def contains(echo: Any, sent: Any) -> bool:
    """Return whether all that was sent comes back; defaults may be added."""
    if isinstance(sent, dict):
        return isinstance(echo, dict) and all(contains(echo.get(name), part) for name, part in sent.items())
    if isinstance(sent, list):
        return len(echo) == len(sent) and all(contains(*pair) for pair in zip(echo, sent, strict=True))
    return bool(echo == sent)
