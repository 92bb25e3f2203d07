"""The cash register: sends orders, waits for answers, loses its network, sends again."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Coroutine
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

import httpx

from sandbox.pages.app import Changes
from sandbox.register.draft import Draft, Operation
from sandbox.register.order import following, order_of
from sandbox.register.sale import NO_NETWORK, Holder, Json, Sale, SentOrder
from sandbox.run.cloud_api import ORDER_PATH, ApiAnswered, CloudApi, cancel_path, payment_path
from sandbox.tracing.steps import Step, System
from sandbox.tracing.trace import Trace
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes

#: Older sales are dropped.
KEPT_SALES: Final = 1000
#: Pause between look-ups of a running payment: the API pushes a payment's state to webhooks only.
LOOK_SECONDS: Final = 0.5

PULLED: Final = "The network was unplugged while the register waited."


class CashRegister:
    """One register, shared by all who have its page open; ended by `close`."""

    def __init__(self, api: CloudApi, clock: Clock, trace: Trace, random_bytes: RandomBytes) -> None:
        self.draft = Draft()
        self.is_plugged = True
        self.sales: Final[deque[Sale]] = deque(maxlen=KEPT_SALES)
        self.changes: Final = Changes()
        self._api: Final = api
        self._clock: Final = clock
        self._trace: Final = trace
        self._random_bytes: Final = random_bytes
        self._running: Final[dict[asyncio.Task[None], SentOrder]] = {}
        self._count = 0
        self._last_order_id = ""

    def sale(self, number: int) -> Sale | None:
        """Return a sale by its number."""
        return next((one for one in self.sales if one.number == number), None)

    async def terminals(self) -> list[Json]:
        """Return the registered terminals; none where the API cannot be reached."""
        if not self.is_plugged:
            return []
        try:
            return await self._api.terminals()
        except (httpx.HTTPError, ApiAnswered):
            return []

    def pay(self) -> Sale:
        """Send the draft as an order, and begin a new draft. Raises InvalidField."""
        sale = self._new_sale(order_of(self.draft, self._next_order_id()))
        self.draft = Draft(terminal_id=self.draft.terminal_id)
        return sale

    def follow_up(self, sale: Sale, operation: Operation, amount_cents: int) -> Sale:
        """Send the reversal or a credit of a debit."""
        return self._new_sale(following(sale.order, operation, amount_cents))

    def send_again(self, sale: Sale) -> None:
        """Send the same order again, unless it is still running."""
        if not sale.is_waiting:
            self._send_order(sale)

    async def look(self, sale: Sale) -> None:
        """Look up the payment in place of sending the order."""
        sent_order = self._begin(sale, "look")
        if not sent_order.is_running:
            return
        try:
            found = await self._api.newest_payment(sale.order_id, Operation(sale.operation).word)
            if found is None:
                self._end(sent_order, problem="The API has no payment of this order.")
                return
            answer = await self._api.payment(str(found["id"]))
            self._end(sent_order, answer=answer)
        except (httpx.HTTPError, ApiAnswered) as error:
            self._end(sent_order, problem=f"No answer: {str(error) or type(error).__name__}")

    def curl_of(self, sale: Sale, sent_order: SentOrder) -> str:
        """Return a request as a command line."""
        if sent_order.what == "order":
            return self._api.curl("POST", ORDER_PATH, sale.order)
        found = sent_order.payment.get("id")
        if found is None:
            return self._api.curl("GET", f"/v1/payments?order_id={quote(sale.order_id, safe='')}")
        return self._api.curl("GET", payment_path(str(found)))

    def cancel_curl(self, sale: Sale) -> str:
        """Return the cancellation of the sale's payment as a command line; empty where it has none."""
        return "" if sale.payment_id is None else self._api.curl("POST", cancel_path(sale.payment_id))

    async def cancel(self, sale: Sale) -> None:
        """Cancel the payment, which the API does while it is queued."""
        payment_id = sale.payment_id
        if payment_id is None or not self.is_plugged:
            return
        try:
            answer = await self._api.cancel(payment_id)
        except httpx.HTTPError as error:
            sale.note = f"Cancel: no answer, {type(error).__name__}"
        else:
            answered = SentOrder("", 0, 0, answer.status_code, _read(answer))
            sale.note = (
                "Cancelled."
                if answer.is_success
                else f"Not cancelled: {answered.code}. {answered.description}"
            )
        self.changes.notify()

    async def unplug(self) -> None:
        """Unplug the network: running requests are cut off, no request is sent any more."""
        self.is_plugged = False
        await self._cut()
        self.changes.notify()

    def plug_in(self) -> None:
        """Plug the network in; lost answers are looked up by hand."""
        self.is_plugged = True
        self.changes.notify()

    async def reset(self) -> None:
        """Forget all sales; the numbers go on."""
        await self._cut()
        self.sales.clear()
        self.draft = Draft()
        self.is_plugged = True
        self.changes.notify()

    async def close(self) -> None:
        """Cut off running requests and end the followers."""
        self.changes.close()
        await self._cut()

    def _new_sale(self, order: Json) -> Sale:
        self._count += 1
        sale = Sale(self._count, order, self._clock.wall_ms())
        self.sales.append(sale)
        self._send_order(sale)
        return sale

    def _send_order(self, sale: Sale) -> None:
        sale.note = None
        sent_order = self._begin(sale, "order")
        if sent_order.is_running:
            self._spawn(self._send(sale, sent_order), sent_order)
            self._spawn(self._watch(sale, sent_order), sent_order)

    def _begin(self, sale: Sale, what: str) -> SentOrder:
        now_ms = self._clock.wall_ms()
        sent_order = SentOrder(f"pos-{self._random_bytes(6).hex()}", now_ms, what=what)
        if not self.is_plugged:
            sent_order.ended_at_ms, sent_order.problem = now_ms, NO_NETWORK
        sale.sent_orders.append(sent_order)
        self.changes.notify()
        return sent_order

    async def _send(self, sale: Sale, sent_order: SentOrder) -> None:
        detail = {"order_id": sale.order_id, "request_id": sent_order.request_id}
        self._trace.record(
            System.REGISTER,
            System.CLOUD_API,
            Step.ORDER_SENT,
            None,
            **detail,
            operation=Operation(sale.operation).word,
            amount_cents=sale.amount_cents,
        )
        try:
            answer = await self._api.order(sale.order, request_id=sent_order.request_id)
        except httpx.HTTPError as error:
            self._end(sent_order, problem=f"No answer: {type(error).__name__}")
            return
        self._end(sent_order, answer=answer)
        self._trace.record(
            System.CLOUD_API,
            System.REGISTER,
            Step.RESULT_TO_REGISTER,
            sent_order.payment.get("id"),
            **detail,
            status=sent_order.status,
            payment_status=(sent_order.body or {}).get("paymentStatus"),
            state=sent_order.payment.get("state"),
        )

    async def _watch(self, sale: Sale, sent_order: SentOrder) -> None:
        """Poll the payment while its order is running."""
        while sent_order.is_running:
            with contextlib.suppress(httpx.HTTPError, ApiAnswered):
                found = await self._api.newest_payment(sale.order_id, Operation(sale.operation).word)
                is_queued = found is not None and found["state"] == "queued"
                holder = await self._holder(sale) if is_queued else None
                if (found, holder) != (sale.seen, sale.holder):
                    sale.seen, sale.holder = found, holder
                    self.changes.notify()
            await asyncio.sleep(LOOK_SECONDS)

    async def _holder(self, sale: Sale) -> Holder | None:
        """Return the payment that holds the sale's terminal; None where nobody does."""
        payments = (await self._api.terminal(sale.terminal_id))["payments"]
        running = payments["running"]
        if running is None:
            return Holder() if payments["others_running"] else None
        # A probe has no state, and is no payment.
        if "state" not in running:
            return Holder(since=running["since"])
        holding = (await self._api.payment(running["id"])).json().get("payment", {})
        return Holder(order_id=holding.get("order_id"), since=running["since"])

    def _end(
        self, sent_order: SentOrder, *, answer: httpx.Response | None = None, problem: str | None = None
    ) -> None:
        if not sent_order.is_running:
            return
        sent_order.ended_at_ms = self._clock.wall_ms()
        sent_order.problem = problem
        if answer is not None:
            sent_order.status, sent_order.body = answer.status_code, _read(answer)
        self.changes.notify()

    async def _cut(self) -> None:
        tasks = dict(self._running)
        for task, sent_order in tasks.items():
            # Before the task is cancelled: its own end must not replace this problem.
            self._end(sent_order, problem=PULLED)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None], sent_order: SentOrder) -> None:
        task = asyncio.create_task(work)
        self._running[task] = sent_order
        task.add_done_callback(self._running.pop)

    def _next_order_id(self) -> str:
        moment = datetime.fromtimestamp(self._clock.wall_ms() / 1000)  # noqa: DTZ006 the cashier's own time
        order_id = f"POS1-{moment:%y%m%d-%H%M%S}"
        if self._last_order_id.startswith(order_id):
            order_id = f"{order_id}-{self._random_bytes(2).hex()}"
        self._last_order_id = order_id
        return order_id


def _read(answer: httpx.Response) -> Json | None:
    try:
        read = answer.json()
    except ValueError:
        return None
    return read if isinstance(read, dict) else None
