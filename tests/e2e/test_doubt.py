"""Payments whose answer was lost: proofs, doubts that stay, and no second charge."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Mapping, MutableMapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import structlog
from eventually import eventually
from orders import order_for
from running.fault_runs import READY_LINE, check_the_ledger, debits, stage
from running.fleet import Fleet, Process
from system import Pos, System, delete_queues, payment_id
from wire.scripted_terminal import ScriptedTerminal, Talk
from wire.shop_terminal import shop_terminal

from sandbox.terminal.device.device import DEFAULT_PORT
from sandbox.terminal.device.session_log import charged_twice
from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.server.server import VirtualTerminal
from shared.settings.settings import Settings

Staged = AbstractAsyncContextManager[tuple[Fleet, System]]
LOST: Final = Behaviour(fault=Fault.LOSE_ANSWER)
#: The first enquiry is made 3 s after the connection was lost, where the lease lasts long enough.
ENQUIRES: Final[dict[str, object]] = {"lease_after_doubt_seconds": 60, "enquiry_timeout_seconds": 2}
PRICE: Final = 120
#: The usual limits are this much shorter: nobody waits half a minute for what a fraction of it shows.
HURRY: Final = 4
#: Settings that decide when a worker's death is noticed and the terminal asked.
USUAL_LIMITS: Final = (
    "heartbeat_seconds",
    "worker_stale_seconds",
    "takeover_free_after_seconds",
    "terminal_own_time_seconds",
    "lease_after_doubt_seconds",
    "enquiry_timeout_seconds",
    "caller_wait_seconds",
    "caller_wait_in_doubt_seconds",
    "api_drain_seconds",
    "api_stop_grace_seconds",
)
#: A sale of that price as typed at the terminal: all that a cash register sends, but no reference.
TYPED_SALE: Final = b"CZ0040320CJ012247300123456CA00201CB003120CD0010CE003978\r\n"


@pytest.fixture
def limits() -> dict[str, object]:
    return ENQUIRES


async def test_a_charge_whose_answer_was_lost_is_proved_by_the_enquiry(system: System) -> None:
    """The terminal repeats our reference and a receipt that reads as done: the waiting client gets 200."""
    pos = await system.pos(await system.api(caller_wait_in_doubt_seconds=15))
    await system.worker()

    async with shop_terminal(LOST) as shop:
        answered = await pos.pay(shop.host)

        body = answered.json()
        assert (answered.status_code, body["paymentStatus"]) == (200, "Success")
        assert (body["payment"]["resolved_by"], body["payment"]["safe_to_retry"]) == ("enquiry", False)
        assert body["payment"]["doubted_at"]
        assert body["receipt"]
        row = await system.stored(payment_id(answered))
        assert (row.state, row.resolved_by, row.masked_card) == (
            "succeeded",
            "enquiry",
            body["payment"]["masked_card"],
        )
        await eventually(lambda: system.is_free(shop.host))
        check_the_ledger(shop, requests=1)


@dataclass(frozen=True)
class Unprovable:
    """Terminal whose enquiry proves nothing; `lack` is the hint's reason, None without a hint."""

    name: str
    behaviour: Behaviour
    lack: str | None
    charged: bool
    #: The same sale is typed by hand at the same price, right before our payment or right after it.
    typed: str = ""


UNPROVABLE: Final = (
    Unprovable("no reference", Behaviour(fault=Fault.LOSE_ANSWER, private_data="none"), "no_reference", True),
    Unprovable(
        "own reference on successes",
        Behaviour(fault=Fault.LOSE_ANSWER, private_data="own_on_success"),
        "no_reference",
        True,
    ),
    Unprovable(
        "copies the request",
        Behaviour(fault=Fault.CLOSE_WITHOUT_ANSWER, enquiry="copies"),
        None,
        charged=False,
    ),
    Unprovable(
        "copies the request, charged",
        Behaviour(fault=Fault.LOSE_ANSWER, enquiry="copies"),
        None,
        charged=True,
    ),
    Unprovable(
        "shows a refused payment",
        Behaviour(fault=Fault.LOSE_ANSWER, customer=Customer.REFUSE),
        "receipt_not_done",
        charged=False,
    ),
    Unprovable(
        "two equal sales, ours never happened",
        Behaviour(fault=Fault.CLOSE_WITHOUT_ANSWER),
        "no_reference",
        charged=False,
        typed="before",
    ),
    Unprovable("two equal sales, ours came first", LOST, "no_reference", charged=True, typed="after"),
)


async def test_what_an_enquiry_cannot_prove_stays_in_doubt_with_its_hints(system: System) -> None:
    """Seven terminals at once: each is asked, none proves anything, nothing is sent again."""
    pos = await system.pos(await system.api(caller_wait_in_doubt_seconds=3))
    await system.worker()

    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as log:
        await asyncio.gather(*(_stays_in_doubt(system, pos, terminal, log) for terminal in UNPROVABLE))


async def _stays_in_doubt(
    system: System, pos: Pos, terminal: Unprovable, log: list[MutableMapping[str, Any]]
) -> None:
    async with shop_terminal() as shop:
        if terminal.typed == "before":
            await _type_a_sale(shop)
        shop.behaviour = terminal.behaviour
        paying = asyncio.create_task(pos.pay(shop.host, PRICE))
        if terminal.typed == "after":
            await eventually(lambda: any(record.outcome for record in debits(shop)))
            shop.behaviour = Behaviour()
            await _type_a_sale(shop)
        answered = await paying
        made = {"event": "enquiry made", "payment_id": payment_id(answered)}
        await eventually(lambda: any(made.items() <= line.items() for line in log))
        hints = await _hints(system, payment_id(answered), at_least=0 if terminal.lack is None else 1)
        row = await system.stored(payment_id(answered))

        shown = answered.json()["payment"]
        assert (answered.status_code, shown["state"], shown["safe_to_retry"]) == (504, "in_doubt", False), (
            terminal
        )
        assert (row.state, row.resolved_by, row.receipt) == ("in_doubt", None, None), terminal
        assert [(hint["source"], hint["proves"], hint["lack"]) for hint in hints] == (
            [] if terminal.lack is None else [("enquiry", None, terminal.lack)]
        ), terminal
        ours = [record for record in debits(shop) if record.reference == row.id]
        assert [record.charged for record in ours] == [terminal.charged], terminal
        assert charged_twice(debits(shop)) == []
        assert await system.holder(shop.host) == row.id


async def _type_a_sale(shop: VirtualTerminal) -> None:
    reader, writer = await asyncio.open_connection(shop.host, DEFAULT_PORT)
    writer.write(TYPED_SALE)
    answer = await reader.read()
    assert b"AE00210" in answer
    writer.close()


async def _hints(system: System, payment: str, *, at_least: int) -> list[dict[str, Any]]:
    async def stored() -> list[dict[str, Any]] | None:
        found = [each for each in await system.details(payment) if each["event"] == "evidence"]
        return found if len(found) >= at_least else None

    if not at_least:
        return await stored() or []
    hints: list[dict[str, Any]] = await eventually(stored)
    return hints


async def test_a_sale_whose_worker_died_is_proved_while_its_client_waits(
    sqlite_template: Path, amqp_url: str, amqp_prefix: str, tmp_path: Path
) -> None:
    """Both cases wait long: they run at once, each with a database and queues of its own."""

    def staged(name: str, limits: Mapping[str, object]) -> Staged:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copyfile(sqlite_template, folder / "cloud-terminal.db")
        return stage(
            f"sqlite+aiosqlite:///{folder / 'cloud-terminal.db'}",
            amqp_url,
            f"{amqp_prefix}{name}.",
            folder,
            limits,
        )

    usual = {name: Settings.model_fields[name].default / HURRY for name in USUAL_LIMITS}
    brief = {"lease_after_doubt_seconds": 40, "enquiry_timeout_seconds": 1}
    try:
        await asyncio.gather(
            _pays_after_the_death(staged("late", brief)),
            _is_proved_by_the_usual_relations(staged("usual", usual)),
        )
    finally:
        for name in ("late", "usual"):
            await delete_queues(amqp_url, f"{amqp_prefix}{name}.")


@asynccontextmanager
async def _about_to_die(staged: Staged) -> AsyncIterator[tuple[System, Pos, VirtualTerminal, Process]]:
    """Yield a system and its POS, a terminal whose customer takes a minute, and the only worker."""
    async with staged as (fleet, system), shop_terminal(Behaviour(delay_seconds=60)) as shop:
        pos = await system.pos()
        dying = await fleet.start("terminal-worker")
        await dying.logged(READY_LINE)
        yield system, pos, shop, dying


async def _pays_after_the_death(staged: Staged) -> None:
    """504, outcome unknown; the order comes again, another worker takes over, the customer pays: 200."""
    async with _about_to_die(staged) as (system, pos, shop, dying):
        order = order_for(shop.host)
        first = asyncio.create_task(pos.send(order, {"Prefer": "wait=5"}))
        await eventually(lambda: shop.is_busy)
        await dying.kill()

        unknown = await first
        assert (unknown.status_code, unknown.json()["payment"]["state"]) == (504, "in_session")
        assert unknown.json()["payment"]["safe_to_retry"] is False
        await system.worker()
        again = asyncio.create_task(pos.send(order))
        await eventually(lambda: _is_in_doubt(system))
        shop.present_card()
        answered = await again

        assert (answered.status_code, answered.json()["paymentStatus"]) == (200, "Success")
        assert payment_id(answered) == payment_id(unknown)
        assert answered.json()["payment"]["resolved_by"] == "enquiry"
        assert len(await system.payments()) == 1
        check_the_ledger(shop, requests=1)


async def _is_proved_by_the_usual_relations(staged: Staged) -> None:
    """In doubt soon after the death, proved after a takeover's margin of 5 s, the terminal free again."""
    async with _about_to_die(staged) as (system, pos, shop, dying):
        loop = asyncio.get_running_loop()
        paying = asyncio.create_task(pos.pay(shop.host))
        await eventually(lambda: shop.is_busy)
        await system.worker()
        await dying.kill()
        died_at = loop.time()
        shop.present_card()

        await eventually(lambda: _is_in_doubt(system), within_seconds=15)
        doubted_after = loop.time() - died_at
        answered = await paying
        proved_after = loop.time() - died_at

        assert (answered.status_code, answered.json()["paymentStatus"]) == (200, "Success")
        assert answered.json()["payment"]["resolved_by"] == "enquiry"
        assert 20 / HURRY - 0.5 < proved_after - doubted_after < 20
        await eventually(lambda: system.is_free(shop.host))
        check_the_ledger(shop, requests=1)


async def _is_in_doubt(system: System) -> bool:
    return [row.state for row in await system.payments()] == ["in_doubt"]


async def test_a_debit_without_a_result_is_not_reversed(system: System) -> None:
    """While the terminal has it, and while it is in doubt: 409 with the debit, and nothing is sent."""
    customer = asyncio.Event()

    async def loses_the_answer(talk: Talk) -> None:
        await talk.request()
        await customer.wait()

    pos = await system.pos(await system.api(caller_wait_in_doubt_seconds=0.2))
    await system.worker()

    async with ScriptedTerminal(loses_the_answer) as shop:
        paying = asyncio.create_task(pos.pay(shop.host, order_id="order-1"))
        await eventually(lambda: shop.talks and shop.talks[0].received)
        running = await pos.pay(shop.host, order_id="order-1", transaction_type="Cancel")
        customer.set()
        debit = await paying
        in_doubt = await pos.pay(shop.host, order_id="order-1", transaction_type="Cancel")

        assert debit.json()["payment"]["state"] == "in_doubt"
        for refused, state in ((running, "in_session"), (in_doubt, "in_doubt")):
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "live.order.conflict")
            assert (payment_id(refused), refused.json()["payment"]["state"]) == (payment_id(debit), state)
            assert refused.json()["payment"]["safe_to_retry"] is False
        assert len(await system.payments()) == 1
        assert len(shop.talks) == 1
