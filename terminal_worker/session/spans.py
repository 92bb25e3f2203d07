"""The spans of sessions with terminals: addresses, operations and codes, no amount and no text."""

from contextlib import AbstractContextManager

from shared.payment.payment import Settlement
from shared.payment.states import Event
from shared.storage.payments.claims import Claimed
from shared.tracing.spans import Span, is_tracing, span, unrecorded
from terminal_worker.session.connection import split_terminal_address


def terminal_session(claimed: Claimed) -> AbstractContextManager[Span]:
    """Record a session: identification where needed, connection, request and answer."""
    return _with_terminal("concert session", claimed)


def terminal_enquiry(claimed: Claimed) -> AbstractContextManager[Span]:
    """Record an enquiry about a payment in doubt."""
    return _with_terminal("concert enquiry", claimed)


def note_settlement(traced: Span, settlement: Settlement) -> None:
    """Add the session's outcome; a doubt is a failure, and so is a terminal that was not reached."""
    traced.set({"cloud_terminal.session.event": settlement.event.value})
    if settlement.reason is not None:
        traced.set({"cloud_terminal.session.reason": str(settlement.reason)})
    if settlement.event in (Event.OUTCOME_LOST, Event.NOT_SENT):
        traced.fail(str(settlement.reason or settlement.event.value))


def _with_terminal(name: str, claimed: Claimed) -> AbstractContextManager[Span]:
    if not is_tracing():
        return unrecorded()
    address, port = split_terminal_address(claimed.grant.address)
    payment = claimed.payment
    return span(
        name,
        "client",
        {
            "network.protocol.name": "concert",
            "network.protocol.version": payment.protocol,
            "network.transport": "tcp",
            "network.peer.address": address,
            "network.peer.port": port,
            "cloud_terminal.payment_id": payment.id,
            "cloud_terminal.operation": payment.operation.value,
        },
    )
