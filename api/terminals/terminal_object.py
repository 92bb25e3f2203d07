"""A registered terminal as answers show it."""

import json
from typing import Any

from shared.runtime.clock import iso_time
from shared.storage.terminals.probes import ProbeReport, ProbeResult
from shared.storage.terminals.registry import RegisteredTerminal
from shared.storage.terminals.status import Holder, TerminalStatus


def terminal_object(terminal: RegisteredTerminal, status: TerminalStatus) -> dict[str, Any]:
    """Return the object. `payments` names the merchant's own only, others are numbers."""
    authorisation: dict[str, Any] = {"policy": terminal.authorisation}
    if terminal.authorisation_above_cents is not None:
        authorisation["above_cents"] = terminal.authorisation_above_cents
    return {
        "id": terminal.id,
        "label": terminal.label,
        "shop": terminal.shop,
        "host": terminal.host,
        "port": terminal.port,
        "terminal_address": terminal.terminal_address,
        "protocol": terminal.protocol,
        "pos_number": terminal.pos_number,
        "profile": json.loads(terminal.profile),
        "authorisation": authorisation,
        "sole_use": terminal.sole_use,
        "disabled": terminal.disabled_at is not None,
        "created_at": iso_time(terminal.created_at),
        "changed_at": iso_time(terminal.changed_at),
        "replaced_at": iso_time(terminal.replaced_at),
        "last_seen": iso_time(_last_seen(terminal, status)),
        "observed": _observed(status),
        "payments": _payments(status),
    }


def _last_seen(terminal: RegisteredTerminal, status: TerminalStatus) -> int | None:
    """When the terminal last gave a complete answer; what the device before it said does not count."""
    if status.answered_at is None or status.answered_at < (terminal.replaced_at or 0):
        return None
    return status.answered_at


def _observed(status: TerminalStatus) -> dict[str, Any]:
    answers = [set(tags) for tags in status.echoes]
    return {
        "answers": len(answers),
        "fields": sorted(set.intersection(*answers)) if answers else [],
        "identifies": status.identifies,
        "identify_first": status.identify_first,
    }


def _payments(status: TerminalStatus) -> dict[str, Any]:
    holder = status.holder
    own = holder is not None and holder.id is not None
    return {
        "running": _holder(holder) if holder is not None and own else None,
        "waiting": status.waiting,
        "others_running": 0 if holder is None or own else 1,
        "others_waiting": status.others_waiting,
    }


def _holder(holder: Holder) -> dict[str, Any]:
    shown = {
        "id": holder.id,
        "state": holder.state,
        "since": iso_time(holder.since),
        "until": iso_time(holder.until),
    }
    return {name: value for name, value in shown.items() if value is not None}


def probe_object(found: ProbeReport) -> dict[str, Any]:
    """Return what a probe is answered with; what is not known is left out."""
    shown: dict[str, Any] = {
        "outcome": found.outcome.value,
        "round_trip_ms": found.round_trip_ms,
        "detail": found.detail,
    }
    if found.outcome is ProbeResult.HELD:
        shown |= {"held_by": found.held_by, "held_since": iso_time(found.held_since)}
    return {name: value for name, value in shown.items() if value is not None}
