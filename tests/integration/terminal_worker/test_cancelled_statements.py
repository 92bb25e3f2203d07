"""The server cancels statements of a worker, once or for a while: no payment is lost, no lock stays held."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from eventually import eventually
from limits import BRIEF_DOUBT, PATIENT_SESSIONS
from payments import in_session, with_merchant
from races.cancelled_statements import Trouble, observed, troubled
from system import Pos, System, payment_id
from wire.scripted_terminal import PORT, ScriptedTerminal, Talk

#: A claim that is refused for 4 s is in time.
LIMITS: dict[str, object] = {
    **PATIENT_SESSIONS,
    "answer_timeout_seconds": 3,
    "terminal_own_time_seconds": 3,
    "caller_wait_in_doubt_seconds": 0.1,
}
PATIENCE_SECONDS = 120
#: How long statements are cancelled: one of them only, or all that follow, too.
SPANS = (0.0, 4.0)


@dataclass
class Shop:
    """One payment on a terminal of its own, and what came to it."""

    pays: bool
    trouble: Trouble
    debits: list[str] = field(default_factory=list)
    host: str = ""

    async def script(self, talk: Talk) -> None:
        asked = await talk.request()
        if asked.get("CD") == "0":
            self.debits.append(asked["CF"])
            if self.pays:
                talk.answer(asked)

    async def paid(self, system: System, pos: Pos) -> httpx.Response:
        answered = await pos.pay(self.host)
        await eventually(lambda: system.is_free(self.host), within_seconds=PATIENCE_SECONDS)
        return answered


def _positions(statements: list[str]) -> Iterator[int]:
    """Each statement, where several of the same kind follow each other the first two of them."""
    seen = Counter[str]()
    for at, statement in enumerate(statements):
        seen[statement] += 1
        if seen[statement] <= 2:
            yield at


@pytest.mark.parametrize("limits", [LIMITS])
async def test_a_payment_survives_the_loss_of_any_of_its_statements(system: System) -> None:
    """Of claim, settling, doubt, releases: each is cancelled once, and from each on all for four seconds."""
    async with AsyncExitStack() as stack:
        api = await system.api()
        pos = await system.pos(api)
        worker = await system.worker(session_limit=200)
        troubles = stack.enter_context(troubled(worker.database))
        stack.enter_context(observed(api.database, troubles))

        async def open_shop(pays: bool, trouble: Trouble) -> Shop:
            shop = Shop(pays, trouble)
            terminal = await stack.enter_async_context(ScriptedTerminal(shop.script))
            shop.host = terminal.host
            troubles[f"{shop.host}:{PORT}"] = trouble
            return shop

        clean = [await open_shop(pays, Trouble()) for pays in (True, False)]
        await asyncio.gather(*(shop.paid(system, pos) for shop in clean))
        assert all(len(shop.trouble.sent) >= 10 for shop in clean)
        shops = [
            await open_shop(shop.pays, Trouble(at=at, seconds=seconds))
            for shop in clean
            for at in _positions(shop.trouble.sent)
            for seconds in SPANS
        ]
        answers = await asyncio.gather(*(shop.paid(system, pos) for shop in shops))

        for shop, answered in zip(shops, answers, strict=True):
            await _check(system, shop, answered)


async def _check(system: System, shop: Shop, answered: httpx.Response) -> None:
    row = await system.stored(payment_id(answered))
    told = answered.json()["payment"]
    assert (told["id"], told["state"]) == (row.id, row.state), answered.text
    assert (row.state, row.contradicted) == ("succeeded" if shop.pays else "in_doubt", False)
    assert shop.debits == [row.id], "written once"
    events = await system.events(row.id)
    ends = "answered_done" if shop.pays else "outcome_lost"
    assert events[:3] == ["accepted", "claimed", ends], "stored once"
    assert len(set(events)) == len(events)


@pytest.mark.parametrize("limits", [BRIEF_DOUBT])
async def test_a_takeover_survives_the_loss_of_any_of_its_statements(system: System) -> None:
    """A lock that fails delays no other: all are taken over in the end, each payment in doubt once."""
    await with_merchant(system.database)
    worker = await system.worker(sweeps=False)

    async def left_behind(number: int) -> Any:
        """A payment in session of a worker that never lived."""
        host = f"127.0.1.{number}"
        troubles[f"{host}:{PORT}"] = cases[number]
        return await in_session(
            system.database, order_id=f"order-{number}", host=host, terminal_address=f"{host}:{PORT}"
        )

    with troubled(worker.database) as troubles:
        cases = [Trouble()]
        clean = await left_behind(0)
        await _freed(system, [clean])
        cases += [Trouble(at=at, seconds=seconds) for at in _positions(cases[0].sent) for seconds in SPANS]
        assert len(cases) > 20
        left = [await left_behind(number) for number in range(1, len(cases))]
        await _freed(system, left)

    for claimed in [clean, *left]:
        row = await system.stored(claimed.payment.id)
        assert (row.state, row.reason) == ("in_doubt", "worker_lost")
        assert await system.events(row.id) == ["accepted", "claimed", "outcome_lost", "hold_ended"]


async def _freed(system: System, left: list[Any]) -> None:
    hosts = [claimed.grant.address.removesuffix(f":{PORT}") for claimed in left]

    async def are_free() -> bool:
        return all([await system.is_free(host) for host in hosts])

    await eventually(are_free, within_seconds=PATIENCE_SECONDS)
