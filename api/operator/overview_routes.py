"""Route of operators for the installation at a glance: open payments, busy terminals, the last minute."""

from typing import Final

from pydantic import Field

from api.http.dependencies import Wired, operator
from api.http.models import ResponseBody
from api.http.routing import api_router
from shared.payment.states import FINAL_STATES, State
from shared.storage.payments import queue
from shared.storage.payments.queue import NONE_OPEN, OpenCount
from shared.storage.terminals.lock_counts import held_counts

router = api_router("/v1/operator", caller=operator, tag="operator")

_RECENT_SECONDS: Final = 60


class OpenPayments(ResponseBody):
    """Payments in one state that is not final."""

    count: int
    oldest_seconds: float = Field(description="Since the oldest of them is in this state; 0 for none.")

    @classmethod
    def of(cls, count: OpenCount) -> "OpenPayments":
        """Return a stored count."""
        return cls(count=count.number, oldest_seconds=round(count.oldest_seconds, 1))


class BusyTerminals(ResponseBody):
    """Terminals that a payment or a probe has."""

    count: int
    overdue: int = Field(description="Had for a minute longer than a session and its doubt may last.")


class LastMinute(ResponseBody):
    """Payments that were accepted within the last minute."""

    accepted: int
    succeeded: int
    failed: int = Field(description="Ended without a charge.")


class Overview(ResponseBody):
    """The installation at this moment."""

    queued: OpenPayments
    in_session: OpenPayments
    in_doubt: OpenPayments
    busy_terminals: BusyTerminals
    last_minute: LastMinute


@router.get("/overview", summary="Return the installation at a glance", response_description="Now.")
async def get_overview(dependencies: Wired) -> Overview:
    """Return open payments by state, busy terminals, and the payments of the last minute."""
    database = dependencies.database
    open_payments = await queue.open_counts(database)
    held = await held_counts(database)
    recent = await queue.recent_counts(database, seconds=_RECENT_SECONDS)
    accepted, succeeded = sum(recent.values()), recent.get(State.SUCCEEDED, 0)
    ended = sum(number for state, number in recent.items() if state in FINAL_STATES)
    queued, in_session, in_doubt = (
        OpenPayments.of(open_payments.get(state, NONE_OPEN))
        for state in (State.QUEUED, State.IN_SESSION, State.IN_DOUBT)
    )
    return Overview(
        queued=queued,
        in_session=in_session,
        in_doubt=in_doubt,
        busy_terminals=BusyTerminals(count=sum(held.by_holder.values()), overdue=held.overdue),
        last_minute=LastMinute(accepted=accepted, succeeded=succeeded, failed=ended - succeeded),
    )
