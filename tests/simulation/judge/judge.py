"""Judge of a history from outside: by the terminals' ledger, the clients' answers and the stored rows."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from shared.payment.evidence import conflicts_with
from shared.payment.states import FINAL_STATES, Event, State
from tests.simulation.engine import loop as loops
from tests.simulation.engine.limits import SETTINGS
from tests.simulation.judge.notification_rules import judge_notifications
from tests.simulation.judge.order_rules import judge_orders, orders_of
from tests.simulation.judge.request_rules import judge_requests

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Prefix of a violation that is an error of the code and not of a rule.
UNEXPECTED = "unexpected error:"
_NEVER_CHARGED = frozenset({State.REFUSED, State.ABORTED, State.UNREACHABLE, State.EXPIRED, State.CANCELLED})
#: A stopped worker keeps its results during outages of the database up to this.
_DRAINED_SECONDS = SETTINGS.storing_grace_seconds - 2
_NEVER_WRITTEN = frozenset({State.EXPIRED, State.CANCELLED})


@dataclass
class Verdict:
    """Result of the judgement: violated rules as text, none where all is well, and counts."""

    violations: list[str] = field(default_factory=list)
    transitions: Counter[str] = field(default_factory=Counter)
    payments: int = 0
    doubts_left: int = 0
    read_late: int = 0
    wrong_decisions: int = 0


def judge(world: "World") -> Verdict:
    """Return the rules that this history violated."""
    verdict = Verdict(
        violations=[*world.ledger.violations, *world.watch.violations], read_late=world.ledger.read_late
    )
    payments = {row["id"]: row for row in world.store.rows("SELECT * FROM payments ORDER BY created_at, id")}
    events = world.store.rows("SELECT id, payment_id, event, state, detail FROM payment_events ORDER BY id")
    verdict.payments = len(payments)
    wrong = world.interventions.contradicted_by_facts({charge.payment_id for charge in world.ledger.charges})
    verdict.wrong_decisions = len(wrong)
    verdict.violations += [f"{UNEXPECTED} {error}" for error in world.around.errors]
    verdict.violations += [f"{UNEXPECTED} {error}" for error in loops.UNEXPECTED]
    _judge_transitions(events, verdict)
    _judge_money(world, payments, wrong, verdict)
    judge_orders(world, orders_of(events, payments, wrong), verdict.violations)
    _judge_answers(world, payments, _states(events), verdict)
    judge_requests(world.pos.log.answers, verdict.violations)
    judge_notifications(world, events, verdict.violations)
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
                verdict.violations.append(f"left its final state: {event['payment_id']} {old} -> {new}")


def _judge_money(world: "World", payments: dict[str, Any], wrong: set[str], verdict: Verdict) -> None:
    charged = {charge.payment_id for charge in world.ledger.charges}
    written = {note.payment_id for note in world.ledger.written if note.is_operation}
    for payment_id, row in payments.items():
        if payment_id in wrong:
            continue  # an operator was wrong, which nothing of ours can show
        state = State(row["state"])
        if state is State.SUCCEEDED and payment_id not in charged:
            verdict.violations.append(f"false success: {payment_id}")
        if state in _NEVER_CHARGED and payment_id in charged and not row["contradicted"]:
            verdict.violations.append(f"charged, and stored as {state}: {payment_id}")
        if state in _NEVER_WRITTEN and payment_id in written:
            verdict.violations.append(f"written, and stored as {state}: {payment_id}")
        if state is State.UNREACHABLE and row["reason"] != "busy" and payment_id in written:
            verdict.violations.append(f"written, and stored as unreachable: {payment_id}")
    for payment_id in charged - payments.keys():
        verdict.violations.append(f"charged, and not stored: {payment_id}")


def _judge_answers(
    world: "World",
    payments: dict[str, Any],
    states: dict[str, set[str]],
    verdict: Verdict,
) -> None:
    log = world.pos.log
    if log.asked != log.answered:
        verdict.violations.append(f"{log.asked - log.answered} requests were never answered")
    for answer in log.answers:
        if answer.payment is None:
            continue
        row = payments.get(answer.payment.id)
        name = f"{answer.payment.id} {answer.payment.state}"
        if row is None:
            verdict.violations.append(f"answered, and not stored: {name}")
            continue
        if answer.payment.state not in states[answer.payment.id]:
            verdict.violations.append(f"answered what was never stored: {name}")
        if answer.payment.is_final and row["state"] != answer.payment.state:
            verdict.violations.append(f"answered {name}, stored {row['state']}")


def _judge_proofs(world: "World", payments: dict[str, Any], verdict: Verdict) -> None:
    """Check that each proof settled its payment's doubt, or is recorded as conflicting evidence."""
    for row in world.store.rows("SELECT payment_id, proves FROM evidence WHERE proves IS NOT NULL"):
        payment = payments[row["payment_id"]]
        if payment["state"] == State.IN_DOUBT:
            verdict.violations.append(f"proved, and in doubt: {payment['id']}")
        elif conflicts_with(State(payment["state"]), Event(row["proves"])) and not payment["contradicted"]:
            verdict.violations.append(f"proved {row['proves']}, and {payment['state']}: {payment['id']}")


def _judge_results(world: "World", payments: dict[str, Any], verdict: Verdict) -> None:
    """Check that no answer that a worker has read is lost, unless the worker was killed."""
    for note in world.ledger.written:
        process = note.wire.process
        is_drained = (
            process.is_stopping and process.ended_by_itself and world.unavailable_seconds < _DRAINED_SECONDS
        )
        lives_on = not process.is_dead or is_drained
        if note.is_operation and note.is_answered and lives_on and note.payment_id in payments:
            state = payments[note.payment_id]["state"]
            if state == State.IN_DOUBT:
                verdict.violations.append(f"answered, and in doubt: {note.payment_id}")


def _judge_end(world: "World", payments: dict[str, Any], verdict: Verdict) -> None:
    for payment_id, row in payments.items():
        if row["state"] in (State.QUEUED, State.IN_SESSION):
            verdict.violations.append(f"never ended: {payment_id} {row['state']}")
        if row["state"] == State.IN_DOUBT:
            verdict.doubts_left += 1
            if not row["reason"]:
                verdict.violations.append(f"in doubt without a reason: {payment_id}")
    for row in world.store.rows(
        "SELECT address, held_by, worker FROM terminal_locks WHERE held_by IS NOT NULL"
    ):
        verdict.violations.append(f"terminal lock never released: {row['address']} held by {row['held_by']}")
    # The message of a payment that met an unexpected error may be dead-lettered; the sweep finds the payment.
    unexpected = world.faults.happened["statement refused, XX000"]
    for message in () if unexpected else world.broker.dead:
        verdict.violations.append(f"dead letter: {message.id}")


def stored_text(world: "World") -> list[str]:
    """Return the rows at the end as text to read."""
    rows = world.store.rows(
        "SELECT id, order_id, operation, state, reason, contradicted, resolved_by FROM payments"
    )
    lines = world.store.rows("SELECT address, held_by, worker, epoch, claim FROM terminal_locks")
    events = world.store.rows("SELECT payment_id, event, state, detail FROM payment_events ORDER BY id")
    return [
        *(json.dumps(dict(row)) for row in [*lines, *rows]),
        *(f"{row['payment_id']} {row['event']} -> {row['state']} {row['detail'][:200]}" for row in events),
    ]
