"""The outbox: each change writes exactly its events and deliveries, and nothing without the change."""

import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from payments import (
    MERCHANT,
    change,
    ended,
    in_doubt,
    in_session,
    lose,
    prove,
    queued,
    refused,
    rows,
    submit,
    succeeded,
)

from shared.notification.kinds import envelope
from shared.payment.payment import Reason
from shared.payment.states import Event, State
from shared.storage.db.engine import Database, Transaction, WakeUp
from shared.storage.payments import claims
from shared.storage.payments.ending import move
from shared.storage.payments.new_payment import Accepted
from shared.storage.terminals import takeover
from shared.storage.webhooks import endpoints
from shared.storage.webhooks.endpoints import Changes, NewEndpoint

ONE, OTHER = "whe_01JNK4T0V8W9A4C6Q2Y3ZB5XD1", "whe_01JNK4T0V8W9A4C6Q2Y3ZB5XD2"


async def listens(database: Database, endpoint_id: str, *types: str, merchant_id: str = MERCHANT) -> None:
    new = NewEndpoint(
        id=endpoint_id, merchant_id=merchant_id, url="https://127.0.0.1/", description="", types=types,
        encrypted_secret="encrypted",
    )  # fmt: skip
    await endpoints.create(database, new, limit=50, total_limit=50)


async def disabled(database: Database, endpoint_id: str) -> None:
    assert await endpoints.change(database, MERCHANT, endpoint_id, Changes(disabled=True), limit=50)


def wake_ups_of(database: Database) -> list[WakeUp]:
    """Return the list in which every wake-up appears."""
    wake_ups: list[WakeUp] = []

    def collect(published: Sequence[WakeUp]) -> None:
        wake_ups.extend(published)

    database.on_committed = collect
    return wake_ups


async def events(database: Database, payment_id: str | None = None) -> list[tuple[int, str, str]]:
    """Return sequence, type and state of the events of one payment, or of all."""
    found = await rows(database, "SELECT payment_id, sequence, type, body FROM events ORDER BY number")
    return [
        (row.sequence, row.type, json.loads(row.body)["state"])
        for row in found
        if payment_id in (None, row.payment_id)
    ]


async def delivered_to(database: Database) -> list[tuple[str, str]]:
    """Return target and type of every delivery."""
    found = await rows(database, "SELECT target, type FROM deliveries ORDER BY target, sequence, id")
    return [(row.target, row.type) for row in found]


async def _unreachable(database: Database) -> None:
    await ended(database, Event.NOT_SENT)


async def _without_address(database: Database) -> None:
    assert isinstance(await submit(database, terminal_address=None), Accepted)


async def _expired(database: Database) -> None:
    payment_id = await queued(database)
    await change(database, "UPDATE payments SET deadline_at = 0")
    assert await claims.expire(database, payment_id) is not None


async def _cancelled(database: Database) -> None:
    assert await claims.cancel(database, await queued(database), Reason.CALLER) is not None


async def _resolved(database: Database) -> None:
    await prove(database, (await in_doubt(database)).payment.id, Event.PROVED_DONE)


async def _resolved_as_refused(database: Database) -> None:
    await prove(database, (await in_doubt(database)).payment.id, Event.PROVED_REFUSED)


async def _hinted(database: Database) -> None:
    await prove(database, (await in_doubt(database)).payment.id, None)


async def _proved_before_its_doubt(database: Database) -> None:
    claimed = await in_session(database)
    await prove(database, claimed.payment.id, Event.PROVED_DONE)
    await lose(database, claimed)


async def _contradicted(database: Database) -> None:
    await prove(database, (await refused(database)).id, Event.PROVED_DONE)


async def _contradicted_by_an_earlier_proof(database: Database) -> None:
    payment_id = await queued(database)
    await prove(database, payment_id, Event.PROVED_DONE)
    await claims.cancel(database, payment_id, Reason.CALLER)


async def _orphaned(database: Database) -> None:
    await in_session(database)
    await change(database, "UPDATE terminal_locks SET held_by = NULL, worker = NULL")
    (orphan,) = await takeover.orphans(database)
    assert await takeover.doubt_orphan(database, orphan) is not None
    (lock,) = await rows(database, "SELECT identify_first FROM terminal_locks")
    assert lock.identify_first, "the terminal may still show its amount"


Happening = Callable[[Database], Awaitable[Any]]

CHANGES: dict[str, tuple[Happening, list[tuple[int, str, str]]]] = {
    "queued": (queued, []),
    "in-session": (in_session, []),
    "succeeded": (succeeded, [(1, "payment.succeeded", "succeeded")]),
    "refused": (refused, [(1, "payment.refused", "refused")]),
    "aborted": (
        lambda database: ended(database, Event.ANSWERED_ABORTED),
        [(1, "payment.aborted", "aborted")],
    ),
    "busy": (
        lambda database: ended(database, Event.ANSWERED_BUSY),
        [(1, "payment.unreachable", "unreachable")],
    ),
    "not-sent": (_unreachable, [(1, "payment.unreachable", "unreachable")]),
    "no-address": (_without_address, [(1, "payment.unreachable", "unreachable")]),
    "expired": (_expired, [(1, "payment.expired", "expired")]),
    "cancelled": (_cancelled, [(1, "payment.cancelled", "cancelled")]),
    "in-doubt": (in_doubt, [(1, "payment.in_doubt", "in_doubt")]),
    "orphaned": (_orphaned, [(1, "payment.in_doubt", "in_doubt")]),
    "hinted": (_hinted, [(1, "payment.in_doubt", "in_doubt")]),
    "resolved": (
        _resolved,
        [(1, "payment.in_doubt", "in_doubt"), (2, "payment.resolved", "succeeded")],
    ),
    "resolved-as-refused": (
        _resolved_as_refused,
        [(1, "payment.in_doubt", "in_doubt"), (2, "payment.resolved", "refused")],
    ),
    "proved-before-its-doubt": (_proved_before_its_doubt, [(1, "payment.succeeded", "succeeded")]),
    "contradicted": (
        _contradicted,
        [(1, "payment.refused", "refused"), (2, "payment.contradicted", "refused")],
    ),
    "conflicting-with-an-earlier-proof": (
        _contradicted_by_an_earlier_proof,
        [(1, "payment.cancelled", "cancelled"), (2, "payment.contradicted", "cancelled")],
    ),
}


@pytest.mark.parametrize(("happens", "expected"), CHANGES.values(), ids=CHANGES.keys())
async def test_each_change_writes_exactly_its_event(
    database: Database, happens: Happening, expected: list[tuple[int, str, str]]
) -> None:
    """And one delivery of it for each endpoint, with the event's own sequence, and a wake-up for each."""
    await listens(database, ONE)
    await listens(database, OTHER)
    wake_ups = wake_ups_of(database)

    await happens(database)

    assert await events(database) == expected
    types = [type_ for _, type_, _ in expected]
    assert await delivered_to(database) == [(target, type_) for target in (ONE, OTHER) for type_ in types]
    found = await rows(
        database,
        "SELECT d.id, d.kind, d.target, d.state, e.sequence = d.sequence AND e.type = d.type"
        " AND e.payment_id = d.payment_id AND e.merchant_id = d.merchant_id AS fits"
        " FROM deliveries d JOIN events e ON e.number = d.event_number",
    )
    assert len(found) == 2 * len(expected)
    assert all(row.fits and (row.kind, row.state) == ("merchant", "waiting") for row in found)
    assert sorted(wake_ups, key=str) == sorted(
        (WakeUp("merchant", row.id, row.target) for row in found), key=str
    )


async def test_conflicting_evidence_shows_in_its_events_body(database: Database) -> None:
    """With conflicting evidence and not safe to retry, unlike the event before it."""
    await _contradicted(database)

    before, after = (
        json.loads(row.body) for row in await rows(database, "SELECT body FROM events ORDER BY number")
    )
    assert (before.get("contradicted"), before["safe_to_retry"]) == (None, True)
    assert (after["contradicted"], after["safe_to_retry"]) == (True, False)


async def test_attempts_that_a_locked_order_cancels_have_events_too(database: Database) -> None:
    """The one with conflicting evidence and the queued one of its key, each in its own sequence."""
    failed = await refused(database)
    stopped = await queued(database)

    await prove(database, failed.id, Event.PROVED_DONE)

    assert await events(database, failed.id) == [
        (1, "payment.refused", "refused"),
        (2, "payment.contradicted", "refused"),
    ]
    assert await events(database, stopped) == [(1, "payment.cancelled", "cancelled")]


async def test_only_subscribed_endpoints_get_a_delivery(database: Database) -> None:
    """By type and by merchant; a disabled one gets nothing; the event is written all the same."""
    await change(
        database,
        "INSERT INTO merchants (id, name, networks, created_at) VALUES ('foreign', 'x', '[]', 0)",
    )
    await listens(database, "whe_all")
    await listens(database, "whe_refusals", "payment.refused", "payment.aborted")
    await listens(database, "whe_successes", "payment.succeeded")
    await listens(database, "whe_off")
    await listens(database, "whe_foreign", merchant_id="foreign")
    await disabled(database, "whe_off")

    await refused(database)

    assert await delivered_to(database) == [
        ("whe_all", "payment.refused"),
        ("whe_refusals", "payment.refused"),
    ]


async def test_the_named_endpoint_alone_gets_the_deliveries_of_its_order(database: Database) -> None:
    """If it subscribes to the type and is not disabled; no other endpoint gets them instead."""
    await listens(database, ONE, "payment.refused", "payment.succeeded")
    await listens(database, OTHER)

    await refused(database, webhook_endpoint_id=ONE)
    await ended(database, Event.ANSWERED_ABORTED, webhook_endpoint_id=ONE)
    await disabled(database, ONE)
    await succeeded(database, webhook_endpoint_id=ONE)

    assert await delivered_to(database) == [(ONE, "payment.refused")]
    assert len(await events(database)) == 3


async def test_hipay_is_notified_of_every_accepted_payment_where_it_is_set(database: Database) -> None:
    """Of one without an address, too; of none that was not accepted, and of none where HiPay is not set."""
    wake_ups = wake_ups_of(database)
    first = await queued(database, notifies_hipay=True)
    assert not isinstance(await submit(database, notifies_hipay=True), Accepted), "it attaches to the first"
    without_address = await submit(database, notifies_hipay=True, order_id="order-2", terminal_address=None)
    assert isinstance(without_address, Accepted)
    await queued(database, order_id="order-3")

    found = await rows(
        database,
        "SELECT id, kind, target, type, sequence, state, payment_id, event_number"
        " FROM deliveries ORDER BY id",
    )

    assert [row.payment_id for row in found] == [first, without_address.payment_id]
    for row in found:
        assert row.id == f"dlv_{row.payment_id.removeprefix('pay_')}_hipay"
        assert (row.kind, row.target, row.type) == ("hipay", "hipay", "order")
        assert (row.sequence, row.state, row.event_number) == (1, "waiting", None)
    assert wake_ups == [WakeUp("hipay", row.id, "hipay") for row in found]


async def test_a_rolled_back_change_writes_nothing(database: Database) -> None:
    """Neither event nor delivery nor wake-up, whichever statement the transaction ends at."""
    await listens(database, ONE)
    payment_id = await queued(database)
    wake_ups = wake_ups_of(database)

    class Breaks(Exception):
        pass

    async def work(tx: Transaction) -> None:
        assert await move(tx, payment_id, State.QUEUED, Event.CANCELLED, reason=Reason.CALLER) is not None
        assert len(tx.wake_ups) == 1
        raise Breaks

    with pytest.raises(Breaks):
        await database.write(work)

    assert (await events(database), await delivered_to(database), wake_ups) == ([], [], [])
    (row,) = await rows(database, "SELECT state FROM payments")
    assert row.state == "queued"


async def test_a_test_event_and_its_delivery_are_one_change(database: Database) -> None:
    """Of no payment, to one endpoint, with an id that names the event."""
    await listens(database, ONE, "payment.refused")
    await listens(database, OTHER)
    wake_ups = wake_ups_of(database)

    delivery_id = await endpoints.send_test(database, MERCHANT, ONE)

    (event,) = await rows(database, "SELECT number, payment_id, sequence, type, at, body FROM events")
    assert (event.payment_id, event.type) == (None, "endpoint.test")
    shown = envelope(
        number=event.number, payment_id=None, sequence=event.sequence, type_=event.type, at=event.at,
        body=event.body,
    )  # fmt: skip
    assert shown["event_id"] == f"evt_test_{event.number}"
    assert await delivered_to(database) == [(ONE, "endpoint.test")]
    assert wake_ups == [WakeUp("merchant", str(delivery_id), ONE)]


async def test_the_ids_of_one_cause_are_always_the_same(database: Database) -> None:
    """Made from payment, sequence and endpoint: a second row for one target cannot be stored."""
    await listens(database, ONE)
    payment = await refused(database)

    (row,) = await rows(database, "SELECT id FROM deliveries")

    assert row.id == f"dlv_{payment.id.removeprefix('pay_')}_1_{ONE.removeprefix('whe_')}"
