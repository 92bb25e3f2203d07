"""Bytes that come after the ones that ended a session: the terminal's own word counts when it comes."""

import asyncio
import json
import time
from collections.abc import Callable

import pytest
from eventually import eventually
from limits import PATIENT_SESSIONS
from system import System, payment_id
from wire.concert import PAN
from wire.scripted_terminal import Script, ScriptedTerminal, Talk, answer_to, answers

from sandbox.terminal.server.answer_delivery import NOISE
from shared.concert.framing import ACK, EOT, ETX, STX, check_byte_of
from shared.payment.evidence import Evidence, Source
from shared.payment.payment import Result
from shared.payment.states import Event
from shared.storage.payments import settling
from terminal_worker.session import late_answers, session

OTHER_PAYMENT = "pay_01JD7Z4QK5W8M2N3P6R9S0T1V5"
Asked = dict[str, str]


@pytest.fixture
def limits() -> dict[str, object]:
    return PATIENT_SESSIONS


def wrapped(asked: Asked) -> bytes:
    body = answer_to(asked)
    return ACK + STX + body + ETX + check_byte_of(body) + EOT


def first_then(
    first: Callable[[Asked], bytes], later: Callable[[Asked], bytes], go_on: asyncio.Event
) -> Script:
    """Write one answer, and another one on the same connection at a signal."""

    async def script(talk: Talk) -> None:
        asked = await talk.request()
        talk.write(first(asked))
        await go_on.wait()
        talk.write(later(asked))
        await talk.peer_closed()

    return script


def refuses(asked: Asked) -> bytes:
    return answer_to(asked, AE="01", AC=None, AF="04")


#: What comes first, the reason of the doubt, what comes later, and what the payment is then.
AFTERTHOUGHTS: list[tuple[Callable[[Asked], bytes], str, Callable[[Asked], bytes], str]] = [
    (lambda _: NOISE, "unreadable", answer_to, "succeeded"),
    (lambda asked: b"HTTP/1.1 200 OK\r\n" + answer_to(asked), "unreadable", refuses, "refused"),
    (lambda asked: answer_to(asked, CF=OTHER_PAYMENT), "contradicting_answer", answer_to, "succeeded"),
    (lambda asked: answer_to(asked, CB="99999"), "contradicting_answer", refuses, "refused"),
    (lambda asked: answer_to(asked, AC=None, CC=None), "no_sign_of_card", answer_to, "succeeded"),
    (lambda asked: answer_to(asked, AE="11", AC=None), "contradicting_answer", wrapped, "succeeded"),
    (lambda asked: answer_to(asked)[:-9], "answer_timeout", answer_to, "succeeded"),
    (lambda _: b"", "answer_timeout", wrapped, "succeeded"),
]


async def test_a_real_answer_after_one_that_was_none_settles_the_doubt(system: System) -> None:
    """The connection is listened to as after a time-out: noise, a contradiction, half an answer or none."""
    pos = await system.pos()
    await system.worker(answer_timeout_seconds=2)

    async def pays_after_all(
        first: Callable[[Asked], bytes], reason: str, later: Callable[[Asked], bytes], state: str
    ) -> None:
        go_on = asyncio.Event()
        async with ScriptedTerminal(first_then(first, later, go_on)) as shop:
            answered = await pos.pay(shop.host)
            assert answered.json()["payment"]["reason"] == reason, answered.text
            go_on.set()

            row = await eventually(lambda: settled(system, payment_id(answered)))

            assert (row.state, row.resolved_by) == (state, "late_answer"), reason
            assert len(shop.talks) == 1
        await eventually(lambda: system.is_free(shop.host))

    await asyncio.gather(*(pays_after_all(*case) for case in AFTERTHOUGHTS))


async def test_a_field_that_comes_late_completes_the_answer_that_lacked_it(system: System) -> None:
    """Done without a card is in doubt; the authorisation number is the next segment's."""
    pos = await system.pos()
    await system.worker()
    go_on = asyncio.Event()
    script = first_then(lambda asked: answer_to(asked, AC=None, CC=None), lambda _: b"AC006184117", go_on)

    async with ScriptedTerminal(script) as shop:
        answered = await pos.pay(shop.host)
        assert answered.json()["payment"]["reason"] == "no_sign_of_card"
        go_on.set()

        row = await eventually(lambda: settled(system, payment_id(answered)))

        assert (row.state, row.authorisation_number) == ("succeeded", "184117")


#: What comes after a success without an amount, and whether it contradicts it.
AMOUNTS = [
    (b"CB0049999", True),
    (b"CB003100", True),
    (b"CZ0040320AE00201AF00204", True),
    (b"CB003250", False),
    (b"CZ0040320AE00210CB003250AC006184117", False),
    (b"CZ0040320AE00210CB0049999AC006184117", False),
    (b"\r\n", False),
]


async def test_an_amount_that_comes_after_a_success_without_one_may_conflict_with_it(system: System) -> None:
    """The client is answered meanwhile, the lock is kept; another payment's answer conflicts with nothing."""
    pos = await system.pos()
    worker = await system.worker(idle_end_seconds=2, lease_after_doubt_seconds=7)

    async def adds(later: bytes, conflicts_with: bool) -> None:
        go_on = asyncio.Event()
        script = first_then(lambda asked: answer_to(asked, CB=None), lambda _: later, go_on)
        async with ScriptedTerminal(script) as shop:
            answered = await pos.pay(shop.host)
            assert answered.json()["paymentStatus"] == "Success"
            assert await system.holder(shop.host) == payment_id(answered)
            go_on.set()

            await eventually(lambda: system.is_free(shop.host))

        row = await system.stored(payment_id(answered))
        assert (row.state, row.paid_cents) == ("succeeded", 250)
        assert bool(row.contradicted) is conflicts_with, later
        kept = [
            one
            for one in await system.all_of("evidence")
            if (one.payment_id, one.source) == (row.id, "late_answer")
        ]
        assert len(kept) == (1 if conflicts_with or b"9999" in later else 0), later

    await asyncio.gather(*(adds(*case) for case in AMOUNTS))

    assert worker.metric("contradictions_total") == sum(conflicts for _, conflicts in AMOUNTS)


async def test_an_answer_that_contradicts_an_operators_decision_is_counted(system: System) -> None:
    """The worker that stored it says so: an alert wakes an operator."""
    pos, worker = await system.pos(), await system.worker(answer_timeout_seconds=2)
    go_on = asyncio.Event()

    async with ScriptedTerminal(first_then(lambda _: b"", answer_to, go_on)) as shop:
        answered = await pos.pay(shop.host)
        decision = Evidence(Source.OPERATOR, Event.PROVED_ABORTED)
        await settling.add_evidence(
            system.database, payment_id(answered), decision, Result(), brought_by="operator"
        )
        go_on.set()

        await eventually(lambda: worker.metric("contradictions_total") == 1)

    row = await system.stored(payment_id(answered))
    assert (row.state, bool(row.contradicted)) == ("aborted", True)
    # The operator's decision settled the doubt, and is counted where it was taken.
    assert worker.metric("doubt_duration_seconds_count", source="operator") == 0


async def test_a_success_without_an_amount_delays_no_payment_once_the_terminal_has_closed(
    system: System,
) -> None:
    """Nothing more can come: no listening."""

    async def answers_without_amount(talk: Talk) -> None:
        talk.answer(await talk.request(), CB=None)

    long = 20
    pos = await system.pos()
    await system.worker(idle_end_seconds=long, lease_after_doubt_seconds=long + 5)
    async with ScriptedTerminal(answers_without_amount) as shop:
        began = time.monotonic()
        await pos.pay(shop.host)
        await eventually(lambda: system.is_free(shop.host))

    assert time.monotonic() - began < long


@pytest.mark.parametrize(
    ("garbage", "kept"),
    [
        (b"?" + PAN.encode() + b"?", {"unread": "?497010******7893?"}),
        (
            b"CZ0040320AA016" + PAN.encode() + b"AB0042812\x07",
            {"fields": {"CZ": "0320", "AA": "497010******7893", "AB": "<4 characters>"}, "unread": "\\x07"},
        ),
    ],
)
async def test_what_cannot_be_read_is_kept_masked(
    system: System, garbage: bytes, kept: dict[str, object]
) -> None:
    """In the session, and on the same connection later; no whole card number is stored anywhere."""
    pos = await system.pos()
    await system.worker()
    go_on = asyncio.Event()

    async with ScriptedTerminal(
        first_then(lambda _: garbage, lambda _: b"CZ0040320" + garbage[:1] + garbage, go_on)
    ) as shop:
        answered = await pos.pay(shop.host)
        go_on.set()
        late = await eventually(lambda: system.all_of("evidence"))

    doubt = next(one for one in await system.details(payment_id(answered)) if one["event"] == "outcome_lost")
    assert {key: doubt[key] for key in kept} == kept
    assert "unread" in json.loads(late[0].detail)
    for table in ("payments", "payment_events", "evidence"):
        assert PAN not in str(await system.all_of(table))


async def settled(system: System, payment: str) -> object:
    row = await system.stored(payment)
    return row if row.state != "in_doubt" else None


async def test_a_late_answer_that_our_code_stumbles_over_is_kept(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may stay the only evidence: an operator reads it, and the payment stays in doubt."""

    def fails(*_: object) -> None:
        raise RuntimeError("an error of the code")

    monkeypatch.setattr(late_answers, "interpret_answer", fails)
    pos = await system.pos()
    await system.worker(answer_timeout_seconds=1)
    go_on = asyncio.Event()

    async with ScriptedTerminal(first_then(lambda _: NOISE, answer_to, go_on)) as shop:
        answered = await pos.pay(shop.host)
        go_on.set()
        (kept,) = await eventually(lambda: system.all_of("evidence"))

    assert (kept.source, kept.proves) == ("late_answer", None)
    detail = json.loads(kept.detail)
    assert detail["error"] == "RuntimeError"
    assert detail["fields"]["AE"] == "10"
    (row,) = await system.payments()
    assert (row.id, row.state) == (payment_id(answered), "in_doubt")


async def test_what_an_answer_teaches_of_its_terminal_costs_no_result(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer was judged; an error of the code in what follows makes no doubt of it."""

    def fails(*_: object) -> None:
        raise RuntimeError("an error of the code")

    monkeypatch.setattr(session, "learn_echoes", fails)
    pos = await system.pos()
    await system.worker()

    async with ScriptedTerminal(answers) as shop:
        answered = await pos.pay(shop.host)

    assert answered.json()["paymentStatus"] == "Success", answered.text
