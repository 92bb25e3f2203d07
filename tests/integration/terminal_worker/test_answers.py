"""Answers as real terminals send them: in one piece, byte by byte, cut, with the connection kept open."""

import asyncio
import time

import pytest
from eventually import eventually
from limits import PATIENT_SESSIONS
from system import System
from wire.scripted_terminal import ScriptedTerminal, Talk, answer_to
from wire.shop_terminal import shop_terminal

from sandbox.terminal.script.behaviour import Behaviour, Customer
from shared.payment.states import State


@pytest.fixture
def limits() -> dict[str, object]:
    return PATIENT_SESSIONS


@pytest.mark.parametrize(
    ("customer", "state", "status"),
    [
        (Customer.APPROVE, State.SUCCEEDED, "Success"),
        (Customer.REFUSE, State.REFUSED, "Failed"),
        (Customer.ABANDON, State.ABORTED, "Failed"),
    ],
)
async def test_the_answer_says_what_the_customer_did(
    system: System, customer: Customer, state: State, status: str
) -> None:
    """Approved, refused and abandoned: the answer equals the stored row and the lock is released."""
    pos = await system.pos()
    worker = await system.worker()

    async with shop_terminal(Behaviour(customer=customer)) as shop:
        answered = await pos.pay(shop.host)

    assert answered.status_code == 200
    body = answered.json()
    assert (body["paymentStatus"], body["payment"]["state"]) == (status, state)
    row = await system.stored(body["payment"]["id"])
    assert row.state == state
    assert body["payment"].get("masked_card") == row.masked_card
    await eventually(lambda: system.is_free(shop.host))
    assert worker.metric("payments_total", operation="debit", outcome=state.value, reason="") == 1


@pytest.mark.parametrize("piece_bytes", [1, 7])
async def test_an_answer_in_pieces_is_read_whole(system: System, piece_bytes: int) -> None:
    """Byte by byte, or cut anywhere: silence shorter than the idle end never ends it."""
    pos = await system.pos()
    await system.worker(answer_timeout_seconds=10, terminal_own_time_seconds=10)
    pieces = Behaviour(piece_bytes=piece_bytes, piece_pause_seconds=0.001)

    async with shop_terminal(pieces) as shop:
        answered = await pos.pay(shop.host)

    assert answered.json()["paymentStatus"] == "Success"
    assert answered.json()["receipt"]


async def test_a_pause_in_the_middle_of_an_answer_loses_nothing(system: System) -> None:
    """The amount that contradicts comes after a pause longer than the short idle end: it is read."""

    async def pauses(talk: Talk) -> None:
        asked = await talk.request()
        talk.answer(asked, CB=None)
        await asyncio.sleep(0.2)
        talk.write(b"CB0049999")
        await talk.peer_closed()

    pos = await system.pos()
    await system.worker()
    async with ScriptedTerminal(pauses) as shop:
        answered = await pos.pay(shop.host, 1500)

    assert answered.status_code == 504
    assert (await system.stored(answered.json()["payment"]["id"])).reason == "contradicting_answer"


async def test_a_connection_that_is_kept_open_costs_little_once_its_echoes_are_known(system: System) -> None:
    """The first three answers wait for the long silence, the fourth only for the short one."""

    async def keeps_open(talk: Talk) -> None:
        talk.answer(await talk.request())
        await talk.peer_closed()

    pos = await system.pos()
    long = 1.5
    await system.worker(idle_end_seconds=long, lease_after_doubt_seconds=7)
    seconds = []
    async with ScriptedTerminal(keeps_open) as shop:
        for _ in range(4):
            began = time.monotonic()
            answered = await pos.pay(shop.host)
            seconds.append(time.monotonic() - began)
            assert answered.json()["paymentStatus"] == "Success"

    short = system.settings.idle_end_known_seconds
    assert min(seconds[:3]) >= long
    assert short <= seconds[3] < long


@pytest.mark.parametrize(
    ("changes", "odd", "status"),
    [
        ({"AC": None}, b"AC0061\x002\xff34", "Success"),
        ({"AE": "01"}, b"AF00604\x00\xff\x1fA", "Failed"),
        ({}, b"XX00604\x00\xff\x1fA", "Success"),
    ],
)
async def test_texts_that_databases_refuse_are_stored_all_the_same(
    system: System, changes: dict[str, str | None], odd: bytes, status: str
) -> None:
    """A terminal's U+0000 or a byte that is no UTF-8 costs a character, never the result."""

    async def answers(talk: Talk) -> None:
        talk.write(answer_to(await talk.request(), **changes) + odd)

    pos = await system.pos()
    await system.worker()
    async with ScriptedTerminal(answers) as shop:
        answered = await pos.pay(shop.host)

    assert answered.status_code == 200, answered.text
    assert answered.json()["paymentStatus"] == status
    await eventually(lambda: system.is_free(shop.host))
