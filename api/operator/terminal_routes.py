"""The operator's decision on a merchant's request to have a terminal's address alone."""

from typing import Annotated, Literal

import structlog
from fastapi import Path

from api.http.dependencies import Operator, Wired, administrator
from api.http.errors import NotFound
from api.http.models import ResponseBody
from api.http.routing import api_router
from api.openapi.components import error_responses
from api.operator.acting import actor_of
from api.terminals.errors import TerminalTaken

router = api_router(
    "/v1/operator/merchants/{merchant_id}/terminals/{terminal_id}/sole-use",
    caller=administrator,
    tag="operator",
)

_log = structlog.get_logger()

MerchantId = Annotated[str, Path(description="The merchant's id.")]
TerminalId = Annotated[str, Path(description="The terminal's id, as the merchant registered it.")]


class SoleUse(ResponseBody):
    """The confirmed sole use of a terminal's address."""

    merchant_id: str
    terminal_id: str
    sole_use: Literal["confirmed"]


@router.put(
    "",
    summary="Confirm that a terminal's address is this merchant's alone",
    response_description="Others' payments are refused.",
    responses=error_responses(NotFound(), TerminalTaken()),
)
async def confirm_sole_use(
    dependencies: Wired, operator: Operator, merchant_id: MerchantId, terminal_id: TerminalId
) -> SoleUse:
    """Refuse other merchants' payments to this address from now on."""
    await dependencies.registry.confirm_sole_use(merchant_id, terminal_id, actor=actor_of(operator))
    _log.info("sole use confirmed", merchant_id=merchant_id, terminal_id=terminal_id, by=operator.id)
    return SoleUse(merchant_id=merchant_id, terminal_id=terminal_id, sole_use="confirmed")


@router.delete(
    "",
    status_code=204,
    summary="Let other merchants use a terminal's address again",
    response_description="Any merchant may use it.",
    responses=error_responses(NotFound()),
)
async def withdraw_sole_use(
    dependencies: Wired, operator: Operator, merchant_id: MerchantId, terminal_id: TerminalId
) -> None:
    """Accept other merchants' payments to this address again."""
    await dependencies.registry.withdraw_sole_use(merchant_id, terminal_id, actor=actor_of(operator))
    _log.info("sole use withdrawn", merchant_id=merchant_id, terminal_id=terminal_id, by=operator.id)
