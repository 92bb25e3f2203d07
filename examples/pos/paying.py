"""The sale's way to its end: paid, not paid, or unknown until somebody knows."""

import asyncio
from typing import Final

from cloud_terminal_client import (
    AsyncCloudTerminal,
    CloudTerminalError,
    Failed,
    Order,
    Outcome,
    Succeeded,
    Unknown,
)

from examples.pos.sales import Sale, Sales

WAITING: Final = "Follow the terminal / Suivez le terminal"
PAID: Final = "Paid / Payé"
NOT_PAID: Final = "Not paid, nothing was charged: try again / Non payé, rien n'a été débité : recommencez"
UNKNOWN: Final = (
    "Nobody knows yet whether the card was charged. Do not take the money again / "
    "Résultat inconnu. N'encaissez pas une seconde fois"
)


class Counter:
    """One counter with its terminal."""

    def __init__(
        self,
        api: AsyncCloudTerminal,
        sales: Sales,
        terminal: str,
        *,
        wait_seconds: float = 180,
        pause_seconds: float = 30,
    ) -> None:
        """`pause_seconds`: before each look at an unknown sale; what was on its way has arrived by then."""
        self._api, self._sales, self._terminal = api, sales, terminal
        self._wait_seconds, self._pause_seconds = wait_seconds, pause_seconds

    async def pay(self, sale: Sale) -> None:
        """Pay the sale; the state is stored before anything is sent."""
        self._sales.change(sale.number, "paying", WAITING)
        order = Order(sale.order_id, sale.amount_cents, self._terminal)
        try:
            outcome: Outcome | None = await self._api.pay(
                order, idempotency_key=sale.key, wait_seconds=self._wait_seconds
            )
        except CloudTerminalError as error:
            # Only where nothing of it was accepted.
            self._sales.change(sale.number, "not_paid", f"{NOT_PAID} ({error})")
            return
        await self._follow(sale, outcome)

    async def resume(self, sale: Sale) -> None:
        """Find out what became of a sale that ran when this program ended; start nothing.

        A request that was on its way then may be accepted a little later, so only a success counts at once.
        """
        outcome = await self._found(sale)
        await self._follow(sale, outcome if isinstance(outcome, Succeeded) else Unknown(None))

    async def _follow(self, sale: Sale, outcome: Outcome | None) -> None:
        """Store the outcome, once there is one."""
        while isinstance(outcome, Unknown):
            self._sales.change(sale.number, "unknown", UNKNOWN)
            await asyncio.sleep(self._pause_seconds)
            outcome = await self._found(sale)
        match outcome:
            case Succeeded(payment=payment, receipt=receipt):
                paid = f"{PAID}: {payment.amount_cents / 100:.2f} {payment.currency}"
                self._sales.change(sale.number, "paid", paid, receipt or "")
            case Failed(description=description):
                self._sales.change(sale.number, "not_paid", f"{NOT_PAID} ({description})")
            case None:
                self._sales.change(sale.number, "not_paid", NOT_PAID)

    async def _found(self, sale: Sale) -> Outcome | None:
        """Return the outcome of the sale's newest attempt; None where nothing was ever accepted."""
        try:
            return await self._api.attach(sale.order_id, seconds=self._wait_seconds)
        except CloudTerminalError as error:
            return Unknown(None, error)
