"""Failed deliveries are retried until they are received, and their attempts are stored."""

import socket
import time
from email.utils import formatdate
from typing import Any

import pytest
from eventually import eventually
from stored.deliveries import PATIENT, all_delivered, attempts, delivery, hearing, states
from system import System
from wire.receivers import receiver, status
from wire.webhook_receiver import receiving

from shared.storage.db.engine import Database

#: One try after the other: no test waits for a pause or a breaker that it is not about.
QUICK: dict[str, Any] = {"notify_retry_seconds": (0.05,), "notify_breaker_failures": 1000}


async def tried(database: Database, delivery_id: str, times: int = 1) -> list[Any]:
    """Wait until this number of attempts is stored; return them."""

    async def look() -> list[Any] | None:
        found = await attempts(database, delivery_id)
        return found if len(found) >= times else None

    found: list[Any] = await eventually(look)
    return found


@pytest.mark.parametrize("answer", [500, 302, 400, 404])
async def test_a_delivery_that_is_not_received_is_sent_again(system: System, answer: int) -> None:
    """With the same id and body and a new signature; a redirect is not followed."""
    await system.notifier(**QUICK)
    async with receiving() as hooks, receiving() as elsewhere:
        hooks.statuses, hooks.headers = [answer, answer], {"location": elsewhere.url}
        merchant = await hearing(system, hooks.url)
        (one,) = await merchant.wait()
        received = await hooks.heard(3)
        await eventually(lambda: all_delivered(system.database))

        assert {each.headers["webhook-id"] for each in received} == {one}
        assert len({each.body for each in received}) == 1
        for each in received:
            merchant.endpoint.verify(each)
        assert elsewhere.received == []
        found = await attempts(system.database, one)
        assert [(row.status, row.error) for row in found] == [
            (answer, "status"),
            (answer, "status"),
            (200, None),
        ]
        assert all(row.duration_ms >= 0 and row.answer == "heard" for row in found)
        leads_to = elsewhere.url if answer == 302 else None
        assert [row.location for row in found] == [leads_to, leads_to, None]
        assert (await delivery(system.database, one)).tries == 3


@pytest.mark.parametrize(("answer", "form"), [(429, "seconds"), (503, "date")])
async def test_a_receiver_decides_the_pause_by_retry_after(system: System, answer: int, form: str) -> None:
    """As seconds and as an HTTP date."""
    await system.notifier(**QUICK)
    async with receiving() as hooks:
        hooks.statuses = [answer]
        asked = "3600" if form == "seconds" else formatdate(time.time() + 3600, usegmt=True)
        hooks.headers = {"retry-after": asked}
        (one,) = await (await hearing(system, hooks.url)).wait()
        await tried(system.database, one)

        row = await delivery(system.database, one)

    assert row.state == "waiting"
    assert 3500 <= (row.due_at - row.tried_at) / 1000 <= 3601


async def test_a_malformed_answer_is_stored_and_retried(system: System) -> None:
    """An impossible time zone, NUL and broken UTF-8 in the answer."""
    notifier = await system.notifier(**QUICK)
    strange = status(429, "Retry-After: Wed, 21 Oct 2015 07:28:00 +9999999999999", body=b"\x00\xff\xd8")
    async with receiver(strange) as hooks:
        merchant = await hearing(system, f"http://127.0.0.1:{hooks.port}/")
        (one,) = await merchant.wait()

        (first, *_) = await tried(system.database, one, 2)

    assert (first.status, first.error) == (429, "status")
    assert set(first.answer) == {"\N{REPLACEMENT CHARACTER}"}
    await eventually(lambda: notifier.metric("notifications_under_way", kind="merchant") == 0)


async def test_the_first_two_kibibytes_of_an_answer_are_kept(system: System) -> None:
    """Enough to see the receiver's reason."""
    await system.notifier(**QUICK)
    async with receiver(status(500, body=b"why " * 5000)) as hooks:
        (one,) = await (await hearing(system, f"http://127.0.0.1:{hooks.port}/")).wait()

        (first, *_) = await tried(system.database, one)

    assert first.answer == "why " * 512


async def test_a_refused_connection_is_retried(system: System) -> None:
    """The attempt has a code for it."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        await system.notifier(**QUICK)
        (one,) = await (await hearing(system, f"http://127.0.0.1:{nobody.getsockname()[1]}/")).wait()

        found = await tried(system.database, one, 2)

    assert {(row.status, row.error) for row in found} == {(None, "connection_failed")}
    assert (await delivery(system.database, one)).state == "waiting"


async def test_an_answer_after_the_time_out_is_ignored(system: System) -> None:
    """The delivery is sent again with the same id."""
    limits: dict[str, Any] = {"notify_timeout_seconds": 0.5, "notify_connect_timeout_seconds": 0.4}
    await system.notifier(**QUICK, **limits)
    async with receiving() as hooks:
        hooks.goes_on.clear()
        (one,) = await (await hearing(system, hooks.url)).wait()
        (first, *_) = await tried(system.database, one)
        hooks.goes_on.set()

        await eventually(lambda: all_delivered(system.database))

        assert (first.status, first.error) == (None, "answer_timeout")
        assert first.duration_ms >= 500
        assert {each.headers["webhook-id"] for each in hooks.received} == {one}
        assert len(hooks.received) >= 2


async def test_an_address_that_is_not_allowed_is_never_posted_to(system: System) -> None:
    """Each attempt has the reason, as for any other failure."""
    await system.notifier(**QUICK, notify_allowed_networks=())
    async with receiving() as hooks:
        (one,) = await (await hearing(system, hooks.url)).wait()

        (first, *_) = await tried(system.database, one, 2)

        assert first.status is None
        assert first.error
        assert hooks.received == []


async def test_a_delivery_is_retried_to_the_end_of_its_life(system_on_both: System) -> None:
    """The schedule's last pause is repeated; then it is given up, with its attempts, until it is replayed."""
    system = system_on_both
    notifier = await system.notifier(
        notify_retry_seconds=(0.05, 0.1), notify_breaker_failures=1000, notify_lifetime_seconds=1.5
    )
    async with receiver(status(500)) as hooks:
        (one,) = await (await hearing(system, f"http://127.0.0.1:{hooks.port}/")).wait()

        await eventually(lambda: dead(system.database))

        found = await attempts(system.database, one)
        assert await states(system.database) == {("dead", "gave_up")}
        assert {row.status for row in found} == {500}
        assert len(found) == len(hooks.requests) == (await delivery(system.database, one)).tries >= 3
        assert notifier.metric("notifications_dead_total", kind="merchant", reason="gave_up") == 1


async def dead(database: Database) -> bool:
    return {state for state, _ in await states(database)} == {"dead"}


async def test_gone_ends_the_endpoint_and_its_waiting_deliveries(system_on_both: System) -> None:
    """After 410 nothing more is sent there, neither waiting nor new deliveries."""
    system = system_on_both
    await system.notifier(notify_endpoint_concurrency=1)
    async with receiving() as hooks, receiving() as other:
        hooks.statuses = [410]
        merchant = await hearing(system, hooks.url)
        bystander = await hearing(system, other.url)
        await merchant.wait(3)

        await eventually(lambda: dead(system.database))
        await bystander.wait()
        await other.heard(1)

        assert len(hooks.received) == 1
        assert await states(system.database) >= {("dead", "gone"), ("dead", "endpoint_disabled")}
        (row,) = [row for row in await system.all_of("webhook_endpoints") if row.id == merchant.endpoint.id]
        assert row.disabled_because == "gone"


@pytest.mark.parametrize("step", ["claimed", "sent"])
async def test_an_unavailable_database_costs_neither_an_attempt_nor_a_result(
    system_on_both: System, step: str
) -> None:
    """Leased deliveries are sent once they can be read; their results are stored once they can be."""
    system = system_on_both

    async def at(reached: str) -> None:
        notifier.database.is_unavailable |= reached == step

    notifier = await system.notifier(**PATIENT, failpoint=at)
    async with receiving() as hooks:
        (one,) = await (await hearing(system, hooks.url)).wait()
        await eventually(lambda: notifier.database.is_unavailable)
        assert (await delivery(system.database, one)).state == "waiting"
        notifier.database.is_unavailable = False
        await eventually(lambda: all_delivered(system.database))
        await eventually(lambda: notifier.metric("notifications_under_way", kind="merchant") == 0)

        assert len(hooks.received) == 1
        assert [row.status for row in await attempts(system.database, one)] == [200]
        assert (await delivery(system.database, one)).tries == 1


async def test_a_result_whose_commit_was_not_confirmed_is_stored_once(system_on_both: System) -> None:
    """The second statement changes nothing."""
    system = system_on_both

    async def at(reached: str) -> None:
        notifier.database.lost_commits = 1 if reached == "sent" else 0

    notifier = await system.notifier(failpoint=at)
    async with receiving() as hooks:
        (one,) = await (await hearing(system, hooks.url)).wait()
        await hooks.heard(1)
        await eventually(lambda: all_delivered(system.database))
        await eventually(lambda: notifier.metric("notifications_under_way", kind="merchant") == 0)

        assert len(hooks.received) == 1
        assert len(await attempts(system.database, one)) == 1
        assert (await delivery(system.database, one)).tries == 1
