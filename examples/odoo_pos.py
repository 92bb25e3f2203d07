"""A terminal in Odoo's point of sale: the calls behind a payment line, without Odoo.

Odoo's browser calls its server, and only the server has the credential. A payment method of yours subclasses
`pos.payment.method` and hands the two calls on:

    class PosPaymentMethod(models.Model):
        _inherit = "pos.payment.method"

        def cloud_terminal_pay(self, line):            # from sendPaymentRequest() in the browser
            return self._terminal().pay(line)

        def cloud_terminal_cancel(self, line):         # from sendPaymentCancel()
            return self._terminal().cancel(line)

The returned `status` is what the browser gives to `line.setPaymentStatus`: `done`, `retry`, or `waitingCard`
while nobody knows. On `waitingCard` the browser calls `cloud_terminal_pay` again: the same line joins its own
payment.
"""

from dataclasses import dataclass
from typing import Any

from cloud_terminal_client import (
    CloudTerminal,
    CloudTerminalError,
    Conflict,
    Failed,
    Order,
    Outcome,
    Succeeded,
    Unknown,
)


@dataclass(frozen=True)
class OdooTerminal:
    """The terminal of one payment method."""

    api: CloudTerminal
    terminal_id: str
    #: Shorter than the browser's own time-out.
    wait_seconds: float = 25

    def pay(self, line: dict[str, Any]) -> dict[str, Any]:
        """Pay a line: `uuid`, `amount` in euros; a negative one refunds the line of `refunded_uuid`."""
        # The line's uuid is made once, in the browser: the key of all its repeats.
        order_id = line.get("refunded_uuid", line["uuid"])
        order = Order(order_id, round(abs(line["amount"]) * 100), self.terminal_id)
        pay = self.api.refund if line["amount"] < 0 else self.api.pay
        try:
            return self._shown(pay(order, idempotency_key=line["uuid"], wait_seconds=self.wait_seconds))
        except CloudTerminalError as error:
            return {"status": "retry", "message": str(error)}

    def cancel(self, line: dict[str, Any]) -> dict[str, Any]:
        """Stop a line that waits for the terminal; once the terminal has it, only the customer can."""
        for payment in self.api.payments(order_id=line["uuid"], state="queued"):
            try:
                self.api.cancel(payment.id)
            except Conflict:
                return {"status": "waitingCard", "message": "Press the red key at the terminal."}
            return {"status": "retry", "message": "Cancelled."}
        return {"status": "waitingCard", "message": "Press the red key at the terminal."}

    def _shown(self, outcome: Outcome) -> dict[str, Any]:
        match outcome:
            case Succeeded(payment=payment, receipt=receipt):
                return {
                    "status": "done",
                    "transaction_id": payment.id,
                    "card_no": payment.masked_card,
                    "payment_ref_no": payment.authorisation_number,
                    "amount": payment.amount_cents / 100,
                    "ticket": receipt,
                }
            case Failed(description=description):
                return {"status": "retry", "message": description}
            case Unknown():
                return {"status": "waitingCard", "message": "Not known yet: do not take the money again."}
