"""JSON resources beside the Console: transactions, operations, scripted faults, settings, reset."""

from dataclasses import replace
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict, Field

from sandbox.hipay import json_views
from sandbox.hipay.filters import Filters
from sandbox.hipay.platform import Platform
from sandbox.hipay.rules.ledger import NotAllowed
from sandbox.hipay.rules.statuses import Status
from sandbox.hipay.settings import Merchant
from sandbox.outbox.outbox import Faults


class HipayScript(BaseModel):
    """The body of `POST /script`: faults of deliveries to the merchant, and to the Cloud API."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    notifications: Faults = Faults()
    evidence: Faults = Faults()


class NotificationSettings(BaseModel):
    """The body of `POST /settings` and of its answer; a field that is left out stays."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: Statuses that the merchant is notified of; None: all, empty: none.
    statuses: tuple[Status, ...] | None = None
    sends_operation: bool = True
    sends_custom_data: bool = True

    @classmethod
    def of(cls, merchant: Merchant) -> Self:
        """Return the merchant's settings."""
        wanted = merchant.statuses
        return cls(
            statuses=None if wanted is None else tuple(Status(one) for one in sorted(wanted)),
            sends_operation=merchant.sends_operation,
            sends_custom_data=merchant.sends_custom_data,
        )

    def applied_to(self, merchant: Merchant) -> Merchant:
        """Return the merchant with the given fields."""
        changes: dict[str, Any] = {name: getattr(self, name) for name in self.model_fields_set}
        if changes.get("statuses") is not None:
            changes["statuses"] = frozenset(changes["statuses"])
        return replace(merchant, **changes)


class RefundRequest(BaseModel):
    """The body of a refund."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    amount_cents: Annotated[int, Field(gt=0, le=999_999_999_999)]


class Resources:
    """JSON operations on the platform."""

    def __init__(self, platform: Platform) -> None:
        self._platform: Final = platform

    async def transactions(self, filters: Annotated[Filters, Query()]) -> dict[str, Any]:
        """List transactions by the Console's filters, the newest first, with their sums."""
        listed = filters.apply(self._platform.ledger.transactions)
        return {
            "totals": json_views.totals(listed),
            "transactions": [json_views.transaction_json(one, ()) for one in listed],
        }

    async def transaction(self, reference: str) -> dict[str, Any]:
        """Return one transaction with its notifications."""
        transaction = self._platform.ledger.transactions.get(reference)
        if transaction is None:
            raise HTTPException(404, "No transaction has this reference.")
        return json_views.transaction_json(transaction, self._platform.notifications_of(reference))

    async def cancel(self, reference: str) -> dict[str, Any]:
        """Cancel an authorised transaction; 409 where its status does not allow it."""
        await self.transaction(reference)
        try:
            self._platform.cancel(reference)
        except NotAllowed as error:
            raise HTTPException(409, str(error)) from error
        return await self.transaction(reference)

    async def refund(self, reference: str, body: RefundRequest) -> dict[str, Any]:
        """Refund a captured transaction, wholly or in part; 409 where that is not allowed."""
        await self.transaction(reference)
        try:
            self._platform.refund(reference, body.amount_cents)
        except NotAllowed as error:
            raise HTTPException(409, str(error)) from error
        return await self.transaction(reference)

    async def waiting(self) -> dict[str, Any]:
        """Return pushes without an order, with the reason, and orders without a push."""
        ledger = self._platform.ledger
        return {
            "pushes": [json_views.waiting_push_json(one) for one in ledger.waiting_pushes()],
            "orders": [json_views.waiting_order_json(one) for one in ledger.waiting_orders()],
        }

    async def received(self) -> list[dict[str, Any]]:
        """Return the received messages, repeats too, the oldest first."""
        return list(self._platform.received)

    async def notifications(self) -> list[dict[str, Any]]:
        """Return the merchant's notifications with their attempts."""
        return [json_views.notification_json(message) for message in self._platform.notifications.messages]

    async def evidence(self) -> list[dict[str, Any]]:
        """Return the reports to the Cloud API with their attempts."""
        return [json_views.evidence_json(message) for message in self._platform.evidence.messages]

    async def script(self, wanted: HipayScript) -> HipayScript:
        """Apply faults to deliveries from now on."""
        self._platform.notifications.script(wanted.notifications)
        self._platform.evidence.script(wanted.evidence)
        return wanted

    async def settings(self) -> NotificationSettings:
        """Return the merchant's notification settings."""
        return NotificationSettings.of(self._platform.merchant)

    async def change_settings(self, wanted: NotificationSettings) -> NotificationSettings:
        """Change the notification settings, for status changes from now on."""
        self._platform.set_merchant(wanted.applied_to(self._platform.merchant))
        return await self.settings()

    async def reset(self) -> dict[str, bool]:
        """Forget everything."""
        await self._platform.reset()
        return {"reset": True}


def resource_routes(platform: Platform) -> APIRouter:
    """Return the JSON routes."""
    resources = Resources(platform)
    router = APIRouter()
    router.get("/transactions")(resources.transactions)
    router.get("/transactions/{reference}")(resources.transaction)
    router.post("/transactions/{reference}/cancel")(resources.cancel)
    router.post("/transactions/{reference}/refund")(resources.refund)
    router.get("/waiting")(resources.waiting)
    router.get("/received")(resources.received)
    router.get("/notifications")(resources.notifications)
    router.get("/evidence")(resources.evidence)
    router.get("/settings")(resources.settings)
    router.post("/settings")(resources.change_settings)
    router.post("/script")(resources.script)
    router.post("/reset")(resources.reset)
    return router
