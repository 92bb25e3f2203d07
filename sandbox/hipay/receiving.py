"""Receivers of order notifications and of Preludd's pushes."""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, HTTPException, Request
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from sandbox.gateway.messages import Push
from sandbox.hipay.bodies import OrderNotification
from sandbox.hipay.platform import Platform
from sandbox.hipay.settings import OrderSource

#: Larger notifications are refused.
ORDER_LIMIT_BYTES: Final = 1_048_576


def receiving_routes(platform: Platform, orders_from: OrderSource) -> APIRouter:
    """Return the routes that other systems post to; 2xx acknowledges, a repeat too."""
    router = APIRouter()

    @router.post("/orders")
    async def order(request: Request) -> dict[str, bool]:
        """Receive an order notification with Standard Webhooks' signature and HTTP Basic; drop repeats."""
        body = await request.body()
        if len(body) > ORDER_LIMIT_BYTES:
            raise HTTPException(413, "The notification is too large.")
        try:
            message_id = check_sender(orders_from, request.headers, body)
        except NotTheSender as error:
            raise HTTPException(401, str(error)) from error
        try:
            content: Any = json.loads(body)
            notification = OrderNotification.model_validate(content)
        except (ValueError, RecursionError) as error:
            problem = error.errors(include_url=False) if isinstance(error, ValidationError) else str(error)
            raise HTTPException(400, f"Not an order notification: {problem}") from error
        return {"received": True, "new": platform.take_order(notification, content, message_id)}

    @router.post("/preludd/authorisations")
    async def authorisation(push: Push) -> dict[str, bool]:
        """Receive an answered authorisation or a completion."""
        if push.kind == "collection":
            raise HTTPException(422, "Collections go to /preludd/collections.")
        return {"received": True, "new": platform.take_push(push)}

    @router.post("/preludd/collections")
    async def collection(push: Push) -> dict[str, bool]:
        """Receive a collected transaction."""
        if push.kind != "collection":
            raise HTTPException(422, "Only collections come here.")
        return {"received": True, "new": platform.take_push(push)}

    return router


class NotTheSender(Exception):
    """Raised for wrong credentials or a wrong signature; the message says which."""


def check_sender(source: OrderSource, headers: Mapping[str, str], body: bytes) -> str:
    """Authenticate a notification and return its webhook-id. Raises NotTheSender."""
    if not _is_basic(headers.get("authorization", ""), source):
        raise NotTheSender("Wrong credentials.")
    try:
        Webhook(source.secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as error:
        raise NotTheSender(f"Wrong signature: {error}") from error
    return headers["webhook-id"]


def _is_basic(authorization: str, source: OrderSource) -> bool:
    scheme, _, text = authorization.partition(" ")
    try:
        credentials = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        return False
    expected = f"{source.username}:{source.password}".encode()
    return scheme.lower() == "basic" and hmac.compare_digest(credentials, expected)
