"""What the demo pays, one chapter after the other, and what must come of it."""

import asyncio
import contextlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandbox.demo import checks
from sandbox.demo.broker_tap import BrokerTap
from sandbox.demo.orders import Order, full_debit, order
from sandbox.demo.processes import until
from sandbox.demo.show import Show
from sandbox.demo.system import System
from sandbox.demo.terminals import REFUSED_CENTS
from sandbox.demo.till import Call, Till
from sandbox.demo.timeline import Records, steps_of
from sandbox.terminal.ledger import SessionRecord

#: A customer here takes less than a second.
_ANSWER_SECONDS = 20.0
#: The terminal closes its connection right after its answer, and then writes its ledger.
_LEDGER_SECONDS = 5.0


@dataclass(slots=True)
class Story:
    """Pays, shows the way of each payment, and compares all that was recorded. Raises Unexpected."""

    system: System
    till: Till
    tap: BrokerTap
    show: Show
    _calls: list[Call] = field(default_factory=list)

    async def tell(self) -> None:
        counter, terrace = self.system.terminals

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

        self.show.receipts(
            [
                (f"{call.order_id}, {call.body['payment']['operation']}", checks.receipt_of(call))
                for call in (paid, refusal, reversal)
            ]
        )
        self.show.stored(self.system.rows.payments(), len(self.system.rows.events()), self._terminal_names())
        self.show.checked(self._compare_all())

    async def _pay(self, title: str, *orders: Order, in_full: bool = False) -> list[Call]:
        """Send the orders at once, wait for the answers and the records, show the way they took."""
        tills = ["till"] if len(orders) == 1 else [f"till {number}" for number in range(1, len(orders) + 1)]
        calls = await self._answers(orders, tills)
        for call in calls:
            if not call.payment_id:
                checks.expect([f"{call.order_id}: the answer is {call.status} {call.body}"])
        self._calls += calls
        records = await self._records(calls)
        self.show.chapter(title, steps_of(records), in_full=in_full)
        return calls

    async def _answers(self, orders: Sequence[Order], tills: Sequence[str]) -> list[Call]:
        asked = asyncio.gather(*map(self.till.pay, orders, tills))

        async def look() -> list[Call] | None:
            return list(asked.result()) if asked.done() else None

        try:
            return await until(look, "the till's answer", *self.system.parts, seconds=_ANSWER_SECONDS)
        finally:
            if asked.cancel():
                with contextlib.suppress(asyncio.CancelledError):
                    await asked

    async def _records(self, calls: Sequence[Call]) -> Records:
        begin = math.floor(min(call.sent_at_ms for call in calls))
        ids = sorted({call.payment_id for call in calls})
        events = [
            event for payment_id in ids for event in self.system.rows.events(payment_id) if event.at >= begin
        ]
        claimed = {event.payment_id for event in events if event.event == "claimed"}
        return Records(
            calls=calls,
            events=events,
            messages=[
                message for message in self.tap.passed if message.payment_id in ids and message.at_ms >= begin
            ],
            sessions=await self._sessions_of(claimed),
            held=[held for held in self.system.held_lines() if held.payment_id in ids],
            workers=self.system.worker_names,
            terminals=self._terminal_names(),
        )

    async def _sessions_of(self, payment_ids: set[str]) -> list[SessionRecord]:
        async def look() -> list[SessionRecord] | None:
            found = [session for session in self._sessions() if session.reference in payment_ids]
            return found if {session.reference for session in found} == payment_ids else None

        return await until(look, "the sessions in the terminals' ledgers", seconds=_LEDGER_SECONDS)

    def _sessions(self) -> list[SessionRecord]:
        """The terminals' sessions for payments; each terminal also has one identification after its first."""
        return [
            session
            for terminal in self.system.terminals
            for session in terminal.sessions()
            if session.operation != "identification"
        ]

    def _terminal_names(self) -> dict[str, str]:
        return {terminal.line: terminal.name for terminal in self.system.terminals}

    def _expect(self, call: Call, state: str, *, replayed: bool = False) -> None:
        told = call.body["payment"]
        status = "Success" if state == "succeeded" else "Failed"
        wanted = (200, status, state, replayed)
        answered = (call.status, call.body["paymentStatus"], told["state"], told["replayed"])
        problems = [] if answered == wanted else [f"{call.order_id}: answered {answered}, expected {wanted}"]
        last = "answered_done" if state == "succeeded" else "answered_refused"
        checks.expect(problems + checks.went_through(self.system.rows.events(call.payment_id), last))

    def _expect_in_turn(self, calls: Sequence[Call]) -> None:
        for call in calls:
            self._expect(call, "succeeded")
        first, second = sorted(
            (row for row in self.system.rows.payments() if row["id"] in {call.payment_id for call in calls}),
            key=lambda row: row["claimed_at"],
        )
        problems = []
        if second["claimed_at"] < first["ended_at"]:
            problems.append(f"{second['id']} was claimed before {first['id']} had ended")
        if second["id"] not in {held.payment_id for held in self.system.held_lines()}:
            problems.append(f"no worker found the terminal held for {second['id']}")
        checks.expect(problems)

    def _compare_all(self) -> list[str]:
        """Compare everything with everything; return what was found to hold."""
        rows = {row["id"]: row for row in self.system.rows.payments()}
        sessions = self._sessions()
        for call in self._calls:
            checks.expect(checks.answered_as_stored(call, rows[call.payment_id]))
        checks.expect(checks.sessions_match(sessions, list(rows.values())))
        for session in sessions:
            assert session.reference is not None
            history = self.system.rows.events(session.reference)
            checks.expect(checks.session_as_stored(session, rows[session.reference], history))
        for terminal in self.system.terminals:
            checks.expect(checks.one_session_at_a_time(terminal.name, terminal.sessions()))
        checks.expect(f"{line} is still held" for line in self.system.rows.held_lines())
        charged = sum(session.charged for session in sessions)
        return [
            f"{len(self._calls)} answers equal the stored rows, receipts included",
            f"{len(rows)} payments, {len(sessions)} sessions: each payment was sent to its terminal once",
            f"{charged} sessions moved money, each for a payment that succeeded, none of them twice",
            "no terminal had two sessions at a time, and no terminal is held any more",
            "the history holds the very fields that the terminals saw and said",
        ]


def _same_payment(calls: Sequence[Call]) -> list[str]:
    ids = {call.payment_id for call in calls}
    return [] if len(ids) == 1 else [f"equal orders became {len(ids)} payments: {sorted(ids)}"]
