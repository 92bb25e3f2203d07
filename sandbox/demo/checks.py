"""Checks of everything that was recorded; each check returns what is wrong, for people."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sandbox.demo.desk import Call, Recorded
from sandbox.demo.frames import euros, masked_fields
from sandbox.terminal.device.session_log import SessionRecord, charged_twice, overlapping_sessions

Json = Mapping[str, Any]

#: What may change after the answer, or tells of the answer itself.
_OF_THE_ANSWER = frozenset({"replayed"})
_PAYING = frozenset({"debit", "credit", "reversal"})


class Unexpected(Exception):
    """Raised where something is not as it must be; the message says what."""


def compare(
    calls: Sequence[Call],
    recorded: Recorded,
    sessions: Sequence[SessionRecord],
    histories: Mapping[str, Sequence[Json]],
) -> list[str]:
    """Compare answers, stored payments, the terminal's sessions, HiPay and merchant; return what holds.

    histories: of each payment, by its id. Raises Unexpected.
    """
    payments = {str(one["id"]): one for one in recorded.payments}
    paying = [session for session in sessions if session.operation in _PAYING]
    problems = [
        *answered_as_stored(calls, payments),
        *sent_once(paying, payments),
        *sessions_in_turn(sessions),
        *messages_as_sent(paying, histories),
        *orders_notified_once(payments, recorded.orders),
        *webhooks_as_stored(payments, recorded.webhooks, histories),
        *same_sums(payments.values(), recorded.totals, recorded.collected),
    ]
    if problems:
        raise Unexpected("\n".join(problems))
    charged = sum(session.charged for session in paying)
    return [
        f"{len(calls)} answers equal the {len(payments)} stored payments",
        f"the terminal has {len(paying)} requests: each payment was sent to it once",
        f"{charged} of them moved money, each for a payment that succeeded",
        "the terminal never had two sessions at a time, and charged nothing twice",
        "the histories hold the very fields that the terminal read and wrote",
        f"HiPay has {len(recorded.orders)} order notifications, one for each payment",
        f"the merchant has {len(recorded.webhooks)} webhooks, one for each result and each doubt, all signed",
        f"Console, acquirer and stored payments agree: {euros(recorded.collected['sum_cents'])} collected",
    ]


def answered_as_stored(calls: Iterable[Call], payments: Mapping[str, Json]) -> list[str]:
    """Compare each answer with the payment that is stored now."""
    problems = []
    for call in calls:
        answered, stored = call.payment, payments[call.payment["id"]]
        problems += [
            f"{call.order_id}: the answer's {name} is {answered.get(name)!r}, stored is {stored.get(name)!r}"
            for name in sorted((answered.keys() | stored.keys()) - _OF_THE_ANSWER)
            if answered.get(name) != stored.get(name)
        ]
    return problems


def sent_once(sessions: Sequence[SessionRecord], payments: Mapping[str, Json]) -> list[str]:
    """Compare the terminal's payments with the stored ones: each was sent once, and says what happened."""
    problems = []
    if sorted(session.reference or "" for session in sessions) != sorted(payments):
        references = [session.reference for session in sessions]
        problems.append(f"the terminal was asked for {references}, payments are {sorted(payments)}")
    for session in sessions:
        stored = payments.get(session.reference or "")
        if stored is None:
            continue
        if session.charged != (stored["state"] == "succeeded"):
            problems.append(
                f"{stored['id']} is {stored['state']}, the terminal's outcome is {session.outcome}"
            )
        if session.amount_cents != stored["amount"]:
            problems.append(f"{stored['id']}: the terminal was asked for {session.amount_cents} cents")
    return problems


def sessions_in_turn(sessions: Sequence[SessionRecord]) -> list[str]:
    """Check that sessions followed each other, and that no reference was charged twice."""
    problems = [
        f"two sessions at once: {first.reference} and {second.reference}"
        for first, second in overlapping_sessions(sessions)
    ]
    return problems + [f"{reference} was charged twice" for reference in charged_twice(sessions)]


def messages_as_sent(sessions: Iterable[SessionRecord], histories: Mapping[str, Sequence[Json]]) -> list[str]:
    """Compare the terminal's bytes with the fields in the histories, where an answer came."""
    problems = []
    for session in sessions:
        history = histories[session.reference or ""]
        detail = next((event["detail"] for event in history if "answer" in event["detail"]), None)
        if detail is None or "sent" not in detail:
            continue
        for direction, name in (("in", "sent"), ("out", "answer")):
            text = "".join(passage.text for passage in session.passages if passage.direction == direction)
            if masked_fields(text.encode("latin-1")) != detail[name]:
                problems.append(f"{session.reference}: the history has another {name} message")
    return problems


def orders_notified_once(payments: Iterable[str], orders: Iterable[Json]) -> list[str]:
    """Check that HiPay has one order notification for each payment, and no other."""
    known, notified = sorted(payments), sorted(str(order["reference"]) for order in orders)
    return [] if notified == known else [f"HiPay was notified of {notified}, payments are {known}"]


def webhooks_as_stored(
    payments: Mapping[str, Json], webhooks: Iterable[Json], histories: Mapping[str, Sequence[Json]]
) -> list[str]:
    """Check that each state but the first two came as one verified webhook, in the history's order."""
    problems = []
    received: dict[str, list[str]] = {payment_id: [] for payment_id in payments}
    for webhook in webhooks:
        content = webhook["content"]
        if not webhook["is_taken"]:
            problems.append(f"a webhook came with {webhook['status']}: {webhook['because']}")
        received.setdefault(content.get("payment_id", ""), []).append(content.get("state", ""))
    for payment_id, states in received.items():
        history = histories.get(payment_id, ())
        notified = [state for state in _changes(history) if state not in {"queued", "in_session"}]
        if states != notified:
            problems.append(f"{payment_id}: webhooks say {states}, the history says {notified}")
    return problems


def _changes(history: Sequence[Json]) -> list[str]:
    return list(dict.fromkeys(str(event["state"]) for event in history))


def same_sums(payments: Iterable[Json], totals: Json, collected: Json) -> list[str]:
    """Compare Console and acquirer with the stored payments, in cents."""
    signs = {"debit": 1, "credit": -1, "reversal": -1}
    paid = sum(signs[one["operation"]] * one["amount"] for one in payments if one["state"] == "succeeded")
    console = totals["captured_cents"] - totals["refunded_cents"] - totals["credited_cents"]
    sums = {"Console": console, "acquirer": collected["sum_cents"]}
    return [f"{name}: {cents} cents, paid were {paid}" for name, cents in sums.items() if cents != paid]
