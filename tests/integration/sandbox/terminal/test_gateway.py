"""The terminal with its gateway behind it: the real chain to the issuer, served on free ports."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from concert import frame_of, read, request
from concert_client import RawClient, ask
from eventually import eventually
from sandbox_chain import SYSTEMS, Chain, running_chain

from sandbox.cards import DECK
from sandbox.terminal.device.bank import Authorisation
from sandbox.terminal.device.device import Device
from sandbox.terminal.device.journal import Fate
from sandbox.terminal.gateway.bodies import Body
from sandbox.terminal.gateway.collection import TerminalBusy
from sandbox.terminal.gateway.link import Collected, Gateway, GatewayUnreachable, HttpGateway
from sandbox.terminal.gateway.schedule import Schedule
from sandbox.terminal.script.behaviour import Behaviour, Fault
from sandbox.terminal.script.script import read_script
from sandbox.terminal.server.server import VirtualTerminal
from shared.concert.decoded_answer import AnswerMeaning
from shared.concert.encode import encode_operation
from shared.concert.profile import Profile
from shared.payment.payment import Operation

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT = Device(request_idle_seconds=0)
COLLECTION = b"CZ0040320CJ012247300123456CA00201CD001B"


def debit(amount_cents: int, **more: Any) -> bytes:
    return encode_operation(request(amount_cents=amount_cents, **more), Profile())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Chain]:
    async with running_chain() as chain:
        yield chain


@pytest_asyncio.fixture(loop_scope="module")
async def chain(running: Chain) -> Chain:
    """One chain for all tests of this file, each of which finds it as new."""
    for system in SYSTEMS:
        await running.post(system, "/reset")
    running.trace.reset()
    return running


@asynccontextmanager
async def terminal_of(chain: Chain, **more: Any) -> AsyncIterator[VirtualTerminal]:
    gateway = HttpGateway(chain.http, chain.urls["preludd"])
    async with VirtualTerminal(
        "127.0.9.24", 0, device=PROMPT, gateway=gateway, record=chain.trace.record, **more
    ) as playing:
        yield playing


@pytest_asyncio.fixture(loop_scope="module")
async def playing(chain: Chain) -> AsyncIterator[VirtualTerminal]:
    async with terminal_of(chain) as terminal:
        yield terminal


async def test_above_the_floor_limit_the_issuer_is_asked_and_the_end_is_told(
    chain: Chain, playing: VirtualTerminal
) -> None:
    """Its number comes back in AC and on the receipt; the completion carries the authorisation's id."""
    answer = await ask(playing, debit(4250))

    asked = (await chain.get("issuer", "/records"))[0]
    assert read(answer, sent=request(amount_cents=4250)).meaning is AnswerMeaning.SUCCEEDED
    assert answer.fields["AC"] == asked["answer"]["authorisation_number"]
    completed = await eventually(lambda: pushed(chain, "completion"))
    assert completed[0]["authorisation_id"] == asked["id"]
    assert completed[0]["reference"] == request().reference
    await eventually(lambda: not playing.untold_completions)


async def test_below_the_floor_limit_nobody_is_asked_or_told(chain: Chain, playing: VirtualTerminal) -> None:
    """Until the collection; a card that always asks is asked, and so is a forced authorisation."""
    await ask(playing, debit(1200))
    assert await pushed(chain, "authorisation") == []

    await ask(playing, debit(1200, force_authorization=True))
    playing.play_next(read_script([{"card": "cb-online"}]))
    await ask(playing, debit(1200))

    assert len(await chain.get("issuer", "/records")) == 2


@pytest.mark.parametrize(
    ("step", "code"),
    [({"card": "mastercard-stolen"}, "43"), ({"outcome": "refused_57"}, "57"), ({"outcome": "55"}, "55")],
    ids=["stolen card", "scripted 57", "scripted wrong PIN"],
)
async def test_the_issuers_refusal_travels_back_to_the_receipt(
    chain: Chain, playing: VirtualTerminal, step: dict[str, Any], code: str
) -> None:
    """Of the card's own account, or as scripted: either way it was the issuer that said no."""
    playing.play_next(read_script([step]))

    reading = read(await ask(playing, debit(1200)), sent=request(amount_cents=1200))

    said = (await chain.get("issuer", "/records"))[0]["answer"]
    assert (said["approved"], said["code"]) == (False, code)
    assert (reading.meaning, reading.issuer_code) == (AnswerMeaning.REFUSED, code)
    assert f"{code} {said['message'].upper()}" in (reading.result.receipt or "")
    assert not await pushed(chain, "completion")


async def test_a_refusal_that_is_wanted_without_a_code_leaves_nothing_authorised(
    chain: Chain, playing: VirtualTerminal
) -> None:
    """The bank says the same as the till is told; the refusal keeps the AF that was wanted."""
    playing.play_next(read_script([{"customer": "refuse"}, {"customer": "refuse", "refusal_code": "07"}]))

    first, second = [await ask(playing, debit(4250)) for _ in range(2)]

    said = [one["answer"] for one in await chain.get("issuer", "/records")]
    assert [(one["approved"], one["code"]) for one in said] == [(False, "05")] * 2
    assert [one.fields["AF"][:4] for one in (first, second)] == ["0405", "0705"]
    pushes = await eventually(lambda: pushed(chain, "authorisation"))
    assert [one["approved"] for one in pushes] == [False] * len(pushes)
    assert not await pushed(chain, "completion")


async def test_a_gateway_that_is_not_told_cf_learns_it_from_nothing(
    chain: Chain, playing: VirtualTerminal
) -> None:
    """Neither by the question nor by completion or collection; the till has its CF back all the same."""
    playing.play_next(read_script(["gateway_without_reference"]))

    answer = await ask(playing, debit(4250))
    await eventually(lambda: pushed(chain, "completion"))
    await playing.collect()
    pushes = await eventually(lambda: pushed(chain, "collection"))

    pushes += await pushed(chain, "authorisation") + await pushed(chain, "completion")
    assert read(answer, sent=request(amount_cents=4250)).meaning is AnswerMeaning.SUCCEEDED
    assert [(one["kind"], one["reference"]) for one in pushes] == [
        ("collection", None),
        ("authorisation", None),
        ("completion", None),
    ]


async def test_a_gateway_that_cannot_be_reached_refuses_with_91(chain: Chain) -> None:
    """And the terminal is free again."""
    gateway = HttpGateway(chain.http, "http://127.0.0.1:9")
    async with VirtualTerminal("127.0.9.24", 0, device=PROMPT, gateway=gateway) as playing:
        reading = read(await ask(playing, debit(4250)), sent=request(amount_cents=4250))

        assert (reading.meaning, reading.issuer_code) == (AnswerMeaning.REFUSED, "91")
        assert not playing.is_busy


async def test_a_reversal_undoes_the_debit_at_the_issuer_too(chain: Chain, playing: VirtualTerminal) -> None:
    """Nothing is left to collect; that of a debit which nobody authorised is told to nobody."""
    await ask(playing, debit(4250))
    reversal = await ask(playing, debit(4250, operation=Operation.REVERSAL))
    await ask(playing, debit(1200))
    await ask(playing, debit(1200, operation=Operation.REVERSAL))

    account = await chain.get("issuer", f"/accounts/{DECK[0].pan}")
    asked = [one["operation"] for one in await chain.get("issuer", "/records")]
    assert reversal.fields["AE"] == "10"
    assert (account["spent_cents"], asked) == (0, ["debit", "reversal"])
    assert (await playing.collect()).batch is None


async def test_a_collection_is_acknowledged_by_the_acquirer(chain: Chain, playing: VirtualTerminal) -> None:
    """By Concert action B: authorised and offline debits and credits, no refused ones; sums agree."""
    for amount in (4250, 1200):
        await ask(playing, debit(amount))
    await ask(playing, debit(300, operation=Operation.CREDIT))
    playing.play_next(read_script(["51"]))
    await ask(playing, debit(1200))

    answer = await ask(playing, COLLECTION)

    collected = await chain.get("acquirer", "/collections")
    assert (answer.fields["AE"], answer.fields["CD"]) == ("10", "B")
    assert (collected["count"], collected["sum_cents"]) == (3, 5150)
    fates = [one.fate for one in playing.memory.journal]
    assert fates == [Fate.COLLECTED] * 3 + [Fate.NOTHING]
    assert playing.records[-1].operation == "collection"
    again = await ask(playing, COLLECTION)
    assert again.fields["AE"] == "10"
    assert (await chain.get("acquirer", "/collections"))["count"] == 3


async def test_the_terminals_hops_are_in_the_trace(chain: Chain, playing: VirtualTerminal) -> None:
    """Called, woken, card, PIN, stored, answered; approved offline where nobody was asked."""
    await ask(playing, debit(4250))
    await eventually(lambda: len(chain.trace.hops(request().reference)) >= 16)
    await ask(playing, debit(1200))

    hops = chain.trace.hops(request().reference)
    own = [
        trace_event.step
        for trace_event in hops
        if "serial" in trace_event.detail and "terminal" in (trace_event.source, trace_event.target)
    ]
    told = {"completion_told", "completion_acknowledged"}
    begun = ["terminal_called", "terminal_woken", "card_presented", "pin_entered"]
    ended = ["transaction_stored", "result_to_api"]
    assert [step for step in own if step not in told] == [
        *begun,
        *ended,
        *begun,
        "approved_offline",
        *ended,
    ]
    woken = next(trace_event for trace_event in hops if trace_event.step == "terminal_woken")
    assert (woken.detail["amount_cents"], woken.detail["currency"]) == (4250, "EUR")
    assert DECK[0].pan not in str(hops)


async def test_a_scheduled_collection_runs_by_itself(chain: Chain) -> None:
    """Every so many seconds."""
    async with terminal_of(chain, schedule=Schedule(every_seconds=0.2)) as playing:
        await ask(playing, debit(1200))
        await eventually(lambda: playing.memory.journal[0].fate is Fate.COLLECTED)

    assert (await chain.get("acquirer", "/collections"))["sum_cents"] == 1200


class Scripted:
    """A gateway that hangs and fails as a real one cannot be made to at a given moment."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.may_acknowledge = asyncio.Event()
        self.may_acknowledge.set()
        self.is_unavailable = True
        self.batches: list[Body] = []
        self.completions: list[Body] = []

    async def authorise(self, body: Body) -> Authorisation:
        await self.may_answer.wait()
        return Authorisation(approved=True, code="00", number="123456", id=str(body["reference"]))

    async def complete(self, body: Body) -> None:
        if self.is_unavailable:
            self.is_unavailable = False
            raise GatewayUnreachable("away")
        self.completions.append(body)

    async def collect(self, body: Body) -> Collected:
        self.batches.append(body)
        await self.may_acknowledge.wait()
        if self.is_unavailable:
            raise GatewayUnreachable("away")
        return Collected(acknowledged=True, count=body["count"], sum_cents=body["sum_cents"])


@asynccontextmanager
async def terminal_with(gateway: Gateway) -> AsyncIterator[VirtualTerminal]:
    async with AsyncExitStack() as stack:
        terminal = VirtualTerminal("127.0.9.24", 0, device=PROMPT, gateway=gateway)
        yield await stack.enter_async_context(terminal)


async def test_while_the_bank_is_asked_the_terminal_is_busy_and_red_has_no_meaning() -> None:
    """The question stays, also where the caller has gone; the card is charged in the end."""
    gateway = Scripted()
    async with terminal_with(gateway) as playing:
        async with RawClient(playing) as client:
            await client.send(debit(4250))
            await eventually(lambda: playing.screen.stage == "authorisation")
            playing.press_red_button()
            assert (await ask(playing, debit(1200))).fields["AE"] == "01"
            with pytest.raises(TerminalBusy):
                await playing.collect()
        await eventually(lambda: playing.records[0].closed_at_ms is not None)
        gateway.may_answer.set()
        await eventually(lambda: not playing.is_busy)

        record = playing.records[0]
        assert (record.charged, record.answered) == (True, False)
        await eventually(lambda: gateway.completions)


async def test_a_completion_is_told_until_it_is_heard() -> None:
    """The answer to the register does not wait for it."""
    gateway = Scripted()
    gateway.may_answer.set()
    async with terminal_with(gateway) as playing:
        assert (await ask(playing, debit(4250))).fields["AE"] == "10"
        await eventually(lambda: gateway.completions)

        assert playing.untold_completions == 0
        assert gateway.completions[0]["transaction"]["amount_cents"] == 4250


async def test_a_lost_answer_is_completed_all_the_same() -> None:
    """So the gateway's record can settle the doubt."""
    gateway = Scripted()
    gateway.may_answer.set()
    async with terminal_with(gateway) as playing:
        playing.behaviour = Behaviour(fault=Fault.LOSE_ANSWER)
        async with RawClient(playing) as client:
            await client.send(debit(4250))
            assert await client.receive_all() == b""

        await eventually(lambda: gateway.completions)


async def test_a_batch_that_was_not_acknowledged_is_sent_again_as_it_was() -> None:
    """Under its number, without what came since; what is in it cannot be reversed any more."""
    gateway = Scripted()
    async with terminal_with(gateway) as playing:
        await ask(playing, debit(1200))
        failed = await ask(playing, COLLECTION)
        reversal = await ask(playing, debit(1200, operation=Operation.REVERSAL))
        await ask(playing, debit(700))
        gateway.is_unavailable = False
        first, second = await playing.collect(), await playing.collect()

    assert (failed.fields["AE"], failed.fields["AF"]) == ("01", "07")
    assert reversal.fields["AE"] == "01"
    assert gateway.batches[0] == gateway.batches[1]
    assert [(ended.batch, ended.sum_cents, ended.acknowledged) for ended in (first, second)] == [
        (1, 1200, True),
        (2, 700, True),
    ]


async def test_of_two_collections_that_are_asked_for_at_once_one_is_told_busy() -> None:
    """Both requests are read before either collection begins; neither connection is left hanging."""
    gateway = Scripted()
    gateway.is_unavailable = False
    async with terminal_with(gateway) as playing:
        await ask(playing, debit(1200))
        gateway.may_acknowledge.clear()
        with (
            socket.create_connection((playing.host, playing.port), timeout=30) as first,
            socket.create_connection((playing.host, playing.port), timeout=30) as second,
        ):
            await eventually(lambda: len(playing.records) == 3)
            # Without a turn of the event loop in between.
            first.sendall(COLLECTION)
            second.sendall(COLLECTION)
            await eventually(lambda: any(record.answered for record in list(playing.records)[1:]))
            gateway.may_acknowledge.set()
            answers = [frame_of(await asyncio.to_thread(one.recv, 4096)) for one in (first, second)]

    assert sorted(answer.fields["AE"] for answer in answers) == ["01", "10"]
    assert [batch["sum_cents"] for batch in gateway.batches] == [1200]


async def test_it_ends_cleanly_while_the_bank_is_asked() -> None:
    """Nothing is charged; the connection ends."""
    async with terminal_with(Scripted()) as playing:
        client = RawClient(playing)
        await client.__aenter__()
        await client.send(debit(4250))
        await eventually(lambda: playing.screen.stage == "authorisation")
    assert await client.receive_all() == b""
    client.drop()

    assert not playing.records[0].charged


async def test_an_old_protocol_knows_no_collection() -> None:
    """AF 12 before V3.1."""
    async with VirtualTerminal("127.0.9.24", 0, device=PROMPT) as playing:
        old = await ask(playing, COLLECTION.replace(b"CZ0040320", b"CZ0040300"))
        new = await ask(playing, COLLECTION)

    assert (old.fields["AE"], old.fields["AF"]) == ("01", "12")
    assert (new.fields["AE"], frame_of(COLLECTION).fields["CD"]) == ("10", "B")


async def pushed(chain: Chain, kind: str) -> list[dict[str, Any]]:
    records = await chain.get("preludd", "/records")
    return [push for push in records["pushes"] if push["kind"] == kind]
