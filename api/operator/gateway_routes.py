"""What gateways report of payments."""

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.http.body import read_body
from api.http.dependencies import Parts
from api.http.errors import NotFound, RecordConflict
from api.http.media_type import check_media_type
from api.http.responses import answer
from api.operator.gateway_report import parse_report
from shared.payment.gateway import interpret
from shared.runtime.ids import is_payment_id
from shared.runtime.logging import bound
from shared.storage.payments import gateway_records, waiting
from shared.storage.payments.gateway_records import Record, RecordUsed

router = APIRouter(prefix="/v1/gateway", include_in_schema=False)

_log = structlog.get_logger()


@router.post("/evidence")
async def report(request: Request) -> Response:
    """Take one record of a gateway, once: a proof settles a doubt, a hint is kept for the operator."""
    parts: Parts = request.app.state.parts
    credential = await parts.credentials.gateway(request.headers.get("authorization"))
    body = await read_body(request)
    check_media_type(request.headers.get("content-type"))
    said = await parts.large_work.run(len(body), parse_report, body, parts.settings.body_nesting_limit)
    payment_id = said.payment_id
    payment = None
    if payment_id is not None and is_payment_id(payment_id):
        payment = await waiting.payment(parts.database, payment_id)
    if payment is None:
        raise NotFound("There is no payment of this reference.")
    evidence, result = interpret(said.record, payment)
    with bound(payment_id=payment.id):
        try:
            taken = await gateway_records.take(
                parts.database,
                Record(said.source, said.record_key, payment.id, said.content),
                evidence,
                result,
                brought_by=credential.id,
            )
        except RecordUsed:
            raise RecordConflict from None
        _log.info("gateway record taken", status=said.record.status, proves=evidence.proves, new=taken.is_new)
        await parts.changes.evidence_stored(taken.before, taken.payment)
    shown = {"id": taken.payment.id, "state": taken.payment.state.value}
    verdict = {"is_proof": evidence.proves is not None, "is_new": taken.is_new}
    because = evidence.detail.get("hint_because")
    return answer(
        200, {"payment": shown, "evidence": verdict if because is None else {**verdict, "because": because}}
    )
