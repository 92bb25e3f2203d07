"""A terminal at which somebody acts as the customer by hand."""

from collections.abc import AsyncIterator

import pytest
from eventually import eventually
from wire.concert import OURS, frame_of, read
from wire.concert_client import RawClient, ask
from wire.shop_terminal import PROMPT

from sandbox.cards import Card, Mode, card_of_key
from sandbox.terminal.device.card import TEST_PIN, CardRead
from sandbox.terminal.device.device import Device
from sandbox.terminal.device.screen import Key, Stage
from sandbox.terminal.script.script import read_script
from sandbox.terminal.server.server import VirtualTerminal
from shared.concert.decoded_answer import AnswerMeaning, ParsedAnswer


def card(key: str) -> Card:
    found = card_of_key(key)
    assert found is not None
    return found


@pytest.fixture
async def running() -> AsyncIterator[VirtualTerminal]:
    async with VirtualTerminal("127.0.9.23", 0, device=PROMPT, by_hand=True) as terminal:
        yield terminal


async def woken(running: VirtualTerminal, client: RawClient, data: bytes = OURS) -> None:
    await client.send(data)
    await eventually(lambda: running.is_busy)
    assert running.screen.stage is Stage.CARD


def type_pin(running: VirtualTerminal, digits: str) -> None:
    for typed in digits:
        running.type_digit(typed)
    running.press(Key.GREEN)


async def answered(client: RawClient) -> ParsedAnswer:
    return read(frame_of(await client.receive_all()))


async def test_nothing_happens_until_somebody_acts(running: VirtualTerminal) -> None:
    """Card, PIN, green: approved, with the card's own brand."""
    async with RawClient(running) as client:
        await woken(running, client)
        running.present(CardRead(card("visa")))
        assert running.screen.stage is Stage.PIN
        type_pin(running, TEST_PIN)
        reading = await answered(client)

    assert reading.meaning is AnswerMeaning.SUCCEEDED
    assert (reading.result.masked_card, reading.result.aid) == ("411111******1111", "A0000000031010")
    assert running.screen.message == "Approved"


async def test_three_wrong_pins_are_refused(running: VirtualTerminal) -> None:
    """The chip blocks; no bank is asked."""
    async with RawClient(running) as client:
        await woken(running, client)
        running.present(CardRead(card("cb")))
        for _ in range(3):
            type_pin(running, "0000")
        reading = await answered(client)

    assert (reading.meaning, reading.issuer_code) == (AnswerMeaning.REFUSED, "75")
    assert reading.result.authorisation_number is None


async def test_a_card_whose_bank_refuses_is_refused_with_its_reason(running: VirtualTerminal) -> None:
    """The terminal acts as the bank where it has no gateway."""
    async with RawClient(running) as client:
        await woken(running, client)
        running.present(CardRead(card("cb-lost"), Mode.CONTACTLESS))
        reading = await answered(client)

    assert (reading.meaning, reading.issuer_code) == (AnswerMeaning.REFUSED, "41")
    assert "41 CARD REPORTED LOST" in (reading.result.receipt or "")


async def test_by_hand_a_script_applies_without_its_customer(running: VirtualTerminal) -> None:
    """A scripted abandon is left out, a scripted refusal and a lost answer are not."""
    running.queue_script(read_script(["abandoned", "57", "lost_answer"]))
    outcomes = []
    for _ in range(2):
        async with RawClient(running) as client:
            await woken(running, client)
            running.present(CardRead(card("cb"), Mode.CONTACTLESS))
            outcomes.append((await answered(client)).meaning)
    async with RawClient(running) as client:
        await woken(running, client)
        running.present(CardRead(card("cb"), Mode.CONTACTLESS))
        assert await client.receive_all() == b""

    assert outcomes == [AnswerMeaning.SUCCEEDED, AnswerMeaning.REFUSED]
    assert running.records[2].charged


async def test_without_a_customer_the_terminal_gives_up_after_its_own_time() -> None:
    """AF 08."""
    device = Device(request_idle_seconds=0, terminal_time_seconds=0.1)
    async with VirtualTerminal("127.0.9.23", 0, device=device, by_hand=True) as running:
        reading = read(await ask(running, OURS))

    assert (reading.meaning, reading.result.error_code) == (AnswerMeaning.ABORTED, "08")


async def test_cards_and_keys_on_an_idle_screen_do_nothing(running: VirtualTerminal) -> None:
    """Nothing is charged, and the next payment begins as usual."""
    running.present(CardRead(card("cb")))
    type_pin(running, TEST_PIN)
    running.press(Key.RED)

    assert running.screen.stage is Stage.IDLE
    async with RawClient(running) as client:
        await woken(running, client)
        running.press_red_button()
        assert (await answered(client)).result.error_code == "06"


async def test_a_reset_gives_up_the_transaction_on_the_screen(running: VirtualTerminal) -> None:
    """The client's connection is closed; the numbers of transactions go on."""
    async with RawClient(running) as client:
        await woken(running, client)
        running.press_red_button()
        await client.receive_all()
    async with RawClient(running) as client:
        await woken(running, client)
        running.reset()
        assert await client.receive_all() == b""

    assert running.screen.stage is Stage.IDLE
    assert (running.memory.journal, running.memory.number) == ((), 1)
