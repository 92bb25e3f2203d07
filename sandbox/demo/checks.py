"""What must hold of what was recorded, whatever was paid; each check returns what is wrong, in words."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sandbox.demo.errors import Unexpected
from sandbox.demo.frames import masked_fields
from sandbox.demo.stored import StoredEvent
from sandbox.demo.till import Call
from sandbox.demo.timeline import bytes_of
from sandbox.terminal.device.ledger import SessionRecord, charged_twice, overlapping_sessions

#: Once a terminal an identification follows; a gateway's evidence comes at any time, and again at collection.
BESIDE_THE_WAY: Final = frozenset({"identified", "evidence"})


def expect(problems: Iterable[str]) -> None:
    """Raise Unexpected with all of them, if any."""
    found = list(problems)
    if found:
        raise Unexpected("\n".join(found))


def answered(call: Call, history: Sequence[StoredEvent], state: str, *, replayed: bool = False) -> list[str]:
    """The till's answer and the payment's history against the expected state, succeeded or refused."""
    told = call.body["payment"]
    status = "Success" if state == "succeeded" else "Failed"
    wanted = (200, status, state, replayed)
    was = (call.status, call.body["paymentStatus"], told["state"], told["replayed"])
    problems = [] if was == wanted else [f"{call.order_id}: answered {was}, expected {wanted}"]
    last = "answered_done" if state == "succeeded" else "answered_refused"
    return problems + went_through(history, last)


def answered_as_stored(call: Call, row: Mapping[str, Any]) -> list[str]:
    """The till's answer against the payment's row."""
    told = call.body["payment"]
    paid = row["amount_cents"] if row["paid_cents"] is None else row["paid_cents"]
    pairs = {
        "id": (told["id"], row["id"]),
        "order": (told["order_id"], row["order_id"]),
        "operation": (told["operation"], row["operation"]),
        "state": (told["state"], row["state"]),
        "amount": (told["amount"], paid),
        "authorisation number": (told.get("authorisation_number"), row["authorisation_number"]),
        "card": (told.get("masked_card"), row["masked_card"]),
        "receipt": (receipt_of(call), row["receipt"] or ""),
    }
    return [
        f"{call.order_id}: the {name} told is {was_told!r}, stored is {stored!r}"
        for name, (was_told, stored) in pairs.items()
        if was_told != stored
    ]


def receipt_of(call: Call) -> str:
    """Return the receipt in the till's answer, decoded."""
    return base64.b64decode(call.body["receipt"]).decode("utf-8")


def session_as_stored(
    session: SessionRecord, row: Mapping[str, Any], history: Sequence[StoredEvent]
) -> list[str]:
    """The terminal's own record against the payment's row and history."""
    problems = []
    end = next(event for event in reversed(history) if event.event not in BESIDE_THE_WAY)
    if session.charged != (row["state"] == "succeeded"):
        problems.append(f"{row['id']}: {row['state']} is stored, the terminal's outcome is {session.outcome}")
    if session.amount_cents != row["amount_cents"]:
        problems.append(f"{row['id']}: the terminal was asked for {session.amount_cents} cents")
    for direction, name in (("in", "sent"), ("out", "answer")):
        passages = [passage for passage in session.passages if passage.direction == direction]
        stored = end.detail.get(name)
        if masked_fields(bytes_of(passages)) != stored:
            problems.append(f"{row['id']}: the history has another {name} frame than the terminal")
    return problems


def went_through(history: Sequence[StoredEvent], last: str) -> list[str]:
    """A payment's history: accepted, claimed, its end."""
    events = [event.event for event in history if event.event not in BESIDE_THE_WAY]
    wanted = ["accepted", "claimed", last]
    return [] if events == wanted else [f"{history[0].payment_id}: went through {events}, not {wanted}"]


def one_session_at_a_time(name: str, sessions: Sequence[SessionRecord]) -> list[str]:
    """A terminal's ledger: sessions follow each other, and no reference was charged twice."""
    problems = [
        f"{name} had two sessions at once: {first.reference} and {second.reference}"
        for first, second in overlapping_sessions(sessions)
    ]
    return problems + [f"{name} charged {reference} twice" for reference in charged_twice(sessions)]


def sessions_match(sessions: Sequence[SessionRecord], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All ledgers against all rows: every payment had its one session, and there was no other."""
    references = sorted(session.reference or "" for session in sessions)
    stored = sorted(row["id"] for row in rows)
    return [] if references == stored else [f"sessions were held for {references}, payments are {stored}"]
