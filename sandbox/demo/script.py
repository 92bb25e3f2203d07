"""The demo's sales, one chapter after the other: what goes well, and what does not."""

import asyncio
from collections.abc import Mapping
from typing import Final

import httpx

from sandbox.demo import checks
from sandbox.demo.checks import Unexpected
from sandbox.demo.desk import Call, Desk, Order, full_debit, order
from sandbox.demo.follow import Follower
from sandbox.demo.frames import named_fields
from sandbox.demo.show import Show
from sandbox.run.installation import Running
from sandbox.tracing.steps import Step

#: From the amount on the terminal's screen to the customer's card.
CUSTOMER_SECONDS: Final = 0.6
#: The same where a worker is to be killed in between.
_SLOW_CUSTOMER_SECONDS: Final = 2.0
_STALE_SECONDS: Final = 4
_MARGIN_SECONDS: Final = 5
#: Of API and workers, by field name: shorter than an installation's, so that a takeover can be watched.
SETTINGS: Final = {
    "heartbeat_seconds": "0.5",
    "worker_stale_seconds": str(_STALE_SECONDS),
    "connect_timeout_seconds": "1",
    "connect_total_seconds": "2",
    "identification_timeout_seconds": "1",
    "write_window_seconds": "4",
    "takeover_free_after_seconds": str(_MARGIN_SECONDS),
}
_HTTP_TIMEOUT_SECONDS: Final = 20.0

_NOTIFIED: Final = {Step.ORDER_NOTIFICATION_ACKNOWLEDGED: 1, Step.WEBHOOK_ACKNOWLEDGED: 1}
_AUTHORISED: Final = {
    **_NOTIFIED,
    Step.COMPLETION_PUSH_ACKNOWLEDGED: 1,
    Step.MERCHANT_ACKNOWLEDGED: 1,
    Step.EVIDENCE_TAKEN: 1,
}
_AFTER_A_DOUBT: Final = {**_NOTIFIED, Step.WEBHOOK_ACKNOWLEDGED: 2}


async def play(running: Running, show: Show) -> None:
    """Play all chapters and compare what was recorded. Raises Unexpected, httpx.HTTPError."""
    async with httpx.AsyncClient(timeout=_HTTP_TIMEOUT_SECONDS, trust_env=False) as http:
        await Script(Desk(running, http), show).play()


class Script:
    """The chapters. Each raises Unexpected where its end is another one than it should be."""

    def __init__(self, desk: Desk, show: Show) -> None:
        self._desk: Final = desk
        self._show: Final = show
        workers = desk.running.terminal_workers
        self._workers: Final = {
            worker_id: f"worker {number}" for number, worker_id in enumerate(workers, start=1)
        }

    async def play(self) -> None:
        """Play them, print what is stored, and compare."""
        await self._success()
        await self._refusal()
        await self._replay()
        await self._reversal()
        await self._lost_answer()
        await self._killed_worker()
        await self._credit()
        await self._collection()
        recorded = await self._desk.recorded()
        histories = {one["id"]: await self._desk.api.events(one["id"]) for one in recorded.payments}
        self._show.payments(recorded.payments)
        self._show.transactions(recorded.transactions)
        sessions = list(self._desk.running.terminal.records)
        self._show.checked(checks.compare(self._desk.calls, recorded, sessions, histories))

    async def _success(self) -> None:
        self._show.chapter(
            "A debit of 42.50 EUR: the card's bank is asked, and pays",
            "The amount is above the terminal's floor limit, so that it asks gateway and banks. HiPay and "
            "the merchant learn of it beside the answer, which waits for neither.",
        )
        call = await self._pay(full_debit("BREAKFAST-1", 4250, *self._terminal), _AUTHORISED, is_brief=False)
        _expect(call, 200, "succeeded")
        history = await self._desk.api.events(call.payment["id"])
        detail = next(event["detail"] for event in history if "answer" in event["detail"])
        self._show.messages("The Concert request", named_fields(detail["sent"]))
        self._show.messages("The Concert answer", named_fields(detail["answer"]))
        self._show.receipt(call.receipt)

    async def _refusal(self) -> None:
        self._show.chapter(
            "A debit that the card's bank refuses",
            "An amount's last digits choose what happens in the sandbox; 51 means insufficient funds.",
        )
        wanted = {**_NOTIFIED, Step.AUTHORISATION_PUSH_ACKNOWLEDGED: 1}
        _expect(await self._pay(order("CAKE-2", 3351, *self._terminal), wanted), 200, "refused")

    async def _replay(self) -> None:
        self._show.chapter(
            "The order of chapter 1 again: the stored answer, and no session",
            "A register that lost the answer sends the same order again. Nothing reaches the terminal.",
        )
        call = await self._pay(full_debit("BREAKFAST-1", 4250, *self._terminal), {})
        _expect(call, 200, "succeeded", replayed=True)

    async def _reversal(self) -> None:
        self._show.chapter(
            "A reversal of chapter 1's debit",
            "The money goes back before it was collected. It goes to the debit's own terminal.",
        )
        asked = order("BREAKFAST-1", 4250, *self._terminal, kind="Cancel")
        _expect(await self._pay(asked, _NOTIFIED), 200, "succeeded")

    async def _lost_answer(self) -> None:
        self._show.chapter(
            "Trouble: the terminal charges, and its answer is lost",
            "The connection drops after the customer paid (ending 33). Nobody guesses, and the debit is not "
            "sent again: the worker keeps the terminal and asks it, 3 s later, for its last transaction.",
        )
        call = await self._pay(order("PICNIC-3", 1233, *self._terminal), _AFTER_A_DOUBT)
        _expect(call, 200, "succeeded", resolved_by="enquiry")

    async def _killed_worker(self) -> None:
        self._show.chapter(
            "Trouble: the worker is killed while the customer pays",
            "The terminal's answer reaches nobody. The other worker takes over once the dead one's heartbeat "
            f"stood still for {_STALE_SECONDS} s, waits {_MARGIN_SECONDS} s in which a byte could still be "
            "under way, and asks the terminal. (Shortened: an installation's times are 10 s and 20 s.)",
        )
        asked = order("LUNCH-4", 1840, *self._terminal)
        follower = self._follower()
        self._desk.running.terminal.set_up(delay_seconds=_SLOW_CUSTOMER_SECONDS)
        call = await follower.follow(self._pay_and_kill(asked, follower), asked, _AFTER_A_DOUBT)
        self._desk.running.terminal.set_up(delay_seconds=CUSTOMER_SECONDS)
        _expect(call, 200, "succeeded", resolved_by="enquiry")

    async def _pay_and_kill(self, asked: Order, follower: Follower) -> Call:
        running = self._desk.running

        async def kill() -> None:
            async for event in running.trace.subscribe():
                if event.step is Step.TERMINAL_WOKEN:
                    break
            history = await self._desk.api.events(str(await self._desk.payment_id(asked)))
            worker_id = next(event["detail"]["worker"] for event in history if event["event"] == "claimed")
            await running.terminal_workers[worker_id].kill()
            follower.note(f"SIGKILL for {self._workers[worker_id]}, with the amount on the screen")

        async with asyncio.TaskGroup() as group:
            group.create_task(kill())
            paying = group.create_task(self._desk.pay(asked))
        return paying.result()

    async def _credit(self) -> None:
        self._show.chapter(
            "A credit: 4.00 EUR of chapter 5's order go back",
            "Credits of an order never exceed what was paid for it.",
        )
        asked = order("PICNIC-3", 400, *self._terminal, kind="Credit")
        _expect(await self._pay(asked, _NOTIFIED), 200, "succeeded")

    async def _collection(self) -> None:
        self._show.chapter(
            "The evening: a remote collection",
            "The terminal hands in what it approved. Only now HiPay learns of what no bank was asked for, "
            "and what was in doubt above is in it: charged, once.",
        )
        wanted = {Step.COLLECTION_PUSH_ACKNOWLEDGED: 3, Step.MERCHANT_ACKNOWLEDGED: 3, Step.EVIDENCE_TAKEN: 3}
        collected = await self._follower().follow(self._desk.running.terminal.collect(), None, wanted)
        if not collected.acknowledged:
            raise Unexpected("the collection was not acknowledged")

    async def _pay(self, asked: Order, wanted: Mapping[Step, int], *, is_brief: bool = True) -> Call:
        return await self._follower(is_brief=is_brief).follow(self._desk.pay(asked), asked, wanted)

    def _follower(self, *, is_brief: bool = True) -> Follower:
        return Follower(self._desk, self._show, self._workers, is_brief=is_brief)

    @property
    def _terminal(self) -> tuple[str, int]:
        host, _, port = self._desk.running.entry["terminal"].rpartition(":")
        return host, int(port)


def _expect(
    call: Call, status: int, state: str, *, replayed: bool = False, resolved_by: str | None = None
) -> None:
    wanted = (status, state, replayed, resolved_by)
    payment = call.payment
    answered = (call.status, payment.get("state"), payment.get("replayed"), payment.get("resolved_by"))
    if answered != wanted:
        raise Unexpected(f"{call.order_id}: answered {answered}, expected {wanted}: {call.body}")
