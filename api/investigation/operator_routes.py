"""Routes of operators over all merchants: search, equal charges, exports, totals."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query
from fastapi.responses import Response

from api.http.dependencies import Operator, Wired, operator
from api.http.errors import InvalidQuery
from api.http.models import known
from api.http.query import Page, Text, cursor
from api.http.routing import api_router
from api.investigation.equal_charges import page_of_groups
from api.investigation.exports import RESPONSES as EXPORTED
from api.investigation.exports import Exported, Format, FormatParameter
from api.investigation.models import EqualChargesPage, FoundPayment, FoundPaymentPage
from api.investigation.parameters import PAGE_DESCRIPTION, WITHIN_MINUTES, Search, WithinMinutes
from api.investigation.totals import RESPONSES as TOTALS
from api.investigation.totals import Asked, answer_totals
from api.openapi.components import error_responses
from shared.storage.investigation import search

router = api_router("/v1/operator/payments", caller=operator, tag="operator")
totals_router = api_router("/v1/operator/totals", caller=operator, tag="operator")

_Merchant = Annotated[Text, Query(description="Of this merchant only.")]


@router.get(
    "",
    summary="Search payments of all merchants, newest first",
    response_description=PAGE_DESCRIPTION,
    responses=error_responses(InvalidQuery("card")),
)
async def search_payments(
    dependencies: Wired, page: Page, wanted: Search, merchant: _Merchant = None
) -> FoundPaymentPage:
    """Return the payments that fit every given parameter, page by page."""
    found = await search.payments(
        dependencies.database, replace(wanted, merchant_id=merchant), after=page.after, limit=page.limit
    )
    return FoundPaymentPage(
        payments=[FoundPayment.of(each) for each in found.payments], **known(next=cursor(found.next))
    )


# Before the route of one payment: this is none.
@router.get(
    "/charged-twice",
    summary="List charges of the same card, amount and terminal near each other",
    response_description="One page of groups.",
    responses=error_responses(InvalidQuery("card")),
)
async def list_equal_charges(
    dependencies: Wired,
    page: Page,
    wanted: Search,
    merchant: _Merchant = None,
    within_minutes: WithinMinutes = WITHIN_MINUTES,
) -> EqualChargesPage:
    """Return groups of debits that charged the same card with the same amount, or may have."""
    every = replace(wanted, merchant_id=merchant)
    return await page_of_groups(dependencies.database, every, page, within_minutes)


@router.get(
    "/export",
    response_class=Response,
    summary="Export payments of all merchants as CSV or JSON lines, oldest first",
    responses={**error_responses(InvalidQuery("format")), **EXPORTED},
)
async def export_payments(
    dependencies: Wired,
    operator: Operator,
    wanted: Exported,
    merchant: _Merchant = None,
    form: FormatParameter = Format.CSV,
) -> Response:
    """Return every payment that fits, however many; an operator has one export at a time."""
    return dependencies.exports.answer(operator.id, replace(wanted, merchant_id=merchant), form)


@totals_router.get(
    "",
    response_class=Response,
    summary="Return totals of all merchants by local day, terminal, application and operation",
    responses={**error_responses(InvalidQuery("from")), **TOTALS},
)
async def get_totals(dependencies: Wired, asked: Asked, merchant: _Merchant = None) -> Response:
    """Return counts and sums of payments: done, open, contradicted."""
    return await answer_totals(dependencies.database, dependencies.settings, asked, merchant_id=merchant)
