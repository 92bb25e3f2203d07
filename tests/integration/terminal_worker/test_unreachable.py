"""Payments of which certainly nothing was sent: no connection, no time left, a terminal that is busy."""

import asyncio
import socket
from contextlib import ExitStack

import pytest
from eventually import eventually
from loopback import terminal_host
from system import System
from wire.scripted_terminal import PORT, ScriptedTerminal, Talk, answer_to, says_nothing
from wire.shop_terminal import shop_terminal

from sandbox.terminal.script.behaviour import Behaviour
from shared.runtime.clock import SystemClock


class JumpingClock(SystemClock):
    """Boot time jumps between the claim and the connection, as on a machine that slept meanwhile."""

    def __init__(self, jump_seconds: float) -> None:
        self._jump_seconds = jump_seconds
        self._slept_seconds = 0.0

    def boot(self) -> float:
        return super().boot() + self._slept_seconds

    async def sleep_after_claim(self, step: str) -> None:
        if step == "after_claim":
            self._slept_seconds = self._jump_seconds


async def test_a_terminal_that_is_off_answers_502_and_its_lock_is_released(system_on_both: System) -> None:
    """Refused at once, the tries included: unreachable, safe to retry, and a retry is a new attempt."""
    pos = await system_on_both.pos()
    await system_on_both.worker()
    host = terminal_host()

    for attempt in (1, 2):
        answered = await pos.pay(host, order_id="order-1")

        assert answered.status_code == 502
        assert answered.json()["error"]["code"] == "unavailable.terminal.bad.gateway"
        payment = answered.json()["payment"]
        assert (payment["state"], payment["reason"]) == ("unreachable", "no_connection")
        assert payment["safe_to_retry"] is True
        await eventually(lambda: system_on_both.is_free(host))
        assert len(await system_on_both.payments()) == attempt


async def test_a_terminal_whose_backlog_is_full_is_unreachable_within_the_tries(system: System) -> None:
    """The connection never comes about: the try's limit ends it, and all tries together have one."""
    pos = await system.pos()
    await system.worker()
    host = terminal_host()

    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind((host, PORT))
        listening.listen(0)
        for _ in range(3):
            other = stack.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex((host, PORT))
        answered = await pos.pay(host)

    assert answered.status_code == 502
    row = await system.stored(answered.json()["payment"]["id"])
    assert (row.state, row.reason) == ("unreachable", "no_connection")


@pytest.mark.parametrize("jump_seconds", [2.0, 3600.0])
async def test_nothing_is_written_once_the_write_window_has_passed(
    system: System, jump_seconds: float
) -> None:
    """The worker's machine slept after the claim: the terminal gets a connection and no byte."""
    pos = await system.pos()
    clock = JumpingClock(jump_seconds)
    await system.worker(clock=clock, failpoint=clock.sleep_after_claim)

    async with ScriptedTerminal(says_nothing) as shop:
        answered = await pos.pay(shop.host)
        (talk,) = shop.talks
        await asyncio.wait_for(talk.closed.wait(), 5)

    assert talk.received == b""
    assert answered.status_code == 502
    row = await system.stored(answered.json()["payment"]["id"])
    assert (row.state, row.reason) == ("unreachable", "not_sent")
    await eventually(lambda: system.is_free(shop.host))


@pytest.mark.parametrize(
    ("greeting", "reason", "received"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "unexpected_bytes", "SSH-2.0-OpenSSH_9.2\\x0d\\x0a"),
        (
            b"CZ0040320CB003250CD0010AE00210AC006184117",
            "unexpected_bytes",
            "CZ0040320CB003250CD0010AE00210AC006184***",
        ),
        (b"\x05", "unexpected_bytes", "\\x05"),
        (None, "no_connection", None),
    ],
)
async def test_bytes_before_our_write_are_no_answer_and_nothing_is_written(
    system: System, greeting: bytes | None, reason: str, received: str | None
) -> None:
    """Not even a whole answer; a peer that closes before is a lost connection before the write."""
    has_spoken = asyncio.Event()

    async def speaks_first(talk: Talk) -> None:
        if greeting is None:
            talk.close()
        else:
            talk.write(greeting)
        has_spoken.set()
        await talk.read_to_end()

    async def at(step: str) -> None:
        if step == "before_write":
            await asyncio.wait_for(has_spoken.wait(), 10)

    pos = await system.pos()
    await system.worker(failpoint=at)
    async with ScriptedTerminal(speaks_first, scripts_all=True) as shop:
        answered = await pos.pay(shop.host)
        (talk,) = shop.talks
        await asyncio.wait_for(talk.closed.wait(), 10)

    assert talk.received == b""
    assert answered.status_code == 502
    payment = answered.json()["payment"]
    assert (payment["state"], payment["reason"]) == ("unreachable", reason)
    assert payment["safe_to_retry"] is True
    (detail,) = [one for one in await system.details(payment["id"]) if one["event"] == "not_sent"]
    assert detail.get("received") == received
    await eventually(lambda: system.is_free(shop.host))


async def test_a_terminal_that_shows_another_amount_is_busy(system: System) -> None:
    """Somebody types a sale at the terminal: AE 01 at once is no refusal, nothing was attempted."""
    pos = await system.pos()
    await system.worker()
    async with shop_terminal(Behaviour(delay_seconds=60)) as shop:
        _, writer = await asyncio.open_connection(shop.host, PORT)
        writer.write(b"CZ0040320CJ012247300123456CA00201CB0042500CD0010CE003978\r\n")
        await eventually(lambda: shop.is_busy)

        answered = await pos.pay(shop.host)
        writer.close()

    body = answered.json()
    assert answered.status_code == 200
    assert (body["paymentStatus"], body["errorCode"]) == ("Failed", "busy")
    assert (body["payment"]["state"], body["payment"]["reason"]) == ("unreachable", "busy")
    assert body["payment"]["safe_to_retry"] is True
    assert not any(record.charged for record in shop.records)


async def test_the_same_words_later_are_a_refusal(system: System) -> None:
    """A bare 'not done' after the busy time is what a customer's bank said."""

    async def refuses(talk: Talk) -> None:
        asked = await talk.request()
        await asyncio.sleep(0.1)
        talk.write(answer_to(asked, AE="01", AC=None, CC=None))

    pos = await system.pos()
    await system.worker(busy_answer_seconds=0.05)
    async with ScriptedTerminal(refuses) as shop:
        answered = await pos.pay(shop.host)

    assert (answered.json()["paymentStatus"], answered.json()["errorCode"]) == ("Failed", "00")
    assert answered.json()["payment"]["state"] == "refused"
