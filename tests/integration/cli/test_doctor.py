"""`cloud-terminal doctor` on real servers: what it finds, what it advises, and that it changes nothing."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from databases import Store
from loopback import terminal_host
from running.broker_parts import broker_parts

from shared.broker.topology import Topology
from shared.settings.fields import variable


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

        ran = await doctor(
            database_url=sqlite_store.url, amqp_url=amqp_url, amqp_prefix=amqp_prefix, delivery_limit="21"
        )
        await parts.delete_queues()

    topology = Topology(amqp_prefix, 20)
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


async def test_settings_that_no_process_starts_with_are_the_only_finding() -> None:
    """There is nothing to connect with."""
    ran = await doctor(delivery_limit="many")

    assert ran.exit_code == 1
    assert len(ran.findings) == len(ran.facts("settings", "problem")) == 1
