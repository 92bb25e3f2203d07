"""Requests for a terminal whose lease a payment in doubt has."""

import structlog

from api.payments.errors import PaymentConflict, TerminalFree, TooEarly
from shared.concert.profile import terminal_time_of
from shared.payment.states import State
from shared.settings.settings import Settings
from shared.storage.administration.audit_trail import Actor
from shared.storage.db.engine import Database
from shared.storage.payments import operators
from shared.storage.payments.operators import DoubtWindow
from shared.storage.terminals import early_release

_log = structlog.get_logger()


def doubt_window(settings: Settings) -> DoubtWindow:
    """Return the function from a payment's stored profile to its doubt window in seconds."""
    return lambda profile: settings.doubt_window_for(terminal_time_of(profile))


async def ask_for_terminal(
    database: Database, settings: Settings, payment_id: str, *, by: str, operator: Actor | None = None
) -> None:
    """Store the request for the owner of the terminal lock, which releases it at a heartbeat.

    `operator`: whose request goes into the audit trail. The payment must be known to exist. Raises TooEarly,
    PaymentConflict (it is not in doubt), TerminalFree, DatabaseUnavailable, CommitUnknown (ask again).
    """
    found = await operators.case(database, payment_id)
    assert found is not None
    asked = await early_release.request(
        database,
        payment_id,
        by=by,
        after_seconds=settings.early_release_after_seconds,
        excused_after_seconds=doubt_window(settings)(found.profile),
        operator=operator,
    )
    match asked:
        case early_release.Requested():
            _log.info("release of a terminal asked for", payment_id=payment_id, by=by)
        case early_release.TooEarly(seconds_left):
            raise TooEarly(seconds_left, payment=found.payment)
        case early_release.NotLocked() if found.payment.state is not State.IN_DOUBT:
            raise PaymentConflict(
                found.payment.state,
                "only the terminal of one in doubt can be asked for",
                payment=found.payment,
                response=found.response,
            )
        case early_release.NotLocked():
            raise TerminalFree(payment=found.payment)
