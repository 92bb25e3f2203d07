"""The terminal's control API and its page, served over HTTP."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from eventually import eventually
from wire.concert import OURS, frame_for, frame_of, read, request
from wire.concert_client import RawClient, ask
from wire.shop_terminal import PROMPT

from sandbox.cards import DECK
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.server import VirtualTerminal
from sandbox.terminal.web.app import make_terminal_app
from shared.concert.decoded_answer import AnswerMeaning
from shared.runtime.serving import port_of, serving

Json = dict[str, Any]


@dataclass
class Served:
    """A terminal and a client of its HTTP port."""

    terminal: VirtualTerminal
    http: httpx.AsyncClient

    async def get(self, path: str) -> Any:
        answer = await self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Json | None = None, *, status: int = 200) -> Any:
        answer = await self.http.post(path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def form(self, path: str, **fields: str) -> str:
        """Send a form of the page; return the page that it leads back to."""
        answer = await self.http.post(f"/screen/{path}", data=fields, follow_redirects=True)
        assert answer.status_code == 200, answer.text
        assert answer.url.path == "/"
        return answer.text


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with AsyncExitStack() as stack:
        terminal = await stack.enter_async_context(
            VirtualTerminal("127.0.9.25", 0, device=PROMPT, by_hand=True)
        )
        listening = socket.create_server(("127.0.0.1", 0))
        listening.setblocking(False)
        url = f"http://127.0.0.1:{port_of(listening)}"
        await stack.enter_async_context(serving(make_terminal_app(terminal), listening, drain_seconds=1))
        http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=30)
        yield Served(terminal, await stack.enter_async_context(http))
        terminal.changes.close()


async def asked(served: Served, client: RawClient) -> None:
    await client.send(OURS)
    await eventually(lambda: served.terminal.is_busy)


async def test_the_page_is_in_french_where_that_was_chosen(served: Served) -> None:
    """Its stream, too; the switch leads back to the page that it was pressed on, on this host."""
    chosen = await served.http.post(
        "/language", data={"language": "fr"}, headers={"referer": "https://evil.example//evil.example/?x=1"}
    )
    page = (await served.http.get("/")).text
    async with served.http.stream("GET", "/screen/events") as events:
        part = await anext(line async for line in events.aiter_lines() if line.startswith("data"))
    await served.http.post("/language", data={"language": "<b>"})
    still = (await served.http.get("/nothing", headers={"accept": "text/html"})).text
    await served.http.post("/language", data={"language": "en"})

    assert (chosen.status_code, chosen.headers["location"]) == (303, "/evil.example/")
    assert '<html lang="fr">' in page
    assert "Terminal de paiement" in page
    assert "En attente d" in json.loads(part.removeprefix("data: "))["parts"]["deck-hint"]
    assert "Cette page n" in still
    assert "Payment terminal" in (await served.http.get("/")).text


async def test_a_payment_is_made_with_the_control_api_alone(served: Served) -> None:
    """State, card, PIN, journal; no answer holds the PIN."""
    async with RawClient(served.terminal) as client:
        await asked(served, client)
        waiting = await served.get("/state")
        await served.post("/card", {"card": "mastercard"})
        typed = await served.post("/key", {"key": "123"})
        await served.post("/key", {"key": "4"})
        done = await served.post("/key", {"key": "green"})
        assert frame_of(await client.receive_all()).fields["AE"] == "10"

    journal = await served.get("/journal")
    assert (waiting["stage"], waiting["operation"], waiting["amount_cents"]) == ("card", "debit", 2500)
    assert (typed["stage"], typed["pin_digits"]) == ("pin", 3)
    assert (done["stage"], done["is_done"], done["message"]) == ("ended", True, "Approved")
    assert "1234" not in json.dumps([waiting, typed, done])
    assert [one["number"] for one in journal] == [1]
    assert journal[0]["card"]["pan"] == "555555******4444"
    assert "TICKET COMMERCANT" in journal[0]["merchant_receipt"]
    assert (await served.get("/records"))[0]["charged"] is True


async def test_the_next_payments_are_scripted(served: Served) -> None:
    """Queued, shown, used up; replaced where asked; an unreadable step changes nothing."""
    await served.post("/settings", {"by_hand": False, "delay_seconds": 0})
    queued = await served.post("/script", {"next": ["slow", "51"]})
    replaced = await served.post("/script", {"next": ["51", {"delay_seconds": 0.01}], "replace": True})
    refused = await served.post("/script", {"next": ["nonsense"]}, status=422)

    outcomes = [read(await ask(served.terminal, OURS)).meaning for _ in range(3)]

    assert queued["script"] == ["slow", "refused_51"]
    assert replaced["script"] == ["refused_51", "delay_seconds=0.01"]
    assert "step 1: no outcome 'nonsense'" in refused["detail"]
    assert outcomes == [AnswerMeaning.REFUSED, AnswerMeaning.SUCCEEDED, AnswerMeaning.SUCCEEDED]
    assert (await served.get("/state"))["script"] == []


async def test_amounts_decide_once_it_is_set_so(served: Served) -> None:
    """25.51 is paid before, refused after."""
    await served.post("/settings", {"by_hand": False, "delay_seconds": 0})
    sent = request(amount_cents=2551)
    data = frame_for(amount_cents=2551)

    before = read(await ask(served.terminal, data), sent=sent)
    await served.post("/settings", {"amount_decides": True})
    after = read(await ask(served.terminal, data), sent=sent)

    assert (before.meaning, after.meaning) == (AnswerMeaning.SUCCEEDED, AnswerMeaning.REFUSED)
    assert after.issuer_code == "51"


async def test_a_collection_and_a_reset_by_command(served: Served) -> None:
    """Stored transactions are collected; 409 during a transaction."""
    served.terminal.set_up(by_hand=False)
    served.terminal.behaviour = Behaviour()
    await ask(served.terminal, OURS)
    before = await served.get("/state")
    collected = await served.post("/collect")
    served.terminal.set_up(by_hand=True)
    async with RawClient(served.terminal) as client:
        await asked(served, client)
        await served.post("/collect", status=409)
        reset = await served.post("/reset")
        assert await client.receive_all() == b""

    assert before["to_collect"] == {"count": 1, "sum_cents": 2500}
    assert (collected["batch"], collected["count"], collected["acknowledged"]) == (1, 1, True)
    assert (reset["stage"], reset["to_collect"]["count"]) == ("idle", 0)
    assert await served.get("/journal") == []


async def test_a_card_without_an_amount_or_a_name_is_refused(served: Served) -> None:
    """409 and 404; unknown keys and fields 422."""
    await served.post("/card", {"card": "cb"}, status=409)
    await served.post("/card", {"card": "platinum"}, status=404)
    await served.post("/key", {"key": "blue"}, status=422)
    await served.post("/settings", {"colour": "red"}, status=422)
    assert (await served.post("/key", {"key": "red"}))["stage"] == "idle"


async def test_the_page_works_without_a_script(served: Served) -> None:
    """Forms only: card, digits, green; then receipts and journal; the deck is enabled at its stage."""
    idle = (await served.http.get("/")).text
    async with RawClient(served.terminal) as client:
        await asked(served, client)
        waiting = (await served.http.get("/")).text
        await served.form("card/contact", card="visa")
        for key in ("9", "yellow", "1", "2", "3"):
            await served.form("key", key=key)
        at_pin = await served.form("key", key="4")
        paid = await served.form("key", key="green")
        assert frame_of(await client.receive_all()).fields["AE"] == "10"

    assert '<fieldset id="deck" class="deck" disabled>' in idle
    assert '<fieldset id="deck" class="deck">' in waiting
    assert "25.00\u00a0EUR" in waiting
    assert "●●●●" in at_pin
    for shown in (
        "Approved",
        "TICKET CLIENT",
        "TICKET COMMERCANT",
        "411111******1111",
        "waits for collection",
    ):
        assert shown in paid
    assert DECK[1].pan not in paid
    collected = await served.form("collect")
    assert "batch 1" in collected


async def test_forms_script_and_change_who_acts(served: Served) -> None:
    """Queue, clear, by itself; invalid fields of an old page change nothing."""
    assert "lost_answer</span>" in await served.form("script", outcome="lost_answer")
    assert "lost_answer</span>" in await served.form("script", outcome="nonsense")
    assert "lost_answer</span>" not in await served.form("script/clear")
    assert "acts by itself" in await served.form("mode", by_hand="no")
    assert "after 7.5 s" in await served.form("delay", seconds="7.5")
    for nonsense in ("soon", "-1", "nan", "99999"):
        assert "after 7.5 s" in await served.form("delay", seconds=nonsense)
    assert "you, by hand" in await served.form("mode", by_hand="yes")
    await served.form("key", key="purple")
    await served.form("card/contact", card="platinum")


async def test_the_page_follows_changes(served: Served) -> None:
    """The stream sends the screen at once, and again after each change."""
    stages = []

    async def follow() -> None:
        async with served.http.stream("GET", "/screen/events") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    changed = json.loads(line.removeprefix("data: "))
                    stages.append(changed["stage"])
                    if changed["stage"] == "ended":
                        assert "TICKET CLIENT" in changed["parts"]["receipts"]
                        return

    following = asyncio.create_task(follow())
    await eventually(lambda: stages == ["idle"])
    async with RawClient(served.terminal) as client:
        await asked(served, client)
        await eventually(lambda: stages[-1] == "card")
        served.terminal.press_red_button()
        await client.receive_all()
    async with asyncio.timeout(15):
        await following


async def test_the_page_loads_nothing_from_elsewhere(served: Served) -> None:
    """Every address on it is its own, and is served; no inline script or style."""
    answer = await served.http.get("/")
    page = answer.text

    assert "http://" not in page.replace("http://127.0.0.1", "")
    assert "https://" not in page
    assert "style=" not in page
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for path in ("/static/terminal.css", "/static/terminal.js", "/static/pages/style.css"):
        assert path in page
        assert (await served.http.get(path)).status_code == 200


async def test_another_sites_page_cannot_press_keys(served: Served) -> None:
    """A browser says where a request comes from."""
    answer = await served.http.post("/reset", headers={"sec-fetch-site": "cross-site"})

    assert answer.status_code == 403
