"""Sends the demo's orders as a cash register does, and reads what every system recorded of them."""

import asyncio
import base64
import os
from dataclasses import dataclass
from typing import Any, Final

import httpx

from sandbox.run.cloud_api import CloudApi
from sandbox.run.installation import Running
from sandbox.tracing.steps import Step, System

Order = dict[str, Any]

BASKET: Final[list[dict[str, Any]]] = [
    {
        "product_reference": "CROISSANT",
        "name": "Croissant au beurre",
        "type": "good",
        "quantity": 10,
        "unit_price": 1.25,
        "tax_rate": 5.5,
        "discount": -1.0,
        "total_amount": 11.5,
    },
    {
        "product_reference": "FRAISIER",
        "name": "Fraisier, 8 parts",
        "type": "good",
        "quantity": 1,
        "unit_price": 31.0,
        "tax_rate": 5.5,
        "total_amount": 31.0,
    },
]
CUSTOMER: Final = {
    "customer_id": "C-1001",
    "email": "jane.doe@example.org",
    "first_name": "Jane",
    "last_name": "Doe",
}
CUSTOM_DATA: Final = {"shop": "Canal", "register": 3}
#: The merchant's contract and the payment application (CB, contact) that the terminal shall use.
CONTRACT: Final = {"merchant_contract": "1999403", "rank": "001", "payment_application": "001"}


def order(order_id: str, amount_cents: int, host: str, port: int, *, kind: str = "Debit") -> Order:
    """Return an order with the contract's mandatory fields; `kind` is Debit, Cancel or Credit."""
    return {
        "order": {
            "order_id": order_id,
            "transaction_type": kind,
            "price": {"amount": amount_cents, "currency": "EUR"},
        },
        "pos_technical_info": {
            "host_information": {"host": host, "port": port},
            "terminal_transaction_display": {"protocol": "ConcertV3.2", "contract_array": []},
        },
    }


def full_debit(order_id: str, amount_cents: int, host: str, port: int) -> Order:
    """Return a debit with basket, customer and custom data, for one of the merchant's contracts."""
    asked = order(order_id, amount_cents, host, port)
    asked["order"] |= {"basket": BASKET, "description": "Breakfast", "custom_data": CUSTOM_DATA}
    asked["customer"] = dict(CUSTOMER)
    asked["pos_technical_info"]["terminal_transaction_display"]["contract_array"] = [CONTRACT]
    return asked


Json = dict[str, Any]

#: The contract's words for an order's operation, and the API's.
_OPERATIONS: Final = {"Debit": "debit", "Cancel": "reversal", "Credit": "credit"}


@dataclass(frozen=True, slots=True)
class Call:
    """One order and its answer."""

    order: Order
    status: int
    body: Json

    @property
    def order_id(self) -> str:
        return str(self.order["order"]["order_id"])

    @property
    def payment(self) -> Json:
        """The payment object of the answer; empty where it has none."""
        found: Json = self.body.get("payment", {})
        return found

    @property
    def receipt(self) -> str:
        """The customer's receipt."""
        return base64.b64decode(self.body.get("receipt", "")).decode("utf-8")


@dataclass(frozen=True, slots=True)
class Recorded:
    """Everything that was recorded, by whom. Every list is the oldest first."""

    #: Of the API: the stored payments.
    payments: list[Json]
    #: Of HiPay: order notifications, and the Console's transactions with their sums.
    orders: list[Json]
    transactions: list[Json]
    totals: Json
    #: Of the merchant's server.
    webhooks: list[Json]
    #: Of the acquirer.
    collected: Json


class Desk:
    """One cash register in the running sandbox. Everything raises httpx.HTTPError."""

    def __init__(self, running: Running, http: httpx.AsyncClient) -> None:
        entry = running.entry
        self.running: Final = running
        self.calls: Final[list[Call]] = []
        self.api: Final = CloudApi(http, entry["api"], entry["username"], entry["password"])
        self._http: Final = http

    async def pay(self, order: Order) -> Call:
        """Send an order and wait for its answer; the trace gets both."""
        asked, trace = order["order"], self.running.trace
        operation, amount = _OPERATIONS[asked["transaction_type"]], asked["price"]["amount"]
        detail = {"order_id": asked["order_id"], "request_id": f"demo-{os.urandom(6).hex()}"}
        trace.record(
            System.REGISTER,
            System.CLOUD_API,
            Step.ORDER_SENT,
            **detail,
            operation=operation,
            amount_cents=amount,
        )
        answer = await self.api.order(order, request_id=detail["request_id"])
        call = Call(order, answer.status_code, answer.json())
        self.calls.append(call)
        trace.record(
            System.CLOUD_API,
            System.REGISTER,
            Step.RESULT_TO_REGISTER,
            call.payment.get("id"),
            **detail,
            status=call.status,
            payment_status=call.body.get("paymentStatus"),
            code=call.body.get("errorCode"),
            description=call.body.get("errorDescription"),
            replayed=call.payment.get("replayed", False),
            resolved_by=call.payment.get("resolved_by"),
            has_receipt=bool(call.body.get("receipt")),
        )
        return call

    async def payment_id(self, order: Order) -> str | None:
        """Return the id of the newest payment for an order."""
        asked = order["order"]
        found = await self.api.newest_payment(asked["order_id"], _OPERATIONS[asked["transaction_type"]])
        return None if found is None else str(found["id"])

    async def recorded(self) -> Recorded:
        """Return what API, HiPay, merchant and acquirer have recorded by now."""
        ids = list(dict.fromkeys(call.payment["id"] for call in self.calls))
        answers = await asyncio.gather(*map(self.api.payment, ids))
        console = await self._get("console", "/transactions")
        return Recorded(
            payments=[answer.raise_for_status().json()["payment"] for answer in answers],
            orders=[one for one in await self._get("console", "/received") if one["what"] == "order"],
            transactions=console["transactions"][::-1],
            totals=console["totals"],
            webhooks=await self._get("merchant", "/webhooks"),
            collected=await self._get("acquirer", "/collections"),
        )

    async def _get(self, system: str, path: str) -> Any:
        return (await self._http.get(self.running.entry[system] + path)).raise_for_status().json()
