"""Received bodies: the order notification and Preludd's push, validated, as values of the rules."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from sandbox.gateway.messages import Push as PushBody
from sandbox.hipay.rules.order_and_push import Contract, Kind, Operation, OrderNotice, Push
from shared.concert.echoes import find_reference

Text = Annotated[str, Field(min_length=1, max_length=256)]


class _Body(BaseModel):
    # It holds the POS's whole order, unknown fields included.
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Price(_Body):
    amount: Annotated[int, Field(ge=0, le=999_999_999_999)]
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "EUR"


class _Order(_Body):
    order_id: Text
    price: _Price


class _ContractEntry(_Body):
    merchant_contract: str | None = None
    rank: str | None = None


class _Display(_Body):
    contract_array: list[_ContractEntry] = []


class _PosTechnicalInfo(_Body):
    terminal_transaction_display: _Display = _Display()


class OrderNotification(_Body):
    """Version 1 of the order notification."""

    type: Literal["order"]
    id: Text
    reference: Annotated[str, Field(pattern="^pay_[0-9A-HJKMNP-TV-Z]{26}$")]
    merchant_id: Text
    operation: Operation
    attempt: Annotated[int, Field(ge=1)] = 1
    created_at: AwareDatetime
    order: _Order
    pos_technical_info: _PosTechnicalInfo = _PosTechnicalInfo()

    def notice(self, content: dict[str, Any]) -> OrderNotice:
        """Return the notification as the rules' value; `content` is the whole body."""
        contracts = self.pos_technical_info.terminal_transaction_display.contract_array
        return OrderNotice(
            reference=self.reference,
            merchant_id=self.merchant_id,
            order_id=self.order.order_id,
            operation=self.operation,
            amount_cents=self.order.price.amount,
            currency=self.order.price.currency,
            created_at_ms=_milliseconds(self.created_at),
            attempt=self.attempt,
            contracts=tuple(
                Contract(entry.merchant_contract, entry.rank)
                for entry in contracts
                if entry.merchant_contract
            ),
            content=content,
        )


def push_of(body: PushBody) -> Push:
    """Return Preludd's push as the rules' value."""
    return Push(
        record_id=body.record_id,
        kind=Kind(body.kind),
        operation=Operation(body.operation),
        amount_cents=body.amount_cents,
        currency=body.currency,
        approved=body.approved,
        code=body.code,
        reference=None if body.reference is None else find_reference(body.reference),
        authorisation_id=body.authorisation_id,
        transaction_id=body.transaction_id,
        at_ms=body.at_ms,
        contract=body.contract,
        rank=body.rank,
        application=body.application,
        authorisation_number=body.authorisation_number,
        masked_pan=body.card.pan,
        brand=body.card.brand,
        entry_mode=body.card.mode,
        aid=body.aid,
        serial=body.terminal.serial,
        pos_number=body.terminal.pos_number,
        address=body.terminal.address,
        receipt=body.receipt,
    )


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
