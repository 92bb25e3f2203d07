"""A terminal at which somebody else acts as the customer."""

from collections.abc import AsyncIterator

import pytest
from concert import frame_of, read, request
from concert_client import RawClient, ask
from eventually import eventually

from sandbox.cards import Card, Mode, card_of_key
from sandbox.terminal.device.card import TEST_PIN, Presented
from sandbox.terminal.device.device import Device
from sandbox.terminal.device.screen import Key, Stage
from sandbox.terminal.script.script import read_script
from sandbox.terminal.server.server import VirtualTerminal
from shared.concert.decoded_answer import AnswerMeaning, ParsedAnswer
from shared.concert.encode import encode_operation
from shared.concert.profile import Profile

OURS = encode_operation(request(), Profile())
PROMPT = Device(request_idle_seconds=0)


def card(key: str) -> Card:
    found = card_of_key(key)
    assert found is not None
    return found


@pytest.fixture
async def playing() -> AsyncIterator[VirtualTerminal]:
    async with VirtualTerminal("127.0.9.23", 0, device=PROMPT, by_hand=True) as terminal:
        yield terminal


async def woken(playing: VirtualTerminal, client: RawClient, data: bytes = OURS) -> None:
    await client.send(data)
    await eventually(lambda: playing.is_busy)
    assert playing.screen.stage is Stage.CARD


def type_pin(playing: VirtualTerminal, digits: str) -> None:
    for typed in digits:
        playing.type_digit(typed)
    playing.press(Key.GREEN)


async def answered(client: RawClient) -> ParsedAnswer:
    return read(frame_of(await client.receive_all()))


async def test_nothing_happens_until_somebody_acts(playing: VirtualTerminal) -> None:
    """Card, PIN, green: approved, with the card's own brand."""
    async with RawClient(playing) as client:
        await woken(playing, client)
        playing.present(Presented(card("visa")))
        assert playing.screen.stage is Stage.PIN
        type_pin(playing, TEST_PIN)
        reading = await answered(client)

    assert reading.meaning is AnswerMeaning.SUCCEEDED
    assert (reading.result.masked_card, reading.result.aid) == ("411111******1111", "A0000000031010")
    assert playing.screen.message == "Approved"


async def test_three_wrong_pins_are_refused(playing: VirtualTerminal) -> None:
    """The chip blocks; no bank is asked."""
    async with RawClient(playing) as client:
        await woken(playing, client)
        playing.present(Presented(card("cb")))
        for _ in range(3):
            type_pin(playing, "0000")
        reading = await answered(client)

    assert (reading.meaning, reading.issuer_code) == (AnswerMeaning.REFUSED, "75")
    assert reading.result.authorisation_number is None


async def test_the_red_key_abandons_with_the_card_in_the_reader(playing: VirtualTerminal) -> None:
    """At the PIN, too."""
    async with RawClient(playing) as client:
        await woken(playing, client)
        playing.present(Presented(card("cb")))
        playing.press(Key.RED)
        reading = await answered(client)

    assert (reading.meaning, reading.result.error_code) == (AnswerMeaning.ABORTED, "06")


async def test_a_card_above_the_contactless_limit_is_to_be_inserted(playing: VirtualTerminal) -> None:
    """Held: nothing; inserted: it goes on."""
    large = encode_operation(request(amount_cents=9900), Profile())
    async with RawClient(playing) as client:
        await woken(playing, client, large)
        playing.present(Presented(card("cb"), Mode.CONTACTLESS))
        assert playing.screen.stage is Stage.CARD
        playing.present(Presented(card("cb")))
        type_pin(playing, TEST_PIN)

        assert frame_of(await client.receive_all()).fields["AE"] == "10"


async def test_a_card_whose_bank_refuses_is_refused_with_its_reason(playing: VirtualTerminal) -> None:
    """The terminal plays the bank where no gateway is behind it."""
    async with RawClient(playing) as client:
        await woken(playing, client)
        playing.present(Presented(card("cb-lost"), Mode.CONTACTLESS))
        reading = await answered(client)

    assert (reading.meaning, reading.issuer_code) == (AnswerMeaning.REFUSED, "41")
    assert "41 CARD REPORTED LOST" in (reading.result.receipt or "")


async def test_the_scripts_bank_and_faults_stay_and_its_customer_goes(playing: VirtualTerminal) -> None:
    """A scripted abandon is left to the hands, a scripted refusal and a lost answer are not."""
    playing.play_next(read_script(["abandoned", "57", "lost_answer"]))
    outcomes = []
    for _ in range(2):
        async with RawClient(playing) as client:
            await woken(playing, client)
            playing.present(Presented(card("cb"), Mode.CONTACTLESS))
            outcomes.append((await answered(client)).meaning)
    async with RawClient(playing) as client:
        await woken(playing, client)
        playing.present(Presented(card("cb"), Mode.CONTACTLESS))
        assert await client.receive_all() == b""

    assert outcomes == [AnswerMeaning.SUCCEEDED, AnswerMeaning.REFUSED]
    assert playing.records[2].charged


async def test_nobody_there_ends_with_the_terminals_own_time() -> None:
    """AF 08."""
    device = Device(request_idle_seconds=0, terminal_time_seconds=0.1)
    async with VirtualTerminal("127.0.9.23", 0, device=device, by_hand=True) as playing:
        reading = read(await ask(playing, OURS))

    assert (reading.meaning, reading.result.error_code) == (AnswerMeaning.ABORTED, "08")


async def test_cards_and_keys_on_an_idle_screen_do_nothing(playing: VirtualTerminal) -> None:
    """Nothing is charged, and the next payment begins as usual."""
    playing.present(Presented(card("cb")))
    type_pin(playing, TEST_PIN)
    playing.press(Key.RED)

    assert playing.screen.stage is Stage.IDLE
    async with RawClient(playing) as client:
        await woken(playing, client)
        playing.press_red_button()
        assert (await answered(client)).result.error_code == "06"


async def test_a_reset_gives_up_what_is_on_the_screen(playing: VirtualTerminal) -> None:
    """The caller's connection is closed; the numbers of transactions go on."""
    async with RawClient(playing) as client:
        await woken(playing, client)
        playing.press_red_button()
        await client.receive_all()
    async with RawClient(playing) as client:
        await woken(playing, client)
        playing.reset()
        assert await client.receive_all() == b""

    assert playing.screen.stage is Stage.IDLE
    assert (playing.memory.journal, playing.memory.number) == ((), 1)
