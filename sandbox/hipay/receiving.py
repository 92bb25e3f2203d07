"""The ways in: our order notifications, Preludd's pushes."""

import json
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from pydantic import ValidationError

from sandbox.gateway.messages import Push
from sandbox.hipay.bodies import OrderNotification
from sandbox.hipay.platform import Platform
from sandbox.hipay.senders import NotTheSender, check_sender
from sandbox.hipay.settings import OrderSource

#: Larger notifications are refused.
ORDER_LIMIT_BYTES: Final = 1_048_576


def receiving_routes(platform: Platform, orders_from: OrderSource) -> APIRouter:
    """Return the routes that systems push to; 2xx acknowledges, a repeat too."""
    router = APIRouter()

    @router.post("/orders")
    async def order(request: Request) -> dict[str, bool]:
        """Take an order notification: Standard Webhooks' signature and HTTP Basic, repeats are dropped."""
        body = await request.body()
        if len(body) > ORDER_LIMIT_BYTES:
            raise HTTPException(413, "The notification is too large.")
        try:
            message_id = check_sender(orders_from, request.headers, body)
        except NotTheSender as error:
            raise HTTPException(401, str(error)) from error
        try:
            content: Any = json.loads(body)
            said = OrderNotification.model_validate(content)
        except (ValueError, RecursionError) as error:
            problem = error.errors(include_url=False) if isinstance(error, ValidationError) else str(error)
            raise HTTPException(400, f"Not an order notification: {problem}") from error
        return {"received": True, "new": platform.take_order(said, content, message_id)}

    @router.post("/preludd/authorisations")
    async def authorisation(push: Push) -> dict[str, bool]:
        """Take what the issuer said of a payment, or that the terminal completed it."""
        if push.kind == "collection":
            raise HTTPException(422, "Collections go to /preludd/collections.")
        return {"received": True, "new": platform.take_push(push)}

    @router.post("/preludd/collections")
    async def collection(push: Push) -> dict[str, bool]:
        """Take a collected transaction."""
        if push.kind != "collection":
            raise HTTPException(422, "Only collections come here.")
        return {"received": True, "new": platform.take_push(push)}

    return router
