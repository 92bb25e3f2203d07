"""Orders that a point of sale sends."""

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Final

from cloud_terminal_client.models import Operation

#: Names of the operations in requests.
_TRANSACTION_TYPES: Final = {
    Operation.DEBIT: "Debit",
    Operation.REVERSAL: "Cancel",
    Operation.CREDIT: "Credit",
}


@dataclass(frozen=True, slots=True)
class TerminalAddress:
    """Host name or IP address of a terminal, and its TCP port."""

    host: str
    port: int = 8888


@dataclass(frozen=True, slots=True)
class Order:
    """One sale: the number, the sum and the terminal."""

    order_id: str
    #: In cents: 1250 is 12.50 euros.
    amount_cents: int
    #: A registered terminal's id, or an address.
    terminal: str | TerminalAddress
    _: KW_ONLY
    currency: str = "EUR"
    description: str | None = None
    custom_data: Mapping[str, Any] | None = None
    #: Ask the bank whatever the terminal's own threshold is.
    force_authorization: bool = False
    #: ConcertV3.1 or ConcertV3.2; None leaves it to the API.
    protocol: str | None = None
    #: More members of `order`, such as `basket` or `webhook_endpoint_id`.
    more: Mapping[str, Any] = field(default_factory=dict)

    def body(self, operation: Operation) -> dict[str, Any]:
        """Return the request's body."""
        order: dict[str, Any] = {
            **self.more,
            "order_id": self.order_id,
            "transaction_type": _TRANSACTION_TYPES[operation],
            "price": {"amount": self.amount_cents, "currency": self.currency},
        }
        if self.description is not None:
            order["description"] = self.description
        if self.custom_data is not None:
            order["custom_data"] = dict(self.custom_data)
        display: dict[str, Any] = {"contract_array": []}
        if self.force_authorization:
            display["force_authorization"] = True
        if self.protocol is not None:
            display["protocol"] = self.protocol
        return {
            "order": order,
            "pos_technical_info": {**self._terminal, "terminal_transaction_display": display},
        }

    @property
    def _terminal(self) -> dict[str, Any]:
        if isinstance(self.terminal, str):
            return {"terminal_id": self.terminal}
        return {"host_information": {"host": self.terminal.host, "port": self.terminal.port}}
