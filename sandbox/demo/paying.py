"""Pays at the demo's till, and gathers what everybody recorded of it."""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sandbox.demo import checks
from sandbox.demo.broker_tap import BrokerTap
from sandbox.demo.orders import Order
from sandbox.demo.partner_records import PartnerRecords
from sandbox.demo.partners import TERMINAL
from sandbox.demo.processes import until
from sandbox.demo.system import System
from sandbox.demo.till import Call, Till
from sandbox.demo.timeline import Records, begin_of
from sandbox.terminal.device.ledger import SessionRecord

#: A customer here takes less than a second.
_ANSWER_SECONDS = 20.0
#: The terminal closes its connection right after its answer, and then writes its ledger.
_LEDGER_SECONDS = 5.0


@dataclass(slots=True)
class Paying:
    """One till and the records of all who took part. Raises Unexpected, httpx.HTTPError."""

    system: System
    till: Till
    tap: BrokerTap
    partners: PartnerRecords
    #: Everything that was paid so far.
    calls: list[Call] = field(default_factory=list)

    async def pay(self, *orders: Order) -> list[Call]:
        """Send the orders at once and wait for the answers."""
        tills = ["till"] if len(orders) == 1 else [f"till {number}" for number in range(1, len(orders) + 1)]
        calls = await self._answers(orders, tills)
        for call in calls:
            if not call.payment_id:
                checks.expect([f"{call.order_id}: the answer is {call.status} {call.body}"])
        self.calls += calls
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

    async def records(self, calls: Sequence[Call], *, with_notifications: bool = False) -> Records:
        """Return what till, database, broker, workers and terminals recorded of these calls."""
        begin = begin_of(calls)
        ids = sorted({call.payment_id for call in calls})
        events = [
            event for payment_id in ids for event in self.system.rows.events(payment_id) if event.at >= begin
        ]
        claimed = {event.payment_id for event in events if event.event == "claimed"}
        return Records(
            calls=calls,
            events=events,
            messages=[
                message
                for message in self.tap.passed
                if message.payment_id in ids
                and message.at_ms >= begin
                and (with_notifications or message.type != "notification")
            ],
            sessions=await self._sessions_of(claimed),
            held=[held for held in self.system.held_lines() if held.payment_id in ids],
            workers=self.system.worker_names,
            terminals=self.terminal_names(),
        )

    async def _sessions_of(self, payment_ids: set[str]) -> list[SessionRecord]:
        async def look() -> list[SessionRecord] | None:
            found = [session for session in await self.sessions() if session.reference in payment_ids]
            return found if {session.reference for session in found} == payment_ids else None

        return await until(look, "the sessions in the terminals' ledgers", seconds=_LEDGER_SECONDS)

    async def sessions(self) -> list[SessionRecord]:
        """Return the ended sessions for payments; a terminal's first is followed by one identification."""
        by_terminal = await self.sessions_by_terminal()
        return [
            session
            for sessions in by_terminal.values()
            for session in sessions
            if session.operation != "identification"
        ]

    async def sessions_by_terminal(self) -> dict[str, list[SessionRecord]]:
        """Return every terminal's ended sessions, by its name here."""
        own = {terminal.name: terminal.sessions() for terminal in self.system.terminals}
        return own | {TERMINAL: _ended(await self.partners.sessions())}

    def terminal_names(self) -> dict[str, str]:
        """Return the terminals' names here by `address:port`."""
        own = {terminal.line: terminal.name for terminal in self.system.terminals}
        return own | {self.system.partners.line: TERMINAL}


def _ended(sessions: Iterable[SessionRecord]) -> list[SessionRecord]:
    return [session for session in sessions if session.closed_at_ms is not None]
