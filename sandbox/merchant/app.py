"""The merchant's server as an application: two receivers, a page, JSON."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.merchant.server import AnswerScript, MerchantServer, Received
from sandbox.pages.app import new_app
from sandbox.pages.problems import show_problems
from sandbox.pages.render import NavLink, Pages
from sandbox.tracing.trace import Trace, trace_routes
from shared.runtime.clock import Clock

BODY_LIMIT_BYTES: Final = 1_048_576
#: Messages on the page; all are in the JSON.
SHOWN: Final = 100
#: Answers of the form, with what the sender makes of them.
REFUSALS: Final = {
    500: "server error: it retries",
    503: "unavailable: it retries",
    404: "not found: it retries",
    410: "gone: webhooks end",
}


class Secret(BaseModel):
    """The body of `POST /secrets`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: str = Field(pattern="^whsec_[A-Za-z0-9+/=_-]{1,200}$")


class MerchantRoutes:
    """HTTP routes of the server."""

    def __init__(self, server: MerchantServer, pages: Pages) -> None:
        self._server: Final = server
        self._pages: Final = pages

    async def notification(self, request: Request) -> JSONResponse:
        """Receive a notification of HiPay's; 403 for a wrong signature."""
        return _answer(self._server.take_notification(await _body(request), request.headers))

    async def webhook(self, request: Request) -> JSONResponse:
        """Receive a webhook of the Cloud API's; 403 for a wrong signature."""
        return _answer(self._server.take_webhook(await _body(request), request.headers))

    async def notifications(self) -> list[dict[str, Any]]:
        """Return HiPay's notifications, the oldest first, repeats and refused ones too."""
        return [received.to_json() for received in self._server.notifications.received]

    async def webhooks(self) -> list[dict[str, Any]]:
        """Return the webhooks, the oldest first, repeats and refused ones too."""
        return [received.to_json() for received in self._server.webhooks.received]

    async def secrets(self, secret: Secret) -> dict[str, bool]:
        """Accept webhooks signed with this secret, too."""
        self._server.trust(secret.secret)
        return {"trusted": True}

    async def script(self, wanted: AnswerScript) -> AnswerScript:
        """Refuse the next messages, as the script says."""
        self._server.answers.script(wanted)
        return wanted

    async def fail(self, request: Request) -> RedirectResponse:
        """Refuse the next messages as the page's form says; an invalid form changes nothing."""
        form = dict(parse_qsl((await _body(request)).decode("utf-8", "replace")))
        with suppress(ValidationError):
            self._server.answers.script(AnswerScript.model_validate(form))
        return RedirectResponse("/", 303)

    async def reset(self) -> dict[str, bool]:
        """Forget all messages and scripts; secrets stay."""
        self._server.reset()
        return {"reset": True}

    async def page(self) -> HTMLResponse:
        """Show the messages, the newest first."""
        notifications = self._server.notifications.received
        webhooks = self._server.webhooks.received
        return self._pages.page(
            "received.html",
            notifications=list(reversed(notifications))[:SHOWN],
            webhooks=list(reversed(webhooks))[:SHOWN],
            notification_count=len(notifications),
            webhook_count=len(webhooks),
            refusals=self._server.answers.left,
            statuses=REFUSALS,
        )


def make_app(
    *,
    passphrase: str,
    webhook_secrets: Sequence[str] = (),
    clock: Clock,
    trace: Trace,
    navigation: Sequence[NavLink] = (),
) -> FastAPI:
    """Return the merchant's application.

    passphrase: of HiPay's signature. webhook_secrets: `whsec_...`; more by `POST /secrets`.
    """
    server = MerchantServer(passphrase, webhook_secrets, clock, trace)
    pages = Pages(
        "sandbox.merchant",
        system="Merchant",
        subtitle="The merchant's server",
        navigation=navigation,
        trace=trace,
    )
    routes = MerchantRoutes(server, pages)
    app = new_app("Merchant")
    show_problems(app, pages)
    app.get("/", response_class=HTMLResponse, include_in_schema=False)(routes.page)
    app.post("/hipay/notifications")(routes.notification)
    app.get("/hipay/notifications")(routes.notifications)
    app.post("/webhooks")(routes.webhook)
    app.get("/webhooks")(routes.webhooks)
    app.post("/secrets")(routes.secrets)
    app.post("/script")(routes.script)
    app.post("/fail", include_in_schema=False)(routes.fail)
    app.post("/reset")(routes.reset)
    app.include_router(trace_routes(trace))
    return app


async def _body(request: Request) -> bytes:
    body = await request.body()
    if len(body) > BODY_LIMIT_BYTES:
        raise HTTPException(413, "The message is too large.")
    return body


def _answer(received: Received) -> JSONResponse:
    body = {"taken": received.is_taken, "repeat": received.is_repeat, "because": received.because}
    return JSONResponse(body, received.status)
