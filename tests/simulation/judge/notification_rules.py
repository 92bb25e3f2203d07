"""Rules of notifications: events match the histories, deliveries match the events, each in order."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from shared.notification.events import EventType, type_of
from shared.notification.kinds import HIPAY, envelope
from shared.payment.states import FINAL_STATES, State

if TYPE_CHECKING:
    from tests.simulation.world import World

#: An event's type and its payment's state.
_EventState = tuple[str, str]


def judge_notifications(world: "World", history: list[Any], violations: list[str]) -> None:
    """Add each violation; `history` are the entries of all payments' histories in order."""
    events = world.store.rows("SELECT * FROM events ORDER BY payment_id, sequence")
    violations.extend(_lost_or_invented(history, events))
    if world.usage.endpoints is None:
        return
    deliveries = world.store.rows("SELECT * FROM deliveries ORDER BY id")
    violations.extend(_not_delivered(world, events, deliveries))
    violations.extend(_sent_otherwise(world, events, deliveries))
    violations.extend(_out_of_order(world, deliveries))
    for reader in world.feed_readers:
        of_merchant = [event for event in events if event["merchant_id"] == reader.merchant_id]
        violations.extend(_misread(reader.shown, of_merchant))


def _lost_or_invented(history: list[Any], events: list[Any]) -> Iterator[str]:
    """Check that each state that a client could see is one event, numbered without a gap."""
    entries: dict[str, list[Any]] = defaultdict(list)
    for entry in history:
        entries[entry["payment_id"]].append(entry)
    events_seen: dict[str, list[_EventState]] = defaultdict(list)
    for event in events:
        if event["sequence"] != len(events_seen[event["payment_id"]]) + 1:
            yield f"an event's number: {event['payment_id']} {event['sequence']}"
        events_seen[event["payment_id"]].append((event["type"], json.loads(event["body"])["state"]))
    for payment_id, its_entries in entries.items():
        expected = list(_expected_events(its_entries))
        if events_seen[payment_id] != expected:
            yield f"events {events_seen[payment_id]} instead of {expected}: {payment_id}"


def _expected_events(entries: Iterable[Any]) -> Iterator[_EventState]:
    state, is_proved, doubt_was_notified = "", False, False
    for entry in entries:
        before, state = state, entry["state"]
        if entry["event"] == "evidence" and json.loads(entry["detail"]).get("proves"):
            is_proved = True
        elif entry["event"] == "contradiction":
            yield EventType.CONTRADICTED, state
        if state == before or state not in FINAL_STATES | {State.IN_DOUBT}:
            continue
        if state == State.IN_DOUBT:
            if is_proved:
                continue  # settled in the same transaction
            doubt_was_notified = True
        yield type_of(State(state), ends_doubt=state in FINAL_STATES and doubt_was_notified), state


def _not_delivered(world: "World", events: list[Any], deliveries: list[Any]) -> Iterator[str]:
    endpoints = world.store.rows("SELECT id, merchant_id FROM webhook_endpoints")
    payments = world.store.rows("SELECT id FROM payments")
    expected = {
        (endpoint["id"], event["number"])
        for event in events
        for endpoint in endpoints
        if endpoint["merchant_id"] == event["merchant_id"]
    } | {(HIPAY, payment["id"]) for payment in payments}
    written = {
        (row["target"], row["payment_id"] if row["target"] == HIPAY else row["event_number"])
        for row in deliveries
    }
    for missing in expected - written:
        yield f"no delivery of {missing}"
    for invented in written - expected:
        yield f"a delivery of nothing: {invented}"
    taken = {received.delivery_id for received in world.around.receivers.received if received.taken}
    for row in deliveries:
        if row["state"] != "delivered":
            yield f"never delivered: {row['id']} {row['state']}"
        elif row["id"] not in taken:
            yield f"delivered, and not received: {row['id']}"


def _sent_otherwise(world: "World", events: list[Any], deliveries: list[Any]) -> Iterator[str]:
    stored = {event["number"]: event for event in events}
    rows = {row["id"]: row for row in deliveries}
    for received in world.around.receivers.received:
        row = rows.get(received.delivery_id)
        if row is None:
            yield f"a post without a delivery: {received.delivery_id}"
            continue
        if row["target"] == HIPAY:
            if received.body["reference"] != row["payment_id"]:
                yield f"HiPay notified of another order: {row['id']}"
            continue
        event = stored[row["event_number"]]
        expected = envelope(
            number=event["number"],
            payment_id=event["payment_id"],
            sequence=event["sequence"],
            type_=event["type"],
            at=event["at"],
            body=event["body"],
        )
        if received.body != expected:
            yield f"sent otherwise than stored: {row['id']}"


def _out_of_order(world: "World", deliveries: list[Any]) -> Iterator[str]:
    """Check that a payment's deliveries to one target are first tried in the order of its events."""
    rows = {row["id"]: row for row in deliveries}
    tried: dict[tuple[str, str], int] = defaultdict(int)
    for delivery_id in world.around.receivers.tries:
        row = rows.get(delivery_id)
        if row is None:
            continue
        key = row["payment_id"], row["target"]
        if row["sequence"] > tried[key] + 1:
            yield f"sent before its earlier one: {delivery_id}"
        tried[key] = max(tried[key], row["sequence"])


def _misread(shown: list[Any], events: list[Any]) -> Iterator[str]:
    """Check that a reader that goes on from its position sees each event once."""
    positions = [event.position for event in shown]
    if positions != sorted(set(positions)):
        yield f"the feed went back: {positions}"
    placed = {event["number"]: event["position"] for event in events}
    for event in shown:
        if placed.get(event.number) != event.position:
            yield f"the feed shows {event.number} at {event.position}, stored at {placed.get(event.number)}"
    last = positions[-1] if positions else 0
    missed = {number for number, position in placed.items() if position is not None and position <= last} - {
        event.number for event in shown
    }
    if missed:
        yield f"the feed left out {sorted(missed)}"
