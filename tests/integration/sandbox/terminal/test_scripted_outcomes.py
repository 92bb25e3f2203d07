"""Every row of the table of outcomes over TCP, and the faults that have no test elsewhere."""

import asyncio
import contextlib
import time
from dataclasses import replace

import pytest
from eventually import eventually
from wire.concert import ENQUIRY, IDENTIFICATION, OURS, frame_for, frame_of, read, request
from wire.concert_client import RawClient, ask

from sandbox.terminal.device.device import Device
from sandbox.terminal.script.behaviour import Behaviour, Fault
from sandbox.terminal.script.outcomes import OUTCOMES, ScriptedOutcome
from sandbox.terminal.script.script import read_script
from sandbox.terminal.server.server import VirtualTerminal
from shared.concert.decoded_answer import AnswerMeaning

HOST = "127.0.9.21"
#: A terminal's own time is short, so that nobody waits for a silent one.
PROMPT = Device(request_idle_seconds=0, terminal_time_seconds=0.2)


def amount_for(row: ScriptedOutcome) -> int:
    return 4000 + int(row.ending or "00")


async def answer_to(running: VirtualTerminal, data: bytes) -> bytes:
    """Return the answer; empty where none comes within a second or the connection is reset."""
    received = b""
    async with RawClient(running) as client:
        await client.send(data)
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            async with asyncio.timeout(1):
                while piece := await client.receive_some():
                    received += piece
    return received


#: What a test cannot wait for is short.
HURRIED = {
    "real_after_seconds": 0.3,
    "delay_seconds": 0.3,
    "reboot_seconds": 0.05,
    "network_forgets_after_seconds": 0.1,
}


@pytest.mark.parametrize("row", OUTCOMES, ids=[row.name for row in OUTCOMES])
async def test_a_row_does_what_it_says(row: ScriptedOutcome) -> None:
    """By the amount where it has an ending, else by name: charged or not, and refused by its code."""
    hurry = {key: value for key, value in HURRIED.items() if key in row.changes}
    sent = request(amount_cents=amount_for(row))
    async with VirtualTerminal(HOST, 0, behaviour=Behaviour(amount_decides=True), device=PROMPT) as running:
        await ask(running, frame_for(amount_cents=9900))
        if row.ending is None or hurry:
            running.queue_script(read_script([{"outcome": row.name, **hurry}]))

        received = await answer_to(running, frame_for(amount_cents=amount_for(row)))

        await eventually(lambda: running.records[1].outcome is not None and not running.is_busy)
        assert running.records[1].charged is row.charged
        if row.name.startswith("refused_") and row.ending is not None:
            reading = read(frame_of(received), sent=sent)
            assert (reading.meaning, reading.issuer_code) == (AnswerMeaning.REFUSED, row.ending)


async def test_a_terminal_may_write_before_the_request() -> None:
    """A connection without a request uses up the step."""
    async with VirtualTerminal(HOST, 0, device=PROMPT) as running:
        running.queue_script(read_script(["greets"]))
        async with RawClient(running) as client:
            greeting = await client.receive_some()
        await eventually(lambda: not running.script)
        paid = await ask(running, OURS)

    assert greeting == b"READY\r\n"
    assert read(paid).meaning is AnswerMeaning.SUCCEEDED


async def test_a_broken_answer_may_be_followed_by_the_real_one() -> None:
    """On the same connection, later."""
    async with VirtualTerminal(HOST, 0, device=PROMPT) as running:
        running.queue_script(read_script([{"outcome": "broken_first", "real_after_seconds": 0.2}]))
        async with RawClient(running) as client:
            await client.send(OURS)
            broken, real = await client.receive_some(), await client.receive_all()

    assert frame_of(broken).error is not None
    assert read(frame_of(real)).meaning is AnswerMeaning.SUCCEEDED


async def test_an_amount_may_come_after_the_success_that_lacked_it() -> None:
    """And be another amount."""
    async with VirtualTerminal(HOST, 0, device=PROMPT) as running:
        running.queue_script(read_script(["late_amount"]))
        async with RawClient(running) as client:
            await client.send(OURS)
            first, late = await client.receive_some(), await client.receive_all()

    assert read(frame_of(first)).notes == ("reference_confirmed", "amount_not_echoed")
    assert late == b"CB00599999"


async def test_an_answer_may_be_wrapped() -> None:
    """As on a serial line, and read all the same."""
    async with VirtualTerminal(HOST, 0, device=PROMPT) as running:
        running.queue_script(read_script(["wrapped"]))
        received = await answer_to(running, OURS)

    assert received[:2] == b"\x06\x02"
    assert received[-1:] == b"\x04"
    assert read(frame_of(received)).meaning is AnswerMeaning.SUCCEEDED


async def test_a_busy_terminal_has_nothing_on_its_screen_afterwards() -> None:
    """AE 01 at once without a reason; the next payment is paid."""
    async with VirtualTerminal(HOST, 0, device=PROMPT) as running:
        running.queue_script(read_script(["busy"]))

        busy, paid = await ask(running, OURS), await ask(running, OURS)

    assert read(busy, after_seconds=0.01).meaning is AnswerMeaning.BUSY
    assert read(paid).meaning is AnswerMeaning.SUCCEEDED


async def test_a_request_may_ask_for_its_answer_at_once() -> None:
    """BA 1: AE 11 before any card, and no more on this connection; the customer pays later."""
    async with VirtualTerminal(HOST, 0, behaviour=Behaviour(delay_seconds=30), device=PROMPT) as running:
        taken = await ask(running, OURS + b"BA0011")
        assert running.is_busy
        running.present_card()

        assert taken.fields["AE"] == "11"
        assert running.records[0].charged


async def test_a_terminal_without_a_customer_gives_up_with_an_answer() -> None:
    """AF 08, input time-out: the reader's result is aborted."""
    async with VirtualTerminal(HOST, 0, device=PROMPT) as running:
        running.queue_script(read_script([{"outcome": "walked_away", "delay_seconds": 0.05}]))
        reading = read(await ask(running, OURS))

        assert (reading.meaning, reading.result.error_code) == (AnswerMeaning.ABORTED, "08")
        assert running.records[0].outcome == "walked_away"


async def test_a_terminal_that_restarts_resets_all_connections_and_listens_again() -> None:
    """The payment was not charged; earlier transactions are still stored."""
    async with VirtualTerminal(HOST, 0, device=PROMPT) as running:
        await ask(running, OURS)
        running.queue_script(
            read_script([{"outcome": "reboot", "delay_seconds": 0.1, "reboot_seconds": 0.3}])
        )
        async with RawClient(running) as client, RawClient(running) as bystander:
            await client.send(OURS)
            with pytest.raises(ConnectionResetError):
                await client.receive_all()
            with pytest.raises(ConnectionResetError):
                await bystander.receive_all()
        with pytest.raises(ConnectionRefusedError):
            await ask(running, IDENTIFICATION)

        async def is_back() -> bool:
            try:
                return (await ask(running, IDENTIFICATION)).fields["AE"] == "10"
            except OSError:
                return False

        await eventually(is_back)
        enquiry = await ask(running, ENQUIRY)

        assert (enquiry.fields["AE"], enquiry.fields["CB"]) == ("10", "2500")
        assert [one.charged for one in running.records if one.operation == "debit"] == [True, False]


async def test_a_network_may_forget_a_connection_that_was_idle() -> None:
    """The card is charged, the answer is lost, neither side is notified; a peer that writes is reset."""
    forgetful = Behaviour(delay_seconds=0.3, network_forgets_after_seconds=0.1)
    async with VirtualTerminal(HOST, 0, behaviour=forgetful, device=PROMPT) as running:
        async with RawClient(running) as client:
            await client.send(OURS)
            await eventually(lambda: running.records[0].charged)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.receive_some()
            await client.send(b"\r\n")
            with pytest.raises(ConnectionResetError):
                await client.receive_all()

        assert not running.records[0].answered


async def test_an_answer_may_pause_in_the_middle() -> None:
    """Longer than the silence that ends an answer for a client that knows its echoes."""
    async with VirtualTerminal(HOST, 0, device=PROMPT) as running:
        running.queue_script(read_script(["paused"]))
        begun = time.monotonic()
        answer = await ask(running, OURS)

        assert read(answer).meaning is AnswerMeaning.SUCCEEDED
        assert time.monotonic() - begun > 0.4


async def test_a_script_is_used_up_step_by_step() -> None:
    """Then the usual behaviour applies; identifications and enquiries use no step."""
    async with VirtualTerminal(HOST, 0, device=PROMPT) as running:
        running.queue_script(read_script(["abandoned", "51"]))
        outcomes = []
        for _ in range(3):
            assert (await ask(running, IDENTIFICATION)).fields["AE"] == "10"
            outcomes.append(read(await ask(running, OURS)).meaning)

    assert outcomes == [AnswerMeaning.ABORTED, AnswerMeaning.REFUSED, AnswerMeaning.SUCCEEDED]


async def test_a_fault_set_for_one_terminal_leaves_another_alone() -> None:
    """Behaviours are values: changing one terminal's changes no other's."""
    usual = Behaviour()
    async with (
        VirtualTerminal(HOST, 0, behaviour=usual, device=PROMPT) as one,
        VirtualTerminal("127.0.9.22", 0, behaviour=usual, device=PROMPT) as other,
    ):
        one.behaviour = replace(usual, fault=Fault.GARBAGE)

        assert read(await ask(one, OURS)).anomaly == "unreadable"
        assert read(await ask(other, OURS)).meaning is AnswerMeaning.SUCCEEDED
