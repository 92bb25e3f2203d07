"""The virtual terminal over TCP, on loopback addresses of its own."""

import asyncio
import json
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from eventually import eventually
from wire.concert import DEBIT, ENQUIRY, IDENTIFICATION, OURS, PAYMENT, frame_for, frame_of, read, request
from wire.concert_client import RawClient, ask
from wire.shop_terminal import PROMPT

from sandbox.terminal.device.device import DEFAULT_PORT, Device
from sandbox.terminal.device.session_log import charged_twice, overlapping_sessions, read_session_log
from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.server.server import VirtualTerminal
from shared.concert.decoded_answer import AnswerMeaning
from shared.concert.enquiry import Grade, interpret_enquiry
from shared.payment.payment import Operation

REVERSAL = frame_for(operation=Operation.REVERSAL)


def terminal(
    behaviour: Behaviour | None = None, *, device: Device = PROMPT, host: str = "127.0.9.1"
) -> VirtualTerminal:
    return VirtualTerminal(host, 0, behaviour=behaviour, device=device)


async def test_it_listens_on_the_default_port_of_an_address_of_its_own() -> None:
    """8888 on any 127.x.y.z; several terminals side by side; free again after the end."""
    for _ in range(2):
        async with VirtualTerminal("127.0.9.11") as one, VirtualTerminal("127.0.9.12") as other:
            assert one.address == f"127.0.9.11:{DEFAULT_PORT}"
            assert (await ask(one, DEBIT)).fields["AE"] == "10"
            assert (await ask(other, DEBIT)).fields["AE"] == "10"


async def test_a_request_that_is_cut_is_a_format_error_after_a_while() -> None:
    """The sender waits for an answer and sends no more."""
    device = Device(request_idle_seconds=0, request_incomplete_seconds=0.1)

    async with terminal(device=device) as running:
        answer = await ask(running, DEBIT[:-1])

    assert (answer.fields["AE"], answer.fields["AF"]) == ("01", "09")


@pytest.mark.parametrize("customer", Customer)
@pytest.mark.parametrize("raw", [b"\xe9t\xe9", "été".encode(), b"\xc3", b"\x00\xff", b"0012"])
async def test_fields_come_back_as_the_bytes_that_came(customer: Customer, raw: bytes) -> None:
    """Whatever their encoding: in the answer, and in the duplicate of it."""
    sent = DEBIT.replace(b"CB0042500", b"CB00600%s" % b"2500") + b"CF%03d%s" % (len(raw), raw)

    async with terminal(Behaviour(customer=customer)) as running:
        answers = []
        for data in (sent, ENQUIRY):
            async with RawClient(running) as client:
                await client.send(data)
                answers.append(await client.receive_all())

    for answer in answers:
        assert b"CF%03d%s" % (len(raw), raw) in answer
        assert b"CB006002500" in answer
    json.dumps([asdict(record) for record in running.records], ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("asked", "card", "used"),
    [
        ("001", "cb", "001"),
        ("00B", "cb", "00B"),
        ("002", "amex", "002"),
        ("001", "amex", None),
        ("00D", "visa", None),
        ("00C", "cb", None),
        ("zzz", "cb", None),
        (None, "cb", "001"),
    ],
)
@pytest.mark.parametrize("contactless", [False, True])
async def test_the_requested_application_is_used_or_a_selection_error(
    asked: str | None, card: str, used: str | None, contactless: bool
) -> None:
    """CC decides how the card is read; a card without it, and an unknown one, are AF 10."""
    data = DEBIT + (b"" if asked is None else b"CC003" + asked.encode())

    async with terminal(Behaviour(card=card, contactless=contactless)) as running:
        fields = (await ask(running, data)).fields

    if used is None:
        assert (fields["AE"], fields["AF"][:2]) == ("01", "10")
        assert not any(record.charged for record in running.records)
    else:
        assert (fields["AE"], fields["CC"]) == ("10", used if asked else "00B" if contactless else "001")


async def test_the_customer_pays_refuses_or_abandons_as_set_for_the_amount() -> None:
    """One behaviour for all, another for single amounts, and one chosen per request."""
    async with terminal() as running:
        running.by_amount = {
            1300: Behaviour(customer=Customer.REFUSE, refusal_code="05"),
            1400: Behaviour(customer=Customer.ABANDON),
        }
        outcomes = []
        for cents in (2500, 1300, 1400):
            answer = await ask(running, frame_for(amount_cents=cents))
            outcomes.append(read(answer, sent=request(amount_cents=cents)).meaning)
        running.choose = lambda asked: Behaviour(customer=Customer.REFUSE) if asked.reference else None
        refused = await ask(running, OURS)
        paid = await ask(running, DEBIT)

    assert outcomes == [AnswerMeaning.SUCCEEDED, AnswerMeaning.REFUSED, AnswerMeaning.ABORTED]
    assert (refused.fields["AE"], paid.fields["AE"]) == ("01", "10")


async def test_the_customer_takes_the_time_that_is_set() -> None:
    """The delay begins with the request."""
    async with terminal(Behaviour(delay_seconds=0.1)) as running:
        begun = time.monotonic()
        answer = await ask(running, OURS)

    assert answer.fields["AE"] == "10"
    assert 0.1 <= time.monotonic() - begun < 20


async def test_debit_reversal_and_enquiry_share_a_memory() -> None:
    """The reversal finds its debit once; the enquiry repeats the last transaction."""
    async with terminal() as running:
        debit = await ask(running, OURS)
        proof = interpret_enquiry(await ask(running, ENQUIRY), request())
        reversal = await ask(running, REVERSAL)
        again = await ask(running, REVERSAL)
        operations = [(record.operation, record.outcome, record.charged) for record in running.records]

    assert debit.fields["AE"] == reversal.fields["AE"] == "10"
    assert (again.fields["AE"], again.fields["AF"][:2]) == ("01", "07")
    assert proof.grade is Grade.PROOF_OF_SUCCESS
    assert operations == [
        ("debit", "done", True),
        ("enquiry", "answered", False),
        ("reversal", "done", True),
        ("reversal", "refused", False),
    ]


async def test_a_second_request_is_answered_busy_at_once() -> None:
    """During a transaction, whatever the request; the first one is not disturbed."""
    async with terminal(Behaviour(delay_seconds=30)) as running, RawClient(running) as first:
        await first.send(OURS)
        await eventually(lambda: running.is_busy)

        begun = time.monotonic()
        for data in (DEBIT, IDENTIFICATION, ENQUIRY):
            answer = await ask(running, data)
            assert answer.fields["AE"] == "01"
            assert "AF" not in answer.fields
        assert time.monotonic() - begun < 20

        running.press_red_button()
        assert frame_of(await first.receive_all()).fields["AF"][:2] == "06"
        assert (await ask(running, IDENTIFICATION)).fields["AE"] == "10"
        assert overlapping_sessions(list(running.records))


async def test_a_second_connection_waits_in_the_backlog_where_the_terminal_is_set_so() -> None:
    """Its request is read once the first one's connection has ended."""
    device = Device(request_idle_seconds=0, when_busy="backlog")
    async with terminal(Behaviour(delay_seconds=30), device=device) as running:
        async with RawClient(running) as first, RawClient(running) as second:
            await first.send(OURS)
            await second.send(DEBIT)
            await eventually(lambda: running.is_busy and len(running.records) == 2)
            assert not running.records[1].passages

            running.press_red_button()
            await first.receive_all()
            await eventually(lambda: running.is_busy)
            running.press_red_button()
            assert frame_of(await second.receive_all()).fields["AF"][:2] == "06"
        await eventually(lambda: all(record.closed_at_ms for record in running.records))

        assert overlapping_sessions(list(running.records)) == []


async def test_a_request_in_the_backlog_is_carried_out_though_its_sender_has_gone() -> None:
    """So a customer pays for a client that gave up long before."""
    device = Device(request_idle_seconds=0.02, when_busy="backlog")
    async with terminal(Behaviour(delay_seconds=30), device=device) as running:
        async with RawClient(running) as first:
            await first.send(DEBIT)
            await eventually(lambda: running.is_busy)
            reader, writer = await asyncio.open_connection(running.host, running.port)
            writer.write(OURS)
            writer.close()
            await writer.wait_closed()
            del reader
            await eventually(lambda: len(running.records) == 2)

            running.behaviour = Behaviour()
            running.press_red_button()
            await first.receive_all()
        await eventually(lambda: running.records[1].outcome is not None)

        late = running.records[1]
        assert (late.reference, late.charged, late.answered) == (PAYMENT, True, False)


@pytest.mark.parametrize("aborts", [True, False])
async def test_a_client_that_drops_in_the_middle_does_not_stop_the_customer(aborts: bool) -> None:
    """The amount stays on the screen, the card is charged, no answer is read; the session is over."""
    async with terminal(Behaviour(delay_seconds=30)) as running:
        reader, writer = await asyncio.open_connection(running.host, running.port)
        writer.write(OURS)
        await eventually(lambda: running.is_busy)
        if aborts:
            writer.transport.abort()
        else:
            writer.close()
        await eventually(lambda: running.records[0].closed_at_ms is not None)
        del reader

        assert running.is_busy
        assert (await ask(running, DEBIT)).fields["AE"] == "01"
        running.present_card()
        record = running.records[0]
        assert (record.charged, record.answered, record.outcome) == (True, False, "done")
        assert interpret_enquiry(await ask(running, ENQUIRY), request()).grade is Grade.PROOF_OF_SUCCESS
        assert overlapping_sessions(list(running.records)) == []


@pytest.mark.parametrize(("piece_bytes", "pause"), [(1, 0.0), (50, 0.01)])
async def test_an_answer_may_come_in_pieces(piece_bytes: int, pause: float) -> None:
    """Byte by byte, or cut with pauses; the reader's result is the same."""
    behaviour = Behaviour(piece_bytes=piece_bytes, piece_pause_seconds=pause)
    async with terminal(behaviour) as running:
        answer = await ask(running, OURS)
        out = [p for p in running.records[0].passages if p.direction == "out"]

    assert read(answer).meaning is AnswerMeaning.SUCCEEDED
    assert len(out) > 5
    if pause:
        assert out[-1].monotonic_ms - out[0].monotonic_ms >= 10 * (len(out) - 1) * 0.9


async def test_a_connection_may_stay_open_after_the_answer() -> None:
    """Until the client closes it; further bytes are recorded and ignored."""
    async with terminal(Behaviour(keeps_open=True)) as running:
        async with RawClient(running) as client:
            await client.send(OURS)
            answer = frame_of(await client.receive_some())
            await client.send(b"\r\n")
            await eventually(lambda: running.records[0].passages[-1].text == "\r\n")
            assert running.records[0].closed_at_ms is None
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await client.receive_all()
        await eventually(lambda: running.records[0].closed_at_ms is not None)

    assert answer.fields["AE"] == "10"


@pytest.mark.parametrize(
    ("fault", "charged", "outcome"),
    [
        (Fault.CLOSE_WITHOUT_ANSWER, False, "given_up"),
        (Fault.LOSE_ANSWER, True, "done"),
        (Fault.SILENT, False, "given_up"),
    ],
)
async def test_a_connection_may_end_without_an_answer(fault: Fault, charged: bool, outcome: str) -> None:
    """The client cannot know whether the card was charged; the record does."""
    device = Device(request_idle_seconds=0, terminal_time_seconds=0.05)
    async with terminal(Behaviour(fault=fault), device=device) as running:
        async with RawClient(running) as client:
            await client.send(OURS)
            assert await client.receive_all() == b""

        record = running.records[0]
        assert (record.charged, record.answered, record.outcome) == (charged, False, outcome)
        assert not running.is_busy


async def test_a_connection_may_be_reset() -> None:
    """Nothing was charged."""
    async with terminal(Behaviour(fault=Fault.RESET)) as running:
        async with RawClient(running) as client:
            await client.send(OURS)
            with pytest.raises(ConnectionResetError):
                await client.receive_all()

        assert not running.records[0].charged


async def test_a_terminal_in_immediate_mode_answers_before_the_card() -> None:
    """Done at once without a sign of a card; the customer pays later."""
    async with terminal(Behaviour(fault=Fault.IMMEDIATE, delay_seconds=30)) as running:
        answer = await ask(running, OURS)
        assert running.is_busy
        assert not running.records[0].charged
        running.present_card()

        assert read(answer).anomaly == "bare_success"
        assert running.records[0].charged


async def test_an_earlier_transactions_answer_and_noise_are_in_doubt() -> None:
    """Though the card was charged."""
    async with terminal() as running:
        await ask(running, frame_for(amount_cents=9900))
        running.behaviour = Behaviour(fault=Fault.EARLIER_ANSWER)
        earlier = await ask(running, OURS)
        running.behaviour = Behaviour(fault=Fault.GARBAGE)
        noise = await ask(running, OURS)

        assert read(earlier).anomaly == "amount_differs"
        assert read(noise).anomaly == "unreadable"
        assert [record.charged for record in running.records] == [True, True, True]
        assert charged_twice(list(running.records)) == [PAYMENT]


async def test_a_terminal_may_require_cr_lf_after_a_request() -> None:
    """Without them the request is rejected for its format."""
    async with terminal(device=Device(request_idle_seconds=0, requires_line_end=True)) as running:
        without = await ask(running, OURS)
        with_line_end = await ask(running, OURS + b"\r\n")

    assert (without.fields["AE"], without.fields["AF"]) == ("01", "09")
    assert with_line_end.fields["AE"] == "10"


async def test_it_closes_cleanly_in_the_middle_of_everything(tmp_path: Path) -> None:
    """Open connections, a running transaction, one in the backlog: all ended, all recorded."""
    path = tmp_path / "terminal.jsonl"
    running = VirtualTerminal(
        "127.0.9.1",
        0,
        behaviour=Behaviour(delay_seconds=30),
        device=Device(request_idle_seconds=0, when_busy="backlog"),
        record_path=path,
    )
    async with running:
        first, second = RawClient(running), RawClient(running)
        await first.__aenter__()
        await second.__aenter__()
        await first.send(OURS)
        await eventually(lambda: running.is_busy and len(running.records) == 2)
    assert await first.receive_all() == b""
    first.drop()
    second.drop()

    records = read_session_log(path)
    assert len(records) == 2
    assert all(record.closed_at_ms is not None for record in records)
    assert {record.outcome for record in records} == {"given_up", None}


async def test_hundreds_of_payments_one_after_the_other_are_all_recorded(tmp_path: Path) -> None:
    """No session overlaps another, and each reference is charged once."""
    path = tmp_path / "terminal.jsonl"
    async with VirtualTerminal("127.0.9.1", 0, device=PROMPT, record_path=path) as running:
        for number in range(300):
            sent = request(reference=f"pay_{number:026d}")
            answer = await ask(running, frame_for(reference=sent.reference))
            assert read(answer, sent=sent).meaning is AnswerMeaning.SUCCEEDED

    records = read_session_log(path)
    assert len(records) == 300
    assert overlapping_sessions(records) == []
    assert charged_twice(records) == []
