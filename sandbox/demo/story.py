"""What the demo pays on its two plain terminals, one chapter after the other, and what must come of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.demo import checks
from sandbox.demo.orders import Order, full_debit, order
from sandbox.demo.paying import Paying
from sandbox.demo.show import Show
from sandbox.demo.terminals import REFUSED_CENTS
from sandbox.demo.till import Call
from sandbox.demo.timeline import steps_of


@dataclass(slots=True)
class Story:
    """Pays, shows the way of each payment, and compares all that was recorded. Raises Unexpected."""

    paying: Paying
    show: Show

    async def tell(self) -> list[Call]:
        """Tell the chapters; return the calls whose receipts are worth a look."""
        counter, terrace = self.paying.system.terminals

        debit = full_debit("BREAKFAST-1", 4250, counter.host, counter.port)
        [paid] = await self._pay("A debit, with basket, customer and custom data", debit, in_full=True)
        self._expect(paid, "succeeded")

        refused = order("COFFEE-2", REFUSED_CENTS, terrace.host, terrace.port)
        [refusal] = await self._pay("A debit that the card's bank refuses", refused)
        self._expect(refusal, "refused")

        cancel = order("BREAKFAST-1", 4250, counter.host, counter.port, kind="Cancel")
        [reversal] = await self._pay("A reversal of the first debit", cancel)
        self._expect(reversal, "succeeded")

        pair = (
            order("TABLE-3", 640, terrace.host, terrace.port),
            order("TABLE-4", 320, terrace.host, terrace.port),
        )
        together = await self._pay("Two debits at once on one terminal: one waits in the line", *pair)
        self._expect_in_turn(together)

        credit = order("TABLE-3", 120, terrace.host, terrace.port, kind="Credit")
        [refund] = await self._pay("A credit: part of the order TABLE-3 goes back", credit)
        self._expect(refund, "succeeded")

        twin = order("CAKE-5", 990, counter.host, counter.port)
        twins = await self._pay("The same order twice at once: one session, two answers", twin, twin)
        for call in twins:
            self._expect(call, "succeeded")
        checks.expect(_same_payment(twins))

        [again] = await self._pay("The same order once more: the stored answer, and no session", twin)
        self._expect(again, "succeeded", replayed=True)
        checks.expect(_same_payment([*twins, again]))
        return [paid, refusal, reversal]

    async def _pay(self, title: str, *orders: Order, in_full: bool = False) -> list[Call]:
        """Send the orders at once, wait for the answers and the records, show the way they took."""
        calls = await self.paying.pay(*orders)
        records = await self.paying.records(calls)
        self.show.chapter(title, steps_of(records), in_full=in_full)
        return calls

    def _expect(self, call: Call, state: str, *, replayed: bool = False) -> None:
        history = self.paying.system.rows.events(call.payment_id)
        checks.expect(checks.answered(call, history, state, replayed=replayed))

    def _expect_in_turn(self, calls: Sequence[Call]) -> None:
        for call in calls:
            self._expect(call, "succeeded")
        system = self.paying.system
        first, second = sorted(
            (row for row in system.rows.payments() if row["id"] in {call.payment_id for call in calls}),
            key=lambda row: row["claimed_at"],
        )
        problems = []
        if second["claimed_at"] < first["ended_at"]:
            problems.append(f"{second['id']} was claimed before {first['id']} had ended")
        if second["id"] not in {held.payment_id for held in system.held_lines()}:
            problems.append(f"no worker found the terminal held for {second['id']}")
        checks.expect(problems)


def _same_payment(calls: Sequence[Call]) -> list[str]:
    ids = {call.payment_id for call in calls}
    return [] if len(ids) == 1 else [f"equal orders became {len(ids)} payments: {sorted(ids)}"]
