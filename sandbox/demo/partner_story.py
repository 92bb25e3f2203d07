"""What the demo pays on the terminal with a gateway: the way through banks, HiPay and merchant."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from sandbox.demo import checks, partner_checks
from sandbox.demo.frames import euros
from sandbox.demo.hop_steps import hop_steps, numbered
from sandbox.demo.orders import full_debit, order
from sandbox.demo.paying import Paying
from sandbox.demo.processes import Running, until
from sandbox.demo.show import Show
from sandbox.demo.till import Call
from sandbox.demo.timeline import Records, Step, begin_of, in_order, steps_of
from sandbox.hipay.rules.statuses import Status
from sandbox.tracing.steps import Flow
from sandbox.tracing.steps import Step as HopStep
from sandbox.tracing.trace import TraceEvent

#: What is done beside the answer, and after it, takes some tens of milliseconds.
_AFTERWARDS_SECONDS = 20.0

_TOLD = (HopStep.ORDER_NOTIFICATION_ACKNOWLEDGED, HopStep.WEBHOOK_ACKNOWLEDGED)
_AUTHORISED = (*_TOLD, HopStep.COMPLETION_PUSH_ACKNOWLEDGED, HopStep.MERCHANT_ACKNOWLEDGED)
_COLLECTED = (HopStep.MERCHANT_ACKNOWLEDGED, HopStep.EVIDENCE_TAKEN)


@dataclass(slots=True)
class PartnerStory:
    """Pays, shows the whole way, and checks what everybody recorded of it. Raises Unexpected."""

    paying: Paying
    show: Show

    async def tell(self) -> None:
        authorised = await self._with_authorisation()
        offline = await self._without_authorisation()
        await self._while_all_hang()
        await self._collection([authorised, offline])
        listed = await self.paying.partners.transactions()
        waiting = await self.paying.partners.waiting_orders()
        self.show.transactions(listed["transactions"], listed["totals"], len(waiting))

    async def _with_authorisation(self) -> Call:
        host, port = self._terminal()
        await self.paying.partners.next_card("visa")
        [call] = await self.paying.pay(full_debit("PICNIC-6", 4250, host, port))
        hops = await self._hops(call, _AUTHORISED)

        records = await self.paying.records([call], with_notifications=True)
        steps = _together(steps_of(records), hops, records, Flow.WITH_AUTHORISATION)
        title = "With authorisation, in 13 steps, and the order to HiPay beside them (2')"
        self.show.chapter(title, steps, in_full=False)

        self._expect_paid(call)
        checks.expect(partner_checks.whole_flow(steps, Flow.WITH_AUTHORISATION))
        [transaction] = (await self.paying.partners.transactions(call.order_id))["transactions"]
        checks.expect(partner_checks.as_ordered(transaction, call, Status.AUTHORIZED))
        webhook = partner_checks.webhook_of(call.payment_id, await self.paying.partners.webhooks())
        self.show.checked_here(
            [
                "HiPay has both halves, and all of the order: the transaction is 116 Authorized",
                f"the webhook {webhook['type']} is signed with the endpoint's secret, and came once",
                partner_checks.beside_the_answer(call, records.events, hops),
            ]
        )
        return call

    async def _without_authorisation(self) -> Call:
        host, port = self._terminal()
        [call] = await self.paying.pay(order("BAGUETTE-7", 1250, host, port))
        hops = await self._hops(call, _TOLD)

        records = await self.paying.records([call])
        steps = _together(_outlined(records), hops, records, Flow.WITHOUT_AUTHORISATION)
        self.show.chapter("Without authorisation, in 7 steps", steps, in_full=False)

        self._expect_paid(call)
        checks.expect(partner_checks.whole_flow(steps, Flow.WITHOUT_AUTHORISATION))
        listed = await self.paying.partners.transactions(call.order_id)
        if listed["transactions"]:
            checks.expect([f"{call.order_id}: HiPay has a transaction before any collection"])
        if call.payment_id not in await self.paying.partners.waiting_orders():
            checks.expect([f"{call.order_id}: HiPay does not wait for what becomes of the order"])
        self.show.checked_here(["HiPay has the order and no transaction yet: it waits for the collection"])
        return call

    async def _while_all_hang(self) -> None:
        _, terrace = self.paying.system.terminals
        with self.paying.system.partners.hanging():
            [call] = await self.paying.pay(order("ICE-8", 450, terrace.host, terrace.port))
        hops = await self._hops(call, _TOLD)

        records = await self.paying.records([call], with_notifications=True)
        steps = _together(_outlined(records), hops, records, None)
        title = "HiPay and the merchant's server hang: the answer waits for neither"
        self.show.chapter(title, steps, in_full=False)

        self._expect_paid(call)
        checks.expect(partner_checks.all_after_the_answer(call, hops))
        self.show.checked_here(
            ["both accepted connections and said nothing until the till had its answer; nothing got lost"]
        )

    async def _collection(self, calls: Sequence[Call]) -> None:
        before = max(trace_event.number for trace_event in await self.paying.partners.hops())
        ended = await self.paying.partners.collect()

        async def look() -> list[TraceEvent] | None:
            found = await self.paying.partners.hops(after=before)
            seen = Counter((trace_event.reference, trace_event.step) for trace_event in found)
            wanted = ((call.payment_id, step) for call in calls for step in _COLLECTED)
            return found if all(seen[key] for key in wanted) else None

        hops = await until(look, "the collection at HiPay", *self._parts(), seconds=_AFTERWARDS_SECONDS)
        steps = in_order(hop_steps(hops, hops[0].at_ms, Flow.COLLECTION))
        self.show.chapter("A remote collection, in 8 steps", steps, in_full=False)

        cents = sum(call.body["payment"]["amount"] for call in calls)
        if (ended["acknowledged"], ended["count"], ended["sum_cents"]) != (True, len(calls), cents):
            checks.expect([f"the collection ended with {ended}, paid were {cents} cents"])
        for call in calls:
            own = [step for step in steps if step.payment_id in {"", call.payment_id}]
            checks.expect(partner_checks.whole_flow(own, Flow.COLLECTION))
            [transaction] = (await self.paying.partners.transactions(call.order_id))["transactions"]
            checks.expect(partner_checks.as_ordered(transaction, call, Status.CAPTURED))
        self.show.checked_here(
            [f"{euros(cents)} are 118 Captured: what was Authorized, what the terminal approved by itself"]
        )

    async def _hops(self, call: Call, wanted: Collection[HopStep]) -> list[TraceEvent]:
        """Return what passed for the payment, once all of `wanted` has."""

        async def look() -> list[TraceEvent] | None:
            found = await self.paying.partners.hops(call.payment_id)
            return found if {trace_event.step for trace_event in found}.issuperset(wanted) else None

        what = f"{', '.join(wanted)} of {call.order_id}"
        return await until(look, what, *self._parts(), seconds=_AFTERWARDS_SECONDS)

    def _parts(self) -> Sequence[Running]:
        return self.paying.system.parts

    def _terminal(self) -> tuple[str, int]:
        host, _, port = self.paying.system.partners.line.rpartition(":")
        return host, int(port)

    def _expect_paid(self, call: Call) -> None:
        history = self.paying.system.rows.events(call.payment_id)
        checks.expect(checks.answered(call, history, "succeeded"))


def _together(
    steps: Sequence[Step], hops: Sequence[TraceEvent], records: Records, flow: Flow | None
) -> list[Step]:
    own = steps if flow is None else numbered(steps, flow)
    return in_order([*own, *hop_steps(hops, begin_of(records.calls), flow)])


def _outlined(records: Records) -> list[Step]:
    """Return the steps without what every payment has inside of our processes."""
    notifications = [message for message in records.messages if message.type == "notification"]
    steps = steps_of(replace(records, messages=notifications))
    return [replace(step, fields=()) for step in steps if step.receiver != "database"]
