"""Measurements of the processes while payments run, as the management port shows it."""

import asyncio
import random
from functools import partial

import pytest
from eventually import eventually
from loopback import terminal_host
from running.assembled import Process
from system import System
from wire.amqp_proxy import AmqpProxy
from wire.endpoints import add_endpoint
from wire.scripted_terminal import ScriptedTerminal, answers_after, closes
from wire.shop_terminal import shop_terminal
from wire.webhook_receiver import receiving

from shared.storage.db.engine import DatabaseUnavailable
from terminal_worker.installation import InstallationCounts

ORDER = "/v1/connector/order"


def value(process: Process, name: str, **labels: str) -> float | None:
    """Return a series' value; None: the process does not export it."""
    return process.metrics.registry.get_sample_value(f"cloud_terminal_{name}", labels)


async def test_requests_are_counted_by_route_status_and_error(system: System) -> None:
    """A route's label is its path with names, whatever the path was; an unknown path is one label."""
    api = await system.api()
    pos = await system.pos(api)
    login = pos.login.headers

    await pos.send({})
    await api.client.get("/v1/payments/pay_unknown1", headers=login)
    await api.client.get("/v1/payments/pay_unknown2", headers=login)
    await api.client.get("/no/such/path")
    await api.client.request("BREW", "/no/such/path")

    found = "/v1/payments/{payment_id}"
    assert value(api, "http_requests_total", method="POST", route=ORDER, status="400") == 1
    assert value(api, "http_requests_total", method="GET", route=found, status="404") == 2
    assert value(api, "http_requests_total", method="GET", route="none", status="404") == 1
    assert value(api, "http_requests_total", method="other", route="none", status="404") == 1
    assert value(api, "http_errors_total", route=ORDER, code="required.openapi.requestValidation") == 1
    assert value(api, "http_errors_total", route=found, code="unknown.resource.not.found") == 2
    assert value(api, "http_request_duration_seconds_count", route=found) == 2
    assert value(api, "http_requests_in_flight") == 0


async def test_a_running_payment_is_seen_in_every_process(system_on_both: System) -> None:
    """The request in flight at the API; slot, lock and state at the worker, which counts the installation."""
    system = system_on_both
    api, worker = await system.api(), await system.worker()
    pos = await system.pos(api)
    go_on = asyncio.Event()

    async with ScriptedTerminal(answers_after(go_on)) as shop, asyncio.TaskGroup() as group:
        group.create_task(pos.pay(shop.host))
        await eventually(lambda: value(worker, "session_slots_used") == 1)
        await eventually(lambda: counted(worker, "payments_open", state="in_session"))
        assert value(worker, "terminals_locked", holder="in_session") == 1
        assert value(worker, "terminal_locks_overdue") == 0
        assert value(api, "http_requests_in_flight") == 1
        assert value(api, "requests_waiting") == 1
        go_on.set()

    await eventually(lambda: counted(worker, "terminals_locked", 0, holder="in_session"))
    assert value(worker, "queue_wait_seconds_count") == 1
    assert value(api, "http_requests_in_flight") == value(api, "requests_waiting") == 0
    for process in (api, worker):
        assert value(process, "database_call_duration_seconds_count", call="write")
        await eventually(partial(is_idle, process))
        assert value(process, "broker_connected", purpose="publish") == 1
        assert value(process, "broker_blocked") == 0
    # Each process exports what it knows, and nothing else.
    assert value(api, "payments_open", state="in_session") is None
    assert value(worker, "http_requests_in_flight") is None


def is_idle(process: Process) -> bool:
    return value(process, "database_connections_in_use") == 0


async def counted(worker: Process, name: str, number: int = 1, **labels: str) -> bool:
    """Count the installation; return whether the metric has the number."""
    await InstallationCounts(worker.database, worker.metrics, random.Random(1)).count()
    return value(worker, name, **labels) == number


async def test_a_request_that_attaches_adds_no_time(system: System) -> None:
    """It may begin when the session is nearly over: the payment's own order alone is measured."""
    api, _ = await system.api(), await system.worker()
    pos = await system.pos(api)

    go_on = asyncio.Event()

    async with ScriptedTerminal(answers_after(go_on)) as shop, asyncio.TaskGroup() as group:
        group.create_task(pos.pay(shop.host))
        await eventually(lambda: value(api, "requests_waiting") == 1)
        [payment] = await eventually(lambda: system.all_of("payments"))
        looks = f"/v1/payments/{payment.id}?wait=20"
        group.create_task(api.client.get(looks, headers=pos.login.headers))
        await eventually(lambda: value(api, "requests_waiting") == 2)
        go_on.set()

    assert value(api, "http_requests_total", method="GET", route="/v1/payments/{payment_id}", status="200")
    assert value(api, "added_latency_seconds_count") == 1


async def test_connect_failures_are_counted_by_their_reason(system: System) -> None:
    """Each attempt of a payment, by what the network said."""
    api, worker = await system.api(), await system.worker()
    pos = await system.pos(api)

    await pos.pay(terminal_host())

    # The answer of a stored payment is an error, too.
    assert value(api, "http_errors_total", route=ORDER, code="unavailable.terminal.bad.gateway") == 1
    refused = value(worker, "terminal_connect_failures_total", reason="refused")
    assert refused == system.settings.connect_tries
    assert value(worker, "terminal_connect_failures_total", reason="no_answer") == 0


async def test_a_doubt_is_counted_with_its_age(system: System) -> None:
    """The lock that is held for it, too."""
    worker, pos = await system.worker(caller_wait_in_doubt_seconds=0.1), await system.pos()

    async with ScriptedTerminal(closes) as shop:
        await pos.pay(shop.host)
        await eventually(lambda: counted(worker, "payments_open", state="in_doubt"))
        assert value(worker, "terminals_locked", holder="in_doubt") == 1
        assert value(worker, "payments_oldest_age_seconds", state="in_doubt") is not None


async def test_a_lost_connection_to_the_broker_is_seen(way: AmqpProxy, system: System) -> None:
    """0 while it is lost; the reconnect is counted."""
    worker = await system.worker(amqp_url=way.url)
    assert value(worker, "broker_connected", purpose="consume") == 1

    await way.cut()
    await eventually(lambda: value(worker, "broker_connected", purpose="consume") == 0)
    await way.mend()
    await eventually(lambda: value(worker, "broker_connected", purpose="consume") == 1)
    await eventually(lambda: value(worker, "broker_reconnects_total", purpose="consume"))


async def test_a_failed_call_of_the_database_is_counted(system: System) -> None:
    """By its kind; the connections are given back."""
    api = await system.api()

    async def fails(_tx: object) -> None:
        raise DatabaseUnavailable("for this test")

    with pytest.raises(DatabaseUnavailable):
        await api.database.read(fails)

    assert value(api, "database_failures_total", kind="unavailable") == 1
    assert value(api, "database_failures_total", kind="busy") == 0
    assert value(api, "database_connections_in_use") == value(api, "database_calls_waiting") == 0


async def test_the_lag_of_a_notification_is_measured(system: System) -> None:
    """From the commit to the first attempt, and to the success."""
    pos, notifier = await system.pos(), await system.notifier()
    await system.worker()
    async with receiving() as hooks, shop_terminal() as shop:
        await add_endpoint(system.database, system.settings, pos.login.merchant_id, hooks.url)
        await pos.pay(shop.host)
        await eventually(lambda: value(notifier, "notifications_sent_total", kind="merchant"))

    for lag in ("first_attempt", "delivery"):
        assert value(notifier, f"notification_{lag}_lag_seconds_count", kind="merchant") == 1
    assert value(notifier, "notification_targets_paused") == 0
    assert value(notifier, "notifications_overdue_age_seconds", kind="merchant") == 0
