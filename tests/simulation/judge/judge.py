"""Judges a history from outside: by the terminals' ledger, by what the tills heard, by what is stored."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.payment.evidence import contradicts
from shared.payment.states import FINAL_STATES, Event, State
from tests.simulation import loop as loops
from tests.simulation.judge.orders import judge_orders, orders_of
from tests.simulation.judge.requests import judge_requests
from tests.simulation.judge.told import judge_told
from tests.simulation.limits import SETTINGS

if TYPE_CHECKING:
    from tests.simulation.world import World

#: How a wrong begins that is an error of the code and not of a rule.
UNEXPECTED = "unexpected error:"
_NEVER_CHARGED = frozenset({State.REFUSED, State.ABORTED, State.UNREACHABLE, State.EXPIRED, State.CANCELLED})
#: So long the database may be away while a stopped worker keeps what it knows.
_DRAINED_SECONDS = SETTINGS.storing_grace_seconds - 2
_NEVER_WRITTEN = frozenset({State.EXPIRED, State.CANCELLED})


@dataclass
class Verdict:
    """What was wrong, in words; nothing where all was well. `transitions` are those the history took."""

    wrongs: list[str] = field(default_factory=list)
    transitions: Counter[str] = field(default_factory=Counter)
    payments: int = 0
    doubts_left: int = 0
    read_late: int = 0
    persons_wrong: int = 0


def judge(world: "World") -> Verdict:
    """Return every rule that this history broke."""
    verdict = Verdict(wrongs=[*world.ledger.wrongs, *world.watch.wrongs], read_late=world.ledger.read_late)
    payments = {row["id"]: row for row in world.store.rows("SELECT * FROM payments ORDER BY created_at, id")}
    events = world.store.rows("SELECT id, payment_id, event, state, detail FROM payment_events ORDER BY id")
    verdict.payments = len(payments)
    wrong = world.people.wrong_about({charge.payment_id for charge in world.ledger.charges})
    verdict.persons_wrong = len(wrong)
    verdict.wrongs += [f"{UNEXPECTED} {error}" for error in world.around.errors]
    verdict.wrongs += [f"{UNEXPECTED} {error}" for error in loops.UNEXPECTED]
    _judge_transitions(events, verdict)
    _judge_money(world, payments, wrong, verdict)
    judge_orders(world, orders_of(events, payments, wrong), verdict.wrongs)
    _judge_answers(world, payments, _states(events), verdict)
    judge_requests(world.tills.told.heard, verdict.wrongs)
    judge_told(world, events, verdict.wrongs)
    _judge_proofs(world, payments, verdict)
    _judge_results(world, payments, verdict)
    _judge_end(world, payments, verdict)
    return verdict


def _states(events: list[Any]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for event in events:
        found[event["payment_id"]].add(event["state"])
    return found


def _judge_transitions(events: list[Any], verdict: Verdict) -> None:
    before: dict[str, str] = {}
    for event in events:
        old, new = before.get(event["payment_id"], "new"), event["state"]
        before[event["payment_id"]] = new
        if old != new:
            verdict.transitions[f"{old} -> {new}"] += 1
            if old in FINAL_STATES:
                verdict.wrongs.append(f"left its final state: {event['payment_id']} {old} -> {new}")


def _judge_money(world: "World", payments: dict[str, Any], wrong: set[str], verdict: Verdict) -> None:
    charged = {charge.payment_id for charge in world.ledger.charges}
    written = {note.payment_id for note in world.ledger.written if note.is_operation}
    for payment_id, row in payments.items():
        if payment_id in wrong:
            continue  # a person said what was not so; nothing of ours can tell
        state = State(row["state"])
        if state is State.SUCCEEDED and payment_id not in charged:
            verdict.wrongs.append(f"false success: {payment_id}")
        if state in _NEVER_CHARGED and payment_id in charged and not row["contradicted"]:
            verdict.wrongs.append(f"charged, and stored as {state}: {payment_id}")
        if state in _NEVER_WRITTEN and payment_id in written:
            verdict.wrongs.append(f"written, and stored as {state}: {payment_id}")
        if state is State.UNREACHABLE and row["reason"] != "busy" and payment_id in written:
            verdict.wrongs.append(f"written, and stored as unreachable: {payment_id}")
    for payment_id in charged - payments.keys():
        verdict.wrongs.append(f"charged, and not stored: {payment_id}")


def _judge_answers(
    world: "World",
    payments: dict[str, Any],
    states: dict[str, set[str]],
    verdict: Verdict,
) -> None:
    told = world.tills.told
    if told.asked != told.answered:
        verdict.wrongs.append(f"{told.asked - told.answered} callers were never answered")
    for heard in told.heard:
        if heard.payment is None:
            continue
        row = payments.get(heard.payment.id)
        name = f"{heard.payment.id} {heard.payment.state}"
        if row is None:
            verdict.wrongs.append(f"answered, and not stored: {name}")
            continue
        if heard.payment.state not in states[heard.payment.id]:
            verdict.wrongs.append(f"answered what was never stored: {name}")
        if heard.payment.is_final and row["state"] != heard.payment.state:
            verdict.wrongs.append(f"answered {name}, stored {row['state']}")


def _judge_proofs(world: "World", payments: dict[str, Any], verdict: Verdict) -> None:
    """A proof settles a doubt, whenever it came; against another end it is a contradiction."""
    for row in world.store.rows("SELECT payment_id, proves FROM evidence WHERE proves IS NOT NULL"):
        payment = payments[row["payment_id"]]
        if payment["state"] == State.IN_DOUBT:
            verdict.wrongs.append(f"proved, and in doubt: {payment['id']}")
        elif contradicts(State(payment["state"]), Event(row["proves"])) and not payment["contradicted"]:
            verdict.wrongs.append(f"proved {row['proves']}, and {payment['state']}: {payment['id']}")


def _judge_results(world: "World", payments: dict[str, Any], verdict: Verdict) -> None:
    """What a worker has heard is never lost while it lives, or is stopped for no longer than it may take."""
    for note in world.ledger.written:
        process = note.wire.process
        is_drained = (
            process.is_stopping and process.ended_by_itself and world.unavailable_seconds < _DRAINED_SECONDS
        )
        lives_on = not process.is_dead or is_drained
        if note.is_operation and note.is_answered and lives_on and note.payment_id in payments:
            state = payments[note.payment_id]["state"]
            if state == State.IN_DOUBT:
                verdict.wrongs.append(f"answered, and in doubt: {note.payment_id}")


def _judge_end(world: "World", payments: dict[str, Any], verdict: Verdict) -> None:
    for payment_id, row in payments.items():
        if row["state"] in (State.QUEUED, State.IN_SESSION):
            verdict.wrongs.append(f"never ended: {payment_id} {row['state']}")
        if row["state"] == State.IN_DOUBT:
            verdict.doubts_left += 1
            if not row["reason"]:
                verdict.wrongs.append(f"in doubt without a reason: {payment_id}")
    for row in world.store.rows(
        "SELECT address, held_by, worker FROM terminal_locks WHERE held_by IS NOT NULL"
    ):
        verdict.wrongs.append(f"line never freed: {row['address']} held by {row['held_by']}")
    # A message of a payment that met an unexpected error may be put aside; the sweep finds what is queued.
    unexpected = world.faults.happened["statement refused, XX000"]
    for message in () if unexpected else world.broker.dead:
        verdict.wrongs.append(f"dead letter: {message.id}")


def stored_text(world: "World") -> list[str]:
    """Return what is stored at the end, for a person to read."""
    rows = world.store.rows(
        "SELECT id, order_id, operation, state, reason, contradicted, resolved_by FROM payments"
    )
    lines = world.store.rows("SELECT address, held_by, worker, epoch, claim FROM terminal_locks")
    events = world.store.rows("SELECT payment_id, event, state, detail FROM payment_events ORDER BY id")
    return [
        *(json.dumps(dict(row)) for row in [*lines, *rows]),
        *(f"{row['payment_id']} {row['event']} -> {row['state']} {row['detail'][:200]}" for row in events),
    ]
