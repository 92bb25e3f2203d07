"""Records of gateways about payments: read, masked at once, stored as evidence."""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import structlog
from pydantic import Field

from api.http.dependencies import Gateway, Wired, gateway
from api.http.errors import InvalidRequest, NotFound
from api.http.json_text import write_json
from api.http.models import NOT_NUL, WHOLE, Omittable, RequestBody, ResponseBody, known
from api.http.routing import api_router
from api.openapi.components import BODY_ERRORS, error_responses
from api.operator.models import MAXIMUM_AMOUNT_CENTS
from api.payments.errors import RecordConflict
from shared.concert.echoes import find_reference
from shared.concert.mask import mask_card, mask_card_numbers
from shared.payment.gateway import GatewayRecord, interpret
from shared.payment.states import State
from shared.runtime.ids import is_payment_id
from shared.runtime.logging import bound
from shared.storage.payments import gateway_records, snapshots
from shared.storage.payments.gateway_records import Record, RecordUsed

router = api_router("/v1/gateway", caller=gateway, tag="gateway")

_log = structlog.get_logger()

_ONE_NAME: dict[str, Any] = {
    "oneOf": [
        {"required": ["reference"], "properties": {"payment_id": False}},
        {"required": ["payment_id"], "properties": {"reference": False}},
    ]
}


class GatewayReport(RequestBody, extra="ignore", json_schema_extra=_ONE_NAME):
    """One record of a gateway. It names its payment by `reference`, which the record itself carries, or by
    `payment_id`, where the sender joined it to the payment in another way (amount and time, say); exactly
    one of them."""

    source: str = Field(
        min_length=1,
        max_length=64,
        pattern="^[A-Za-z0-9._-]*$",
        description="The gateway's name.",
        examples=["preludd"],
    )
    record_id: str = Field(
        min_length=1,
        max_length=128,
        pattern="^[!-~]*$",
        description="The gateway's own id of this record. A record is taken once, however often it is "
        "reported; a "
        "later status of the same transaction is a record of its own.",
        examples=["2026-03-05/000123/completed"],
    )
    reference: Omittable[Annotated[str, Field(min_length=1, max_length=128, pattern=NOT_NUL)]] = Field(
        None,
        description="Our payment's id as the record itself carries it; other text may surround it.",
        examples=["pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"],
    )
    payment_id: Omittable[Annotated[str, Field(min_length=1, max_length=64, pattern=NOT_NUL)]] = Field(
        None, description="The payment that the sender joined the record to. Such a record is a hint."
    )
    status: Literal[
        "authorised", "refused", "cancelled", "reversed", "expired", "error", "completed", "collected"
    ] = Field(
        description="What became of the transaction. Only `completed` and `collected`, in a record that "
        "carries "
        "our reference with the payment's amount and currency, prove a success; an authorisation alone,"
        " granted or "
        "refused, proves nothing.",
        examples=["completed"],
    )
    amount: Annotated[int, Field(ge=0, le=MAXIMUM_AMOUNT_CENTS), WHOLE] = Field(
        description="Amount in cents.", examples=[100]
    )
    currency: str = Field(pattern="^[A-Z]{3}$", description="ISO 4217 code.", examples=["EUR"])
    authorisation_number: Omittable[Annotated[str, Field(max_length=16, pattern="^[!-~]*$")]] = Field(
        None, description="Number of the authorisation.", examples=["184117"]
    )
    masked_card: Omittable[Annotated[str, Field(max_length=64, pattern=NOT_NUL)]] = Field(
        None,
        description="Card number. All but its first 6 and last 4 digits are masked at once.",
        examples=["497010******0003"],
    )
    occurred_at: Omittable[
        Annotated[
            str,
            Field(
                max_length=35,
                pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{5,15}(Z|[+-][0-9]{2}:[0-9]{2})$",
            ),
        ]
    ] = Field(
        None,
        description="When it happened, ISO 8601 with its offset.",
        examples=["2026-03-05T12:06:58.123Z"],
    )


@dataclass(frozen=True, slots=True)
class MaskedReport:
    """A report without card data. `payment_id` is None where the reference is none of ours."""

    payment_id: str | None
    source: str
    #: The record's key in the database; a hash, since a gateway's ids may look like anything.
    record_key: str
    record: GatewayRecord

    @property
    def content(self) -> str:
        """The record as text, the same for the same report."""
        return write_json(self.record.to_json())

    @classmethod
    def of(cls, report: GatewayReport) -> Self:
        """Mask a report; raise InvalidRequest where it does not name its payment in exactly one way."""
        if report.reference is not None and report.payment_id is not None:
            raise InvalidRequest(
                "not",
                "should NOT be valid",
                "payment_id",
                "reference and payment_id exclude each other: either the record carries our reference or not",
            )
        if report.reference is None and report.payment_id is None:
            raise InvalidRequest("required", "should have required property 'reference'", "reference")
        number, card = report.authorisation_number, report.masked_card
        return cls(
            payment_id=report.payment_id if report.reference is None else find_reference(report.reference),
            source=report.source,
            record_key=hashlib.sha256(report.record_id.encode()).hexdigest(),
            record=GatewayRecord(
                source=mask_card_numbers(report.source),
                record_id=mask_card_numbers(report.record_id),
                carries_reference=report.reference is not None,
                status=report.status,
                amount_cents=report.amount,
                currency=report.currency,
                authorisation_number=None if number is None else mask_card_numbers(number),
                masked_card=None if card is None else mask_card(card),
                occurred_at=report.occurred_at,
            ),
        )


class ReportedPayment(ResponseBody):
    """The payment that a record is about."""

    id: str
    state: State


class GatewayEvidence(ResponseBody):
    """The evidence that a record is."""

    is_proof: bool
    is_new: bool = Field(description="False: it was reported before.")
    because: Omittable[Literal["joined", "status", "currency", "amount"]] = Field(
        None, description="Why it is a hint."
    )


class GatewayVerdict(ResponseBody):
    """The payment after a record, and what the record proves."""

    payment: ReportedPayment
    evidence: GatewayEvidence


@router.post(
    "/evidence",
    summary="Report what a gateway knows of a payment",
    response_description="Taken, now or before.",
    responses=error_responses(*BODY_ERRORS, NotFound(), RecordConflict()),
)
async def report_evidence(dependencies: Wired, gateway: Gateway, report: GatewayReport) -> GatewayVerdict:
    """Take a record once, by `source` and `record_id`; reporting it again is safe. A proof settles a doubt, a
    hint is kept for the operator."""
    masked = MaskedReport.of(report)
    payment = None
    if masked.payment_id is not None and is_payment_id(masked.payment_id):
        payment = await snapshots.payment(dependencies.database, masked.payment_id)
    if payment is None:
        raise NotFound("There is no payment of this reference.")
    evidence, result = interpret(masked.record, payment)
    with bound(payment_id=payment.id):
        try:
            taken = await gateway_records.store(
                dependencies.database,
                Record(masked.source, masked.record_key, payment.id, masked.content),
                evidence,
                result,
                brought_by=gateway.id,
            )
        except RecordUsed:
            raise RecordConflict from None
        _log.info("gateway record taken", status=report.status, proves=evidence.proves, new=taken.is_new)
        await dependencies.changes.evidence_stored(taken.before, taken.payment)
    return GatewayVerdict(
        payment=ReportedPayment(id=taken.payment.id, state=taken.payment.state),
        evidence=GatewayEvidence(
            **known(
                is_proof=evidence.proves is not None,
                is_new=taken.is_new,
                because=evidence.detail.get("hint_because"),
            )
        ),
    )
