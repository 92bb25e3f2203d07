"""Errors of terminals; `api/http/errors.py` draws the tree of all."""

from api.http.errors import ApiError, BadRequest, Conflict, Forbidden


class UnknownTerminal(BadRequest):
    """The merchant has no terminal of that `pos_technical_info.terminal_id`."""

    code = "unavailable.terminal.bad.request"
    description = "The merchant has no terminal of this terminal_id."


class UnsupportedByTerminal(BadRequest):
    """The terminal's profile cannot bear what the order asks for, e.g. an authorisation."""

    code = "unsupported.terminal.bad.request"
    description = "The terminal's profile does not support what the order asks for."


class ImportRefused(BadRequest):
    """Rows of a terminal file cannot be registered; `details.errors` lists them, nothing was stored."""

    code = "rows.import.bad.request"
    description = "Some rows cannot be registered; nothing was stored."


class ForeignTerminal(Forbidden):
    """The terminal's address is outside the merchant's allowed networks; no packet was sent."""

    code = "network.forbidden"
    description = "The terminal is outside the merchant's allowed networks."


class ReservedTerminal(Forbidden):
    """An operator confirmed that the terminal's address is another merchant's alone; no packet was sent."""

    code = "reserved.forbidden"
    description = "The terminal's address is another merchant's alone."


class TerminalDisabled(Conflict):
    """The merchant disabled the terminal: it takes no payments, and this one was not looked at."""

    code = "disabled.terminal.conflict"
    description = "The terminal is disabled; enable it, or use another one."


class TerminalTaken(Conflict):
    """Another of the merchant's terminals has this address and port."""

    code = "taken.terminal.conflict"
    description = "Another terminal is registered at this address and port."
    safe_to_retry = None


class TerminalLimit(Conflict):
    """The merchant would have more registered terminals than it may; nothing was stored."""

    code = "limit.terminal.conflict"
    description = "The merchant has as many terminals as it may; remove some first."
    safe_to_retry = None


class TerminalHeld(Conflict):
    """A payment or a probe has the terminal lock at this moment."""

    code = "held.terminal.conflict"
    description = "The terminal is in use."
    safe_to_retry = None


class ProbeExpired(ApiError):
    """No worker took the probe in time, or its worker stopped: nothing is known of the terminal."""

    status = 504
    code = "expired.probe.gateway.timeout"
    description = "The probe was not carried out in time; ask again."
