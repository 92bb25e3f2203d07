"""The terminal with its gateway: the real chain to the issuer, served on free ports."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from eventually import eventually
from running.sandbox_chain import Chain
from wire.concert import frame_for, frame_of, read, request
from wire.concert_client import RawClient, ask
from wire.shop_terminal import PROMPT

from sandbox.cards import DECK
from sandbox.terminal.device.card import Authorisation
from sandbox.terminal.device.journal import Fate
from sandbox.terminal.gateway.bodies import Body
from sandbox.terminal.gateway.collection import Schedule, TerminalBusy
from sandbox.terminal.gateway.link import Collected, Gateway, GatewayUnreachable, HttpGateway
from sandbox.terminal.script.behaviour import Behaviour, Fault
from sandbox.terminal.script.script import read_script
from sandbox.terminal.server.server import VirtualTerminal
from shared.concert.decoded_answer import AnswerMeaning
from shared.payment.payment import Operation

pytestmark = pytest.mark.asyncio(loop_scope="module")

COLLECTION = b"CZ0040320CJ012247300123456CA00201CD001B"


def debit(amount_cents: int, **more: Any) -> bytes:
    return frame_for(amount_cents=amount_cents, **more)


@asynccontextmanager
async def terminal_of(chain: Chain, **more: Any) -> AsyncIterator[VirtualTerminal]:
    gateway = HttpGateway(chain.http, chain.urls["preludd"])
    async with VirtualTerminal(
        "127.0.9.24", 0, device=PROMPT, gateway=gateway, record=chain.trace.record, **more
    ) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def running(chain: Chain) -> AsyncIterator[VirtualTerminal]:
    async with terminal_of(chain) as terminal:
        yield terminal


async def test_above_the_floor_limit_the_issuer_is_asked_and_gets_the_completion(
    chain: Chain, running: VirtualTerminal
) -> None:
    """Its number comes back in AC and on the receipt; the completion carries the authorisation's id."""
    answer = await ask(running, debit(4250))

    asked = (await chain.get("issuer", "/records"))[0]
    assert read(answer, sent=request(amount_cents=4250)).meaning is AnswerMeaning.SUCCEEDED
    assert answer.fields["AC"] == asked["answer"]["authorisation_number"]
    completed = await eventually(lambda: pushed(chain, "completion"))
    assert completed[0]["authorisation_id"] == asked["id"]
    assert completed[0]["reference"] == request().reference
    await eventually(lambda: not running.unsent_completions)


async def test_below_the_floor_limit_nothing_is_sent(chain: Chain, running: VirtualTerminal) -> None:
    """Until the collection; a card that is always online and a forced authorisation ask the issuer."""
    await ask(running, debit(1200))
    assert await pushed(chain, "authorisation") == []

    await ask(running, debit(1200, force_authorization=True))
    running.queue_script(read_script([{"card": "cb-online"}]))
    await ask(running, debit(1200))

    assert len(await chain.get("issuer", "/records")) == 2


@pytest.mark.parametrize(
    ("step", "code"),
    [({"card": "mastercard-stolen"}, "43"), ({"outcome": "refused_57"}, "57"), ({"outcome": "55"}, "55")],
    ids=["stolen card", "scripted 57", "scripted wrong PIN"],
)
async def test_the_issuers_refusal_travels_back_to_the_receipt(
    chain: Chain, running: VirtualTerminal, step: dict[str, Any], code: str
) -> None:
    """By the card's account, or as scripted: either way the issuer refused."""
    running.queue_script(read_script([step]))

    reading = read(await ask(running, debit(1200)), sent=request(amount_cents=1200))

    said = (await chain.get("issuer", "/records"))[0]["answer"]
    assert (said["approved"], said["code"]) == (False, code)
    assert (reading.meaning, reading.issuer_code) == (AnswerMeaning.REFUSED, code)
    assert f"{code} {said['message'].upper()}" in (reading.result.receipt or "")
    assert not await pushed(chain, "completion")


async def test_a_refusal_that_is_wanted_without_a_code_leaves_nothing_authorised(
    chain: Chain, running: VirtualTerminal
) -> None:
    """The bank refuses as the POS reads it; the refusal keeps the wanted AF."""
    running.queue_script(read_script([{"customer": "refuse"}, {"customer": "refuse", "refusal_code": "07"}]))

    first, second = [await ask(running, debit(4250)) for _ in range(2)]

    said = [one["answer"] for one in await chain.get("issuer", "/records")]
    assert [(one["approved"], one["code"]) for one in said] == [(False, "05")] * 2
    assert [one.fields["AF"][:4] for one in (first, second)] == ["0405", "0705"]
    pushes = await eventually(lambda: pushed(chain, "authorisation"))
    assert [one["approved"] for one in pushes] == [False] * len(pushes)
    assert not await pushed(chain, "completion")


async def test_a_gateway_that_gets_no_cf_learns_it_from_no_message(
    chain: Chain, running: VirtualTerminal
) -> None:
    """Neither authorisation nor completion nor collection holds it; the POS has its CF back all the same."""
    running.queue_script(read_script(["gateway_without_reference"]))

    answer = await ask(running, debit(4250))
    await eventually(lambda: pushed(chain, "completion"))
    await running.collect()
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
    async with terminal_with(gateway) as running:
        reading = read(await ask(running, debit(4250)), sent=request(amount_cents=4250))

        assert (reading.meaning, reading.issuer_code) == (AnswerMeaning.REFUSED, "91")
        assert not running.is_busy


async def test_a_reversal_undoes_the_debit_at_the_issuer_too(chain: Chain, running: VirtualTerminal) -> None:
    """Nothing is left to collect; the reversal of an offline debit is not sent."""
    await ask(running, debit(4250))
    reversal = await ask(running, debit(4250, operation=Operation.REVERSAL))
    await ask(running, debit(1200))
    await ask(running, debit(1200, operation=Operation.REVERSAL))

    account = await chain.get("issuer", f"/accounts/{DECK[0].pan}")
    asked = [one["operation"] for one in await chain.get("issuer", "/records")]
    assert reversal.fields["AE"] == "10"
    assert (account["spent_cents"], asked) == (0, ["debit", "reversal"])
    assert (await running.collect()).batch is None


async def test_a_collection_is_acknowledged_by_the_acquirer(chain: Chain, running: VirtualTerminal) -> None:
    """By Concert action B: authorised and offline debits and credits, no refused ones; sums agree."""
    for amount in (4250, 1200):
        await ask(running, debit(amount))
    await ask(running, debit(300, operation=Operation.CREDIT))
    running.queue_script(read_script(["51"]))
    await ask(running, debit(1200))

    answer = await ask(running, COLLECTION)

    collected = await chain.get("acquirer", "/collections")
    assert (answer.fields["AE"], answer.fields["CD"]) == ("10", "B")
    assert (collected["count"], collected["sum_cents"]) == (3, 5150)
    fates = [one.fate for one in running.memory.journal]
    assert fates == [Fate.COLLECTED] * 3 + [Fate.NOTHING]
    assert running.records[-1].operation == "collection"
    again = await ask(running, COLLECTION)
    assert again.fields["AE"] == "10"
    assert (await chain.get("acquirer", "/collections"))["count"] == 3


async def test_the_terminals_events_are_in_the_trace(chain: Chain, running: VirtualTerminal) -> None:
    """Called, woken, card, PIN, stored, answered; approved offline without an authorisation."""
    await ask(running, debit(4250))
    await eventually(lambda: len(chain.trace.events(request().reference)) >= 16)
    await ask(running, debit(1200))

    events = chain.trace.events(request().reference)
    own = [
        event.step
        for event in events
        if "serial" in event.detail and "terminal" in (event.source, event.target)
    ]
    completed = {"completion_sent", "completion_acknowledged"}
    begun = ["terminal_called", "terminal_woken", "card_presented", "pin_entered"]
    ended = ["transaction_stored", "result_to_api"]
    assert [step for step in own if step not in completed] == [
        *begun,
        *ended,
        *begun,
        "approved_offline",
        *ended,
    ]
    woken = next(event for event in events if event.step == "terminal_woken")
    assert (woken.detail["amount_cents"], woken.detail["currency"]) == (4250, "EUR")
    assert DECK[0].pan not in str(events)


async def test_a_scheduled_collection_runs_by_itself(chain: Chain) -> None:
    """After each interval."""
    async with terminal_of(chain, schedule=Schedule(every_seconds=0.2)) as running:
        await ask(running, debit(1200))
        await eventually(lambda: running.memory.journal[0].fate is Fate.COLLECTED)

    assert (await chain.get("acquirer", "/collections"))["sum_cents"] == 1200


class Scripted:
    """Gateway that hangs and fails at chosen moments."""

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


def terminal_with(gateway: Gateway) -> VirtualTerminal:
    return VirtualTerminal("127.0.9.24", 0, device=PROMPT, gateway=gateway)


async def test_while_the_bank_is_asked_the_terminal_is_busy_and_red_has_no_effect() -> None:
    """The request stays, also without its client; the card is charged in the end."""
    gateway = Scripted()
    async with terminal_with(gateway) as running:
        async with RawClient(running) as client:
            await client.send(debit(4250))
            await eventually(lambda: running.screen.stage == "authorisation")
            running.press_red_button()
            assert (await ask(running, debit(1200))).fields["AE"] == "01"
            with pytest.raises(TerminalBusy):
                await running.collect()
        await eventually(lambda: running.records[0].closed_at_ms is not None)
        gateway.may_answer.set()
        await eventually(lambda: not running.is_busy)

        record = running.records[0]
        assert (record.charged, record.answered) == (True, False)
        await eventually(lambda: gateway.completions)


async def test_a_completion_is_sent_until_it_is_acknowledged() -> None:
    """The answer to the client does not wait for it."""
    gateway = Scripted()
    gateway.may_answer.set()
    async with terminal_with(gateway) as running:
        assert (await ask(running, debit(4250))).fields["AE"] == "10"
        await eventually(lambda: gateway.completions)

        assert running.unsent_completions == 0
        assert gateway.completions[0]["transaction"]["amount_cents"] == 4250


async def test_a_lost_answer_is_completed_all_the_same() -> None:
    """So the gateway's record can settle the doubt."""
    gateway = Scripted()
    gateway.may_answer.set()
    async with terminal_with(gateway) as running:
        running.behaviour = Behaviour(fault=Fault.LOSE_ANSWER)
        async with RawClient(running) as client:
            await client.send(debit(4250))
            assert await client.receive_all() == b""

        await eventually(lambda: gateway.completions)


async def test_a_batch_that_was_not_acknowledged_is_sent_again_as_it_was() -> None:
    """Under its number, without later transactions; those in it cannot be reversed any more."""
    gateway = Scripted()
    async with terminal_with(gateway) as running:
        await ask(running, debit(1200))
        failed = await ask(running, COLLECTION)
        reversal = await ask(running, debit(1200, operation=Operation.REVERSAL))
        await ask(running, debit(700))
        gateway.is_unavailable = False
        first, second = await running.collect(), await running.collect()

    assert (failed.fields["AE"], failed.fields["AF"]) == ("01", "07")
    assert reversal.fields["AE"] == "01"
    assert gateway.batches[0] == gateway.batches[1]
    assert [(ended.batch, ended.sum_cents, ended.acknowledged) for ended in (first, second)] == [
        (1, 1200, True),
        (2, 700, True),
    ]


async def test_of_two_collections_at_once_one_is_answered_busy() -> None:
    """Both requests are read before either collection begins; both are answered."""
    gateway = Scripted()
    gateway.is_unavailable = False
    async with terminal_with(gateway) as running:
        await ask(running, debit(1200))
        gateway.may_acknowledge.clear()
        with (
            socket.create_connection((running.host, running.port), timeout=30) as first,
            socket.create_connection((running.host, running.port), timeout=30) as second,
        ):
            await eventually(lambda: len(running.records) == 3)
            # Without a turn of the event loop in between.
            first.sendall(COLLECTION)
            second.sendall(COLLECTION)
            await eventually(lambda: any(record.answered for record in list(running.records)[1:]))
            gateway.may_acknowledge.set()
            answers = [frame_of(await asyncio.to_thread(one.recv, 4096)) for one in (first, second)]

    assert sorted(answer.fields["AE"] for answer in answers) == ["01", "10"]
    assert [batch["sum_cents"] for batch in gateway.batches] == [1200]


async def test_it_ends_cleanly_while_the_bank_is_asked() -> None:
    """Nothing is charged; the connection ends."""
    async with terminal_with(Scripted()) as running:
        client = RawClient(running)
        await client.__aenter__()
        await client.send(debit(4250))
        await eventually(lambda: running.screen.stage == "authorisation")
    assert await client.receive_all() == b""
    client.drop()

    assert not running.records[0].charged


async def test_an_old_protocol_knows_no_collection() -> None:
    """AF 12 before V3.1."""
    async with VirtualTerminal("127.0.9.24", 0, device=PROMPT) as running:
        old = await ask(running, COLLECTION.replace(b"CZ0040320", b"CZ0040300"))
        new = await ask(running, COLLECTION)

    assert (old.fields["AE"], old.fields["AF"]) == ("01", "12")
    assert (new.fields["AE"], frame_of(COLLECTION).fields["CD"]) == ("10", "B")


async def pushed(chain: Chain, kind: str) -> list[dict[str, Any]]:
    records = await chain.get("preludd", "/records")
    return [push for push in records["pushes"] if push["kind"] == kind]
