"""The feed of events over HTTP: for cash registers that cannot be called."""

from typing import Any

import pytest
from payments import change, rows
from races.cancelled_statements import Trouble, troubled
from running.api_alone import ApiAlone, Caller, on_postgres, on_sqlite
from wire.webhooks import DELIVERIES, ENDPOINTS, cancelled_payment, deliveries_of, registered

from api.webhooks.delivery_models import EventFeed

FEED = "/v1/events"


async def read(pos: Caller, **query: str) -> dict[str, Any]:
    answered = await pos.get(FEED, **query)
    assert answered.status_code == 200, answered.text
    feed: dict[str, Any] = answered.json()
    assert feed.keys() == EventFeed.model_fields.keys()
    return feed


async def test_a_pos_follows_the_feed_from_its_cursor(pos: Caller) -> None:
    """Each event comes once, in order, even without an endpoint; at the end the cursor stays."""
    assert await read(pos) == {"events": [], "next": "0", "has_more": False}
    payments = [await cancelled_payment(pos) for _ in range(5)]

    seen, after = [], "0"
    for has_more in (True, True, False):
        feed = await read(pos, after=after, limit="2")
        assert feed["has_more"] is has_more
        seen += feed["events"]
        after = feed["next"]

    assert [event["payment_id"] for event in seen] == payments
    assert {event["type"] for event in seen} == {"payment.cancelled"}
    assert await read(pos, after=after) == {"events": [], "next": after, "has_more": False}
    payments.append(await cancelled_payment(pos))
    (event,) = (await read(pos, after=after))["events"]
    assert event["payment_id"] == payments[-1]
    assert [each["payment_id"] for each in (await read(pos))["events"]] == payments


async def test_the_feed_has_the_bodies_of_webhooks(pos: Caller) -> None:
    """Each event is the same JSON, test events included."""
    endpoint = await registered(pos)
    await cancelled_payment(pos)
    await pos.post(f"{ENDPOINTS}/{endpoint['id']}/test")

    sent = [(await pos.get(f"{DELIVERIES}/{one['id']}")).json()["event"] for one in await deliveries_of(pos)]

    events = (await read(pos))["events"]
    assert sorted(events, key=str) == sorted(sent, key=str)
    assert [event["type"] for event in events] == ["payment.cancelled", "endpoint.test"]


async def test_the_feed_begins_at_a_time(api: ApiAlone, pos: Caller) -> None:
    """It has every event from that time on, also beside gaps of a purge; a cursor is another beginning."""
    payments = [await cancelled_payment(pos) for _ in range(9)]
    await read(pos)
    for place, payment_id in enumerate(payments):
        at = 1_772_712_000_000 + place * 60_000
        await change(api.database, "UPDATE events SET at = :at WHERE payment_id = :id", at=at, id=payment_id)
    for purged in (payments.pop(4), payments.pop(0)):
        await change(api.database, "DELETE FROM events WHERE payment_id = :id", id=purged)

    for minute, first in ((0, 0), (1, 0), (2, 1), (4, 3), (5, 3), (8, 6), (9, 7)):
        feed = await read(pos, **{"from": f"2026-03-05T12:0{minute}:00Z"})
        assert [event["payment_id"] for event in feed["events"]] == payments[first:], minute
    refused = await pos.get(FEED, after="1", **{"from": "2026-03-05T12:00:00Z"})
    assert (refused.status_code, refused.json()["error"]["details"]["parameter"]) == (400, "from")
    later = await cancelled_payment(pos)
    feed = await read(pos, **{"from": "2026-03-05T12:09:00Z"})
    assert [event["payment_id"] for event in feed["events"]] == [later]


async def test_merchants_have_feeds_of_their_own(api: ApiAlone) -> None:
    """Positions and events of one merchant do not show in the feed of another."""
    one, other = await api.merchant(), await api.merchant()
    mine, theirs = await cancelled_payment(one), await cancelled_payment(other, host="127.0.0.10")

    for pos, payment_id in ((one, mine), (other, theirs)):
        feed = await read(pos)
        assert [event["payment_id"] for event in feed["events"]] == [payment_id]
        assert feed["next"] == "1"


async def test_a_request_that_finds_nothing_new_writes_nothing(api: ApiAlone, pos: Caller) -> None:
    """Polling costs two look-ups, without a transaction or a lock."""
    await cancelled_payment(pos)
    after = (await read(pos))["next"]
    # Whoever placed an event would move this.
    await change(api.database, "UPDATE feeds SET position = 1000")

    assert await read(pos, after=after) == {"events": [], "next": after, "has_more": False}
    (row,) = await rows(api.database, "SELECT position FROM feeds")
    assert row.position == 1000


@pytest.mark.parametrize(
    "query",
    [{"after": "x"}, {"after": "-1"}, {"after": "1" * 19}, {"limit": "0"}, {"limit": "101"}, {"before": "1"}],
    ids=["text", "negative", "too-long", "limit-0", "limit-101", "unknown"],
)
@on_sqlite
async def test_a_wrong_parameter_is_named(api: ApiAlone, query: dict[str, str]) -> None:
    """The answer is a 400 in the usual envelope."""
    answered = await (await api.merchant()).get(FEED, **query)

    assert answered.status_code == 400
    assert answered.json()["error"]["details"] == {"parameter": next(iter(query))}


async def test_an_event_that_cannot_be_shown_keeps_no_later_one_from_its_reader(
    api: ApiAlone, pos: Caller
) -> None:
    """An event whose body is no JSON is ignored, and the cursor goes past it."""
    for _ in range(3):
        await cancelled_payment(pos)
    numbers = [row.number for row in await rows(api.database, "SELECT number FROM events ORDER BY number")]
    await change(api.database, "UPDATE events SET body = 'broken' WHERE number = :number", number=numbers[1])

    feed = await read(pos)

    assert len(feed["events"]) == 2
    assert feed["next"] == "3"


@on_postgres
async def test_a_feed_shows_what_it_has_while_no_positions_can_be_given(api: ApiAlone, pos: Caller) -> None:
    """The rest of a cancelled statement comes with a later request."""
    await cancelled_payment(pos)
    assert len((await read(pos))["events"]) == 1
    await cancelled_payment(pos)

    assert pos.merchant_id is not None
    with troubled(api.database) as troubles:
        troubles[pos.merchant_id] = Trouble(at=1)
        assert (len((await read(pos))["events"]), troubles[pos.merchant_id].cancelled) == (1, 1)
    assert len((await read(pos))["events"]) == 2
