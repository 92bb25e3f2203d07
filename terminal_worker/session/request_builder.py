"""The request of one payment: its profile, fields and bytes."""

import json
from dataclasses import dataclass
from typing import Any

from shared.concert.encode import OperationRequest, encode_operation, operation_fields, sole_application
from shared.concert.profile import Profile, terminal_time_of
from shared.settings.settings import Settings
from shared.storage.payments.claims import Claimed


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """A payment's request in the codec's terms and as bytes; `sent` are its fields by tag."""

    request: OperationRequest
    profile: Profile
    data: bytes
    sent: dict[str, str]


def prepare_request(claimed: Claimed, settings: Settings) -> PreparedRequest:
    """Return the request of a claimed payment. Raises the codec's errors for values that it cannot carry."""
    payment = claimed.payment
    profile = Profile.from_dict(json.loads(claimed.profile))
    order: dict[str, Any] = json.loads(payment.request)
    customer = order.get("customer", {})
    display = order["pos_technical_info"]["terminal_transaction_display"]
    application, contract = sole_application(display["contract_array"])
    request = OperationRequest(
        operation=payment.operation,
        protocol=payment.protocol,
        amount_cents=payment.amount_cents,
        software_id=settings.software_id,
        reference=payment.id,
        pos_number=claimed.pos_number,
        force_authorization=payment.force_authorization,
        application=application,
        contract=contract,
        phone=customer.get("phone"),
        email=customer.get("email"),
    )
    sent = dict(operation_fields(request, profile))
    return PreparedRequest(request, profile, encode_operation(request, profile), sent)


def doubt_window_of(claimed: Claimed, settings: Settings) -> float:
    """Return the doubt window of a payment's terminal, seconds from the claim."""
    return settings.doubt_window_for(terminal_time_of(claimed.profile))
