"""`cloud-terminal doctor` on real servers: what it finds, what it advises, and that it changes nothing."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from databases import Store
from loopback import terminal_host
from payments import MERCHANT, in_doubt
from running.broker_parts import broker_parts
from sqlalchemy.engine import make_url
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from stored.deliveries import add_endpoint_row
from stored.merchants import create_merchant
from wire.certificates import Authority
from wire.raw_http import basic
from wire.receivers import receiver, says
from wire.shop_terminal import shop_terminal

from cli.doctor.broker_check import check_broker
from cli.doctor.database_check import check_database
from cli.doctor.finding import Findings
from cli.doctor.identification_check import check_identification
from cli.doctor.policy_check import check_policies
from cli.doctor.receiver_check import check_hipay, check_webhooks
from cli.process import EXIT_USAGE, plain_errors
from sandbox.terminal.device.device import DEFAULT_PORT
from shared.broker.topology import Topology
from shared.runtime.serving import listen, port_of, serving
from shared.settings.fields import variable
from shared.settings.load import load_settings
from shared.storage.db.engine import Database
from shared.storage.db.opening import opened_database


@dataclass(frozen=True)
class Ran:
    """A run of the command."""

    exit_code: int
    findings: list[dict[str, Any]]

    def facts(self, part: str, *levels: str) -> list[str]:
        return [
            one["fact"]
            for one in self.findings
            if one["part"] == part and (one["level"] in levels or not levels)
        ]


async def doctor(*options: str, **settings: str) -> Ran:
    """Run it as an operator does, in a process of its own."""
    ran = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "cli", "doctor", "--json", *options],
        env={**os.environ, **{variable(name): text for name, text in settings.items()}},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stderr == ""
    findings = [json.loads(line) for line in ran.stdout.splitlines()]
    assert all(one["fix"] for one in findings if one["level"] != "ok")
    return Ran(ran.returncode, findings)


async def test_a_new_installation_has_no_problem_and_stays_as_it_was(
    store: Store, amqp_url: str, amqp_prefix: str
) -> None:
    """Before its first process: the queues are missing, and looking does not make them."""
    given = {"database_url": store.url, "amqp_url": amqp_url, "amqp_prefix": amqp_prefix}

    first, second = await doctor(**given), await doctor(**given)

    assert first.exit_code == 0
    assert first.facts("database", "problem", "warning") == []
    queues = [f"There is no queue {name}." for name in Topology(amqp_prefix, 20).durable_queues]
    assert first.facts("broker", "warning") == second.facts("broker", "warning") == queues


async def test_a_queue_of_another_form_is_a_problem_and_dead_letters_are_told(
    sqlite_store: Store, amqp_url: str, amqp_prefix: str
) -> None:
    """The queues are those of a release with another limit of deliveries."""
    async with broker_parts(amqp_url, amqp_prefix) as parts:
        connection = await parts.connection("publish")
        await parts.declare(connection)

        given = {"database_url": sqlite_store.url, "amqp_url": amqp_url, "amqp_prefix": amqp_prefix}
        ran, healthy = await doctor(delivery_limit="21", **given), await doctor(**given)
        await parts.delete_queues()

    topology = Topology(amqp_prefix, 20)
    # Nobody takes order notifications where none are sent.
    lacking = (topology.payments, topology.notifications("merchant"))
    assert healthy.facts("broker", "warning") == [f"No worker takes from {name}." for name in lacking]
    assert ran.exit_code == 1
    assert any(
        topology.payments in fact and "other arguments" in fact for fact in ran.facts("broker", "problem")
    )
    assert any(fact.startswith(f"{topology.dead_payments}: 0 messages") for fact in ran.facts("broker", "ok"))


async def test_servers_that_do_not_answer_are_problems_each_by_itself() -> None:
    """None of them hides the next one."""
    host = terminal_host()

    ran = await doctor(
        "--terminal",
        f"{host}:1",
        database_url=f"postgresql+asyncpg://u:p@{host}:1/d",
        amqp_url=f"amqp://{host}:1/",
        hipay_url=f"http://{host}:1/",
        hipay_signing_secret="whsec_" + "A" * 40,
        notify_allow_http="true",
    )

    assert ran.exit_code == 1
    parts = {one["part"] for one in ran.findings if one["level"] == "problem"}
    assert parts == {"database", "broker", "HiPay", "terminal"}


async def answer_policies(request: Request) -> Response:
    """Answer as RabbitMQ 3.10's management API does."""
    if request.headers.get("authorization") != basic("guest", "guest")["Authorization"]:
        return Response(status_code=401)
    name = request.url.path.rpartition("/")[2]
    limit = {"max-length": 5, "message-ttl": 1000} if name.endswith("payments") else {"ha-mode": "all"}
    policies = {"policy": "drops", "operator_policy": None, "effective_policy_definition": limit}
    return JSONResponse({"name": name, **policies})


@contextlib.asynccontextmanager
async def management_api() -> AsyncIterator[str]:
    """Yield the address of an API that shows a policy on the queue of payments."""
    app = Starlette(routes=[Route("/api/queues/{rest:path}", answer_policies)])
    listening = listen("127.0.0.1", 0, setting="a test's management API")
    async with serving(app, listening, drain_seconds=1):
        yield f"http://127.0.0.1:{port_of(listening)}"


async def found(check: Findings) -> Ran:
    """Return what one check finds."""
    return Ran(0, [asdict(one) async for one in check])


async def test_a_policy_that_drops_what_is_in_a_queue_is_a_problem() -> None:
    """As the management API shows it; where it shows nothing, the command to look with is said."""
    settings = load_settings(amqp_url="amqp://guest:guest@127.0.0.1:1/")
    other = load_settings(amqp_url="amqp://guest:wrong@127.0.0.1:1/")
    async with management_api() as url:
        ran = await found(check_policies(settings, url))
        refused = await found(check_policies(other, url))
    unseen = await found(check_policies(settings, url))

    assert ran.facts("policies", "problem") == [
        "The policy drops limits the queue payments: max-length 5, message-ttl 1000."
    ]
    assert ran.facts("policies", "ok") == [f"The policies of 5 queues were looked at, by {url}."]
    assert "401" in refused.facts("policies", "warning")[0]
    assert "does not answer" in unseen.facts("policies", "warning")[0]
    assert "rabbitmqctl list_policies" in unseen.findings[0]["fix"]


async def test_a_terminal_identifies_itself_unless_a_payment_has_it(store: Store, database: Database) -> None:
    """It is asked once; a terminal that is paid at is left alone."""
    await create_merchant(database, MERCHANT, "Shop", [])
    settings = load_settings(database_url=store.url)
    async with shop_terminal() as shop:
        place = f"{shop.host}:{DEFAULT_PORT}"
        free = await found(check_identification(settings, place, has_database=True))
        await in_doubt(database, terminal_address=place)
        held = await found(check_identification(settings, place, has_database=True))
        operations = [record.operation for record in shop.records]

    assert free.facts("terminal", "ok")[1:] == [
        f"{place} identifies itself as a Concert terminal, and is free."
    ]
    assert held.facts("terminal", "warning") == [f"{place} was not asked: a payment or a probe has it."]
    # The first one is a connection alone.
    assert operations == [None, "identification"]


async def test_without_a_database_no_terminal_is_asked_and_no_database_is_made(tmp_path: Path) -> None:
    """It alone knows whether the terminal is paid at."""
    missing = tmp_path / "none.db"
    async with shop_terminal() as shop:
        place = f"{shop.host}:{DEFAULT_PORT}"
        ran = await doctor("--identify", "--terminal", place, database_url=f"sqlite+aiosqlite:///{missing}")
        operations = [record.operation for record in shop.records]

    assert ran.facts("terminal", "warning") == [
        f"{place} was not asked: only the database knows whether it is paid at."
    ]
    assert operations == [None]
    assert not missing.exists()


async def test_receivers_are_reached_over_tls_by_their_very_names(
    store: Store, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merchants' endpoints are warnings with the endpoint's id, HiPay is a problem; nothing is sent."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file()))
    await create_merchant(database, MERCHANT, "Shop", [])
    async with (
        receiver(says(b""), tls=authority.server("127.0.0.1")) as good,
        receiver(says(b""), tls=authority.server("shop.example.com")) as wrong,
    ):
        for url in (
            f"https://127.0.0.1:{good.port}/",
            f"https://127.0.0.1:{wrong.port}/",
            "https://127.0.0.1:1/secret-path",
            "https://none.invalid/",
        ):
            await add_endpoint_row(database, MERCHANT, url)
        settings = load_settings(
            database_url=store.url,
            notify_allowed_networks=("127.0.0.0/8",),
            hipay_url=f"https://127.0.0.1:{wrong.port}/",
            hipay_signing_secret="whsec_" + "A" * 40,
        )
        webhooks, hipay = await found(check_webhooks(settings)), await found(check_hipay(settings))
        connections, sent = good.connections + wrong.connections, [*good.requests, *wrong.requests]

    facts = {fact.partition(", ")[2] for fact in webhooks.facts("webhooks", "warning")}
    assert facts == {
        f"https://127.0.0.1:{wrong.port}: The receiver's certificate is for another address.",
        "https://127.0.0.1:1: No address of the host takes a connection at this port.",
        "https://none.invalid: The host's name cannot be looked up.",
    }
    assert webhooks.facts("webhooks", "ok") == ["1 of 4 enabled endpoints take connections."]
    assert hipay.facts("HiPay", "problem") == [
        f"https://127.0.0.1:{wrong.port}: The receiver's certificate is for another address."
    ]
    assert (connections >= 1, sent) == (True, [])


async def test_a_database_or_a_virtual_host_that_is_not_there_is_said_to_be_so(
    postgres_store: Store, amqp_url: str
) -> None:
    """By the check, and in a sentence by a command: a wrong name is the most usual mistake."""
    url = make_url(postgres_store.url).set(database="no_such_database").render_as_string(hide_password=False)
    settings = load_settings(database_url=url, amqp_url=f"{amqp_url.rstrip('/')}/no-such-host")

    assert (await found(check_database(settings))).facts("database", "problem") == [
        'It does not answer: database "no_such_database" does not exist (3D000).'
    ]
    (broker,) = (await found(check_broker(settings))).facts("broker", "problem")
    assert "user, password or virtual host not accepted" in broker
    with pytest.raises(typer.Exit) as ended, plain_errors():
        async with opened_database(settings):
            pytest.fail("it is not there")
    assert ended.value.exit_code == EXIT_USAGE


async def test_settings_that_no_process_starts_with_are_the_only_finding() -> None:
    """There is nothing to connect with."""
    ran = await doctor(delivery_limit="many")

    assert ran.exit_code == 1
    assert len(ran.findings) == len(ran.facts("settings", "problem")) == 1
