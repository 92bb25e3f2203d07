"""The operator's word on a merchant's wish to have a terminal's address alone."""

from typing import Final

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.http.dependencies import Dependencies
from api.http.responses import answer

router = APIRouter()

_log = structlog.get_logger()

_PATH: Final = "/v1/operator/merchants/{merchant_id}/terminals/{terminal_id}/sole-use"


@router.put(_PATH, include_in_schema=False)
async def confirm(request: Request, merchant_id: str, terminal_id: str) -> Response:
    """From now on other merchants' payments to this address are refused."""
    parts: Dependencies = request.app.state.dependencies
    credential = await parts.credentials.operator(request.headers.get("authorization"))
    await parts.registry.confirm_sole_use(merchant_id, terminal_id, by=credential.id)
    _log.info("sole use confirmed", merchant_id=merchant_id, terminal_id=terminal_id, by=credential.id)
    return answer(200, {"merchant_id": merchant_id, "terminal_id": terminal_id, "sole_use": "confirmed"})


@router.delete(_PATH, include_in_schema=False)
async def withdraw(request: Request, merchant_id: str, terminal_id: str) -> Response:
    """The address is anybody's again."""
    parts: Dependencies = request.app.state.dependencies
    credential = await parts.credentials.operator(request.headers.get("authorization"))
    await parts.registry.withdraw_sole_use(merchant_id, terminal_id, by=credential.id)
    _log.info("sole use withdrawn", merchant_id=merchant_id, terminal_id=terminal_id, by=credential.id)
    return Response(status_code=204)
