"""Everything that is stored about one payment, gathered for an operator."""

from collections.abc import Sequence
from typing import Any, Final

from api.http.models import known
from api.investigation.models import EqualCharges, GivenResponse
from api.investigation.parameters import WITHIN_MINUTES
from api.operator.models import Case, Facts
from api.payments.history import event_object
from api.payments.models import HistoryEvent
from api.webhooks.deliveries import attempts_of
from api.webhooks.delivery_models import AnyDeliveryWithAttempts
from shared.storage.db.engine import Database
from shared.storage.investigation import equal_charges, responses
from shared.storage.payments import listing
from shared.storage.webhooks import delivery_list
from shared.storage.webhooks.delivery_list import DeliveryFilter

#: Deliveries of a payment that are shown: one an event and endpoint.
_DELIVERIES_AT_MOST: Final = 100


async def facts_of(database: Database, case: Case, *, receipt: str | None) -> Facts:
    """Return the case with history, fields, deliveries, responses and equal charges.

    Raises DatabaseUnavailable.
    """
    payment_id = case.payment.id
    events = [event_object(event, for_merchant=False) for event in await listing.events(database, payment_id)]
    given = await responses.of_payment(database, payment_id)
    near = await equal_charges.near(database, payment_id, within_ms=WITHIN_MINUTES * 60_000)
    return Facts(
        **{name: getattr(case, name) for name in case.model_fields_set},
        **known(receipt=receipt, sent=_last(events, "sent"), answered=_last(events, "answer")),
        events=events,
        responses=[GivenResponse.of(each) for each in given],
        deliveries=await _deliveries(database, payment_id),
        equal_charges=EqualCharges.of(near),
    )


def _last(events: Sequence[HistoryEvent], name: str) -> dict[str, Any] | None:
    """Return the fields of the last event that has them; an evidence's are not the session's own."""
    found = [event.detail[name] for event in events if event.event != "evidence" and name in event.detail]
    return found[-1] if found else None


async def _deliveries(database: Database, payment_id: str) -> list[AnyDeliveryWithAttempts]:
    wanted = DeliveryFilter(payment_id=payment_id)
    page = await delivery_list.page(database, wanted, after=None, limit=_DELIVERIES_AT_MOST)
    return [
        AnyDeliveryWithAttempts.of(delivery, attempts=await attempts_of(database, delivery.id))
        for delivery in page.deliveries
    ]
