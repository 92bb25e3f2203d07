"""Routes of merchants: equal charges, given responses, exports, totals."""

from dataclasses import replace

from fastapi.responses import Response

from api.http.dependencies import MerchantId, Wired, merchant
from api.http.errors import InvalidQuery, NotFound, or_not_found
from api.http.query import Page
from api.http.routing import api_router
from api.investigation.equal_charges import page_of_groups
from api.investigation.exports import RESPONSES as EXPORTED
from api.investigation.exports import Exported, Format, FormatParameter
from api.investigation.models import EqualChargesPage, GivenResponse, GivenResponses
from api.investigation.parameters import WITHIN_MINUTES, Search, WithinMinutes
from api.investigation.totals import RESPONSES as TOTALS
from api.investigation.totals import Asked, answer_totals
from api.openapi.components import error_responses
from api.payments.models import PaymentId
from shared.runtime.ids import is_payment_id
from shared.storage.investigation import responses
from shared.storage.payments import snapshots

router = api_router("/v1/payments", caller=merchant, tag="payments")
totals_router = api_router("/v1/totals", caller=merchant, tag="payments")


@router.get(
    "/charged-twice",
    summary="List charges of the same card, amount and terminal near each other",
    response_description="One page of groups.",
    responses=error_responses(InvalidQuery("card")),
)
async def list_own_equal_charges(
    dependencies: Wired,
    merchant_id: MerchantId,
    page: Page,
    wanted: Search,
    within_minutes: WithinMinutes = WITHIN_MINUTES,
) -> EqualChargesPage:
    """Return groups of debits that charged the same card with the same amount, or may have."""
    own = replace(wanted, merchant_id=merchant_id)
    return await page_of_groups(dependencies.database, own, page, within_minutes)


@router.get(
    "/export",
    response_class=Response,
    summary="Export payments as CSV or JSON lines, oldest first",
    responses={**error_responses(InvalidQuery("format")), **EXPORTED},
)
async def export_own_payments(
    dependencies: Wired, merchant_id: MerchantId, wanted: Exported, form: FormatParameter = Format.CSV
) -> Response:
    """Return every payment that fits, however many; a merchant has one export at a time."""
    own = replace(wanted, merchant_id=merchant_id)
    return dependencies.exports.answer(merchant_id, own, form)


@router.get(
    "/{payment_id}/responses",
    summary="Return the answers about a payment that were given, oldest first",
    response_description="The newest two hundred, the oldest of them first.",
    responses=error_responses(InvalidQuery("limit"), NotFound()),
)
async def list_given_responses(
    dependencies: Wired, merchant_id: MerchantId, payment_id: PaymentId
) -> GivenResponses:
    """Return who was told what and when. An answer is listed a second after it was given."""
    if not is_payment_id(payment_id):
        raise NotFound
    or_not_found(await snapshots.own_snapshot(dependencies.database, merchant_id, payment_id))
    given = await responses.of_payment(dependencies.database, payment_id)
    return GivenResponses(responses=[GivenResponse.of(each) for each in given])


@totals_router.get(
    "",
    response_class=Response,
    summary="Return totals by local day, terminal, application and operation",
    responses={**error_responses(InvalidQuery("from")), **TOTALS},
)
async def get_own_totals(dependencies: Wired, merchant_id: MerchantId, asked: Asked) -> Response:
    """Return counts and sums of the merchant's payments: done, open, contradicted."""
    return await answer_totals(dependencies.database, dependencies.settings, asked, merchant_id=merchant_id)
