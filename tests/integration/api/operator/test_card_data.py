"""Card and customer data of terminals and gateways are nowhere in what the system wrote."""

import base64
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eventually import eventually
from in_memory.written_log import written_log
from loopback import terminal_host
from payments import rows
from prometheus_client import generate_latest
from sqlalchemy.engine import make_url
from system import System, payment_id
from wire.scripted_terminal import ScriptedTerminal, Talk

from sandbox.terminal.device.device import Device
from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault
from sandbox.terminal.server.server import VirtualTerminal
from shared.broker.bursts import PublishBursts
from shared.security.credentials import CredentialKind
from shared.storage.db.engine import Database
from shared.storage.db.schema.migrate import METADATA

#: A test number with a valid check digit; no bank issued it.
CARD = "4970109986547211"
TRACK = "31126201777788880000"
#: What a maker's own fields may hold of the customer.
PERSONAL = {"AM": "0612345678", "AN": "marie.durand@example.org", "BH": "0687654321", "ZZ": "Marie Durand"}
#: Of the card eight digits of which at least two are not among the first 6 and last 4.
SECRETS = (CARD[4:12], CARD[6:14], f"{CARD[4:8]} {CARD[8:12]}", TRACK, *PERSONAL.values())


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Every line of every process, as it is written."""
    with written_log("json", "debug", "test") as written:
        yield written


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every message as it is handed to the broker's client."""
    sent: list[str] = []
    publish = PublishBursts.publish

    def remembering(bursts: PublishBursts, queue: str, body: bytes, properties: Any) -> Any:
        sent.append(f"{queue} {body!r} {dict(properties)!r}")
        return publish(bursts, queue, body, properties)

    monkeypatch.setattr(PublishBursts, "publish", remembering)
    return sent


def found_in(text: str) -> list[str]:
    """Return what of the card can be read in a text: as it is, or in base64 at any offset."""
    found = [secret for secret in SECRETS if secret in text]
    for secret in SECRETS:
        for offset in range(3):
            encoded = base64.b64encode(b"\0" * offset + secret.encode()).decode()
            # The first and last characters depend on what stands before and behind.
            if encoded[4 if offset else 0 : -4] in text:
                found.append(f"{secret} in base64")
    return found


async def everything_in(database: Database) -> str:
    tables = [await rows(database, f"SELECT * FROM {table.name}") for table in METADATA.sorted_tables]
    return "\n".join(repr(tuple(row)) for table in tables for row in table)


def files_of(url: str) -> str:
    """Return the bytes of an SQLite database's files, its journal too; nothing for PostgreSQL."""
    path = make_url(url).database or ""
    if not path.startswith("/"):
        return ""
    folder = Path(path).parent
    return "".join(file.read_bytes().decode("latin-1") for file in sorted(folder.glob("*.db*")))


def ticket(*words: str) -> str:
    lines = [f"{CARD}", f"{CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:]}", "MONTANT :", "2,50 EUR", *words]
    text = base64.b64encode("\n".join(lines).encode()).decode()
    return f"CK003100AK{len(text):03d}{text}"


async def shows_everything(talk: Talk) -> None:
    """Answer with the card's number, expiry and tracks in every field that could hold them."""
    asked = await talk.request()
    amount = asked.get("CB")
    shown = {
        "AA": f"{CARD}={TRACK}",
        "AB": "3112",
        "AD": f";{CARD}={TRACK}?",
        "AL": CARD,
        "OD": f"{CARD}D{TRACK}",
        "CF": f"{asked.get('CF', '')} {CARD}",
        **PERSONAL,
    }
    if asked["CD"] == "3":
        talk.answer(asked, CB="250", AE="10", CD="0", ZT=ticket("DEBIT"), **shown)
    elif amount == "666":
        talk.write(f"CZ0040310AA{len(CARD):03d}{CARD}??{CARD}={TRACK}".encode())
    elif amount == "404":
        talk.answer(asked, AE="01", AF=f"04 REFUS {CARD}", ZT=ticket("REFUS"), AC=None, **shown)
    elif amount == "250":
        talk.answer(asked, ZT=ticket("DEBIT"), **shown)
    talk.close()


def test_the_search_finds_card_data() -> None:
    """Whole, in groups, cut, or inside of base64: else the test below would find nothing for ever."""
    grouped = f"{CARD[:4]} {CARD[4:8]} {CARD[8:12]} {CARD[12:]}"
    for text in (CARD, CARD[3:13], grouped, TRACK):
        for before in ("", "x", "xy"):
            assert found_in(before + text)
            assert found_in(base64.b64encode((before + text + " and more").encode()).decode())
    assert found_in("497010******7211 and 0004970100000000") == []


async def test_no_card_data_is_in_anything_that_was_written(
    system_on_both: System, log: io.StringIO, messages: list[str]
) -> None:
    """Database, files, logs, messages, metrics and answers, after successes, refusals, garbage, doubts,
    an enquiry and a gateway's record."""
    system = system_on_both
    api = await system.api()
    pos = await system.pos(api)
    worker = await system.worker(lease_after_doubt_seconds=60)
    gateway = await system.login(kind=CredentialKind.GATEWAY, merchant=False)
    card = replace(Device(), card_number=CARD, shows_full_card_number=True)
    behaviours = {
        100: Behaviour(),
        200: Behaviour(customer=Customer.REFUSE),
        300: Behaviour(fault=Fault.LOSE_ANSWER),
    }
    later = {"Prefer": "respond-async"}
    answers = []
    async with VirtualTerminal(terminal_host(), device=card, by_amount=behaviours) as device:
        answers += [await pos.pay(device.host, amount) for amount in (100, 200)]
        lost = await pos.pay(device.host, 300, headers=later)
        async with ScriptedTerminal(shows_everything) as other:
            answers += [await pos.pay(other.host, amount) for amount in (250, 404)]
            garbled = await pos.pay(other.host, 666, headers=later)
            await eventually(lambda: _is(system, garbled, "in_doubt"))
            report = {
                "source": "preludd",
                "record_id": f"{CARD}/1",
                "reference": payment_id(garbled),
                "status": "authorised",
                "amount": 666,
                "currency": "EUR",
                "masked_card": CARD,
                "track": TRACK,
            }
            reported = await api.client.post("/v1/gateway/evidence", json=report, headers=gateway.headers)
            assert reported.status_code == 200, reported.text
        await eventually(lambda: _is(system, lost, "succeeded"))
    for pending in (lost, garbled):
        path = f"/v1/payments/{payment_id(pending)}"
        answers += [await pos.client.get(path + end, headers=pos.login.headers) for end in ("", "/events")]

    stored = await everything_in(system.database)
    assert stored.count("497010******7211") > 2, "the card was shown, and masked"
    assert "enquiry" in stored
    assert found_in(stored) == []
    assert found_in(files_of(system.settings.database_url.get_secret_value())) == []
    assert log.getvalue().count("session ended") == 6
    assert found_in(log.getvalue()) == []
    assert len(messages) > 5
    assert found_in("\n".join(messages)) == []
    for metrics in (api.metrics, worker.metrics):
        assert found_in(generate_latest(metrics.registry).decode()) == []
    for answered in answers:
        assert answered.status_code == 200, answered.text
        assert found_in(answered.text) == []
        receipt = answered.json().get("receipt")
        assert found_in(base64.b64decode(receipt).decode() if receipt else "") == []
    expiries = [value for text in stored.splitlines() for value in _values(text, "AB")]
    assert set(expiries) == {"<4 characters>"}


async def _is(system: System, pending: Any, state: str) -> bool:
    return bool((await system.stored(payment_id(pending))).state == state)


def _values(text: str, tag: str) -> list[str]:
    start = f'"{tag}":'
    return [json.JSONDecoder().raw_decode(part.lstrip())[0] for part in text.split(start)[1:]]
