"""A real Prometheus watches real processes through traffic and faults, and answers every expression."""

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import aiormq
import httpx
from databases import Store
from eventually import eventually
from loopback import terminal_host
from monitoring.asking import Prometheus
from monitoring.expressions import Expression, dashboards, filled, panel_expressions, rule_expressions, rules
from monitoring.pictures import Line, Picture, svg
from monitoring.watched import Watched, watched_installation
from running.fleet import REPOSITORY
from system import LOOPBACK, Pos
from wire.endpoints import add_endpoint
from wire.scripted_terminal import ScriptedTerminal, closes
from wire.webhook_receiver import WebhookReceiver, receiving

from sandbox.terminal.device.device import Device
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.server import VirtualTerminal

#: Quiet seconds in which no alert may fire, and those of the outage, in which one does.
QUIET_SECONDS: Final = 20
OUTAGE_SECONDS: Final = 75
STEP_SECONDS: Final = 2
TERMINALS: Final = 6
IMAGES: Final = REPOSITORY / "docs" / "images"
#: A metric of somebody else's that an expression names, or a recorded one.
_SELECTOR: Final = re.compile(
    r"(?<![\w:\"])((?:cloud_terminal[_:]|rabbitmq_|node_|process_|up\b|ALERTS\b)[\w:]*)(\{[^}]*\})?"
)
#: Alerts that these faults raise.
RAISED: Final = {"TerminalLocksTakenOver", "DeadLetters", "BrokerUnavailable", "PaymentObjectiveBurnsFast"}


async def test_every_expression_returns_data_and_alerts_fire_for_faults(
    postgres_store: Store, tmp_path: Path
) -> None:
    """Silent while all is well; then locks are taken over, messages dead-lettered, the broker is lost."""
    async with (
        receiving() as hipay,
        watched_installation(
            postgres_store,
            tmp_path,
            hipay_url=hipay.url,
            hipay_signing_secret="whsec_" + "QUJD" * 8,
            notify_retry_seconds=(0.5, 1.0, 2.0),
        ) as watched,
    ):
        began = time.time()
        async with traffic(watched) as pos:
            await eventually(lambda: all(watched.prometheus.targets_up().values()), within_seconds=60)
            await asyncio.sleep(QUIET_SECONDS)
            assert watched.prometheus.firing() == set()
            await refusals(watched, pos)
            await unreachable_and_doubtful_terminals(pos)
            await dead_receivers(watched)
            await a_worker_dies(watched)
            await an_unreadable_message(watched)
            await eventually(
                lambda: {"TerminalLocksTakenOver", "DeadLetters"} <= watched.prometheus.firing(),
                within_seconds=60,
            )
            await the_broker_is_lost(watched)
            await asyncio.sleep(QUIET_SECONDS)

        assert watched.prometheus.rule_problems() == []
        nothing = [one.place for one in panel_expressions() if not watched.prometheus.ask(lasting(one))]
        recorded = {rule["record"] for rule in rules() if "record" in rule}
        for one in rule_expressions():
            if one.place in recorded and not watched.prometheus.ask(one.text):
                nothing.append(one.place)
            nothing += [
                f"{one.place}: {selector}"
                for selector in selectors(one)
                if not watched.prometheus.ask(f"last_over_time({selector}[10m])")
            ]
        assert nothing == []
        draw(watched.prometheus, began, time.time())


def selectors(expression: Expression) -> list[str]:
    """Return the series that an expression reads, each with its labels."""
    return [name + (labels or "") for name, labels in _SELECTOR.findall(expression.text)]


def lasting(expression: Expression) -> str:
    """Return an expression that has data if the panel's has any within the last minutes."""
    return f"last_over_time(({expression.text})[5m:2s])"


@contextlib.asynccontextmanager
async def traffic(watched: Watched) -> AsyncIterator[Pos]:
    """Sell, list and notify while the block runs."""
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=250))
        pos = Pos(client, await watched.system.login(LOOPBACK), watched.api_url)
        hooks = await stack.enter_async_context(receiving())
        await add_endpoint(watched.system.database, watched.system.settings, pos.login.merchant_id, hooks.url)
        terminals = [
            await stack.enter_async_context(
                VirtualTerminal(
                    terminal_host(),
                    behaviour=Behaviour(delay_seconds=0.4 + 0.2 * number),
                    device=Device(request_idle_seconds=0),
                )
            )
            for number in range(TERMINALS)
        ]
        selling = [asyncio.create_task(sell(pos, terminal.host)) for terminal in terminals]
        try:
            yield pos
        finally:
            for task in selling:
                task.cancel()
            await asyncio.gather(*selling, return_exceptions=True)


async def sell(pos: Pos, host: str) -> None:
    while True:
        with contextlib.suppress(httpx.HTTPError):
            await pos.pay(host)
            await pos.client.get(f"{pos.base_url}/v1/payments", headers=pos.login.headers)
        await asyncio.sleep(0.2)


async def refusals(watched: Watched, pos: Pos) -> None:
    await pos.send({})
    await pos.client.get(f"{watched.api_url}/no/such/path")
    await pos.client.get(f"{watched.api_url}/v1/payments", auth=("nobody", "wrong"))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(watched.api_url.rpartition(":")[2]))
    writer.write(b"no HTTP\r\n\r\n")
    await reader.read()
    writer.close()


async def unreachable_and_doubtful_terminals(pos: Pos) -> None:
    await pos.pay(terminal_host())
    async with ScriptedTerminal(closes) as terminal:
        await pos.pay(terminal.host, headers={"Prefer": "wait=5"})


async def dead_receivers(watched: Watched) -> None:
    """One fails and is paused, the other is gone for good."""
    async with receiving() as failing, receiving() as gone, httpx.AsyncClient(timeout=60) as client:
        failing.statuses[:] = [500] * 1000
        gone.statuses[:] = [410]
        for receiver in (failing, gone):
            await orders_for(watched, client, receiver)
        await failing.heard(3, 60)
        await gone.heard(1, 60)


async def orders_for(watched: Watched, client: httpx.AsyncClient, receiver: WebhookReceiver) -> None:
    pos = Pos(client, await watched.system.login(LOOPBACK), watched.api_url)
    await add_endpoint(watched.system.database, watched.system.settings, pos.login.merchant_id, receiver.url)
    async with VirtualTerminal(terminal_host(), device=Device(request_idle_seconds=0)) as terminal:
        for _ in range(6):
            await pos.pay(terminal.host)


async def a_worker_dies(watched: Watched) -> None:
    """In the middle of sessions; another one takes its place."""
    victim = watched.processes["terminal-worker"][0]
    victim.is_ending = True
    os.kill(victim.pid, 9)
    await eventually(
        lambda: bool(watched.prometheus.ask("sum(cloud_terminal_terminal_lock_takeovers_total) > 0")),
        within_seconds=60,
    )


async def an_unreadable_message(watched: Watched) -> None:
    connection = await aiormq.connect(watched.rabbitmq.url)
    await (await connection.channel()).basic_publish(b"no JSON", routing_key="ct.payments")
    await connection.close()


async def the_broker_is_lost(watched: Watched) -> None:
    """For longer than its alert waits; it comes back, and payments go on."""
    watched.rabbitmq.kill()
    await asyncio.sleep(OUTAGE_SECONDS)
    await eventually(lambda: watched.prometheus.firing() >= RAISED, within_seconds=60)
    watched.rabbitmq.launch()
    await asyncio.to_thread(watched.rabbitmq.wait_ready)
    await eventually(
        lambda: not watched.prometheus.ask("sum(cloud_terminal_broker_connected == bool 0) > 0"),
        within_seconds=60,
    )
    await eventually(lambda: "BrokerUnavailable" not in watched.prometheus.firing(), within_seconds=60)


def draw(prometheus: Prometheus, began: float, ended: float) -> None:
    """Write pictures of the dashboards' data, where `PICTURES` asks for it."""
    if "PICTURES" not in os.environ:
        return
    for name, dashboard in dashboards().items():
        panels = [
            Picture(
                panel["title"],
                panel["fieldConfig"]["defaults"]["unit"],
                [
                    line
                    for target in panel["targets"]
                    for line in lines(prometheus, target["expr"], target["legendFormat"], began, ended)
                ],
            )
            for panel in dashboard["panels"]
        ]
        (IMAGES / f"dashboard-{name}.svg").write_text(svg(dashboard["title"], panels, begin=began, end=ended))


def lines(prometheus: Prometheus, query: str, legend: str, began: float, ended: float) -> list[Line]:
    """Return a query's series with their legends as Grafana writes them."""
    found = []
    for series in prometheus.ask_range(filled(query), begin=began, end=ended, step=STEP_SECONDS):
        text = legend
        for name in re.findall(r"\{\{(\w+)\}\}", legend):
            text = text.replace(f"{{{{{name}}}}}", series["metric"].get(name, ""))
        found.append(Line(text, [(float(moment), float(value)) for moment, value in series["values"]]))
    return found
