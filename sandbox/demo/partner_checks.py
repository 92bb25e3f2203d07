"""What must hold of what gateway, HiPay and merchant recorded; a check returns what is wrong, in words."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sandbox.demo.checks import expect
from sandbox.demo.stored import StoredEvent
from sandbox.demo.till import Call
from sandbox.demo.timeline import Step
from sandbox.hipay.rules.statuses import Status
from sandbox.tracing.steps import NUMBERS, Flow
from sandbox.tracing.steps import Step as HopStep
from sandbox.tracing.trace import TraceEvent

#: Beside the others, at a time of its own.
_BESIDE = "2'"


def whole_flow(steps: Iterable[Step], flow: Flow) -> list[str]:
    """Steps in order of time: every number of the flow's picture is there, and none before an earlier one."""
    numbers = [step.number for step in steps if step.number]
    wanted = set(NUMBERS[flow].values())
    problems = []
    if set(numbers) != wanted:
        problems.append(f"{flow}: the steps {sorted(wanted ^ set(numbers))} are missing or too many")
    in_turn = [int(number) for number in numbers if number != _BESIDE]
    if in_turn != sorted(in_turn):
        problems.append(f"{flow}: the steps came in the order {numbers}")
    return problems


def as_ordered(transaction: Mapping[str, Any], call: Call, status: Status) -> list[str]:
    """HiPay's transaction against what the till sent, all of it, and was answered."""
    told, order, customer = call.body["payment"], call.order["order"], call.order.get("customer", {})
    cents = told["amount"]
    pairs = {
        "payment": (transaction["payment_id"], call.payment_id),
        "status": (transaction["status"], int(status)),
        "captured amount": (transaction["captured_cents"], cents if status is Status.CAPTURED else 0),
        "card": (transaction["payment"]["masked_pan"], told.get("masked_card")),
        "authorisation number": (
            transaction["payment"]["authorisation_number"],
            told.get("authorisation_number"),
        ),
        # Beside it HiPay has the defaults of what the till left out.
        "order": ({name: transaction["order"].get(name) for name in order}, order),
        "customer": ({name: transaction["customer"].get(name) for name in customer}, customer),
    }
    return [
        f"{call.order_id}: the {name} at HiPay is {there!r}, the till's is {here!r}"
        for name, (there, here) in pairs.items()
        if there != here
    ]


def webhook_of(payment_id: str, received: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return what the one webhook of a payment says. Raises Unexpected where it did not come so."""
    own = [one for one in received if one["content"].get("payment_id") == payment_id]
    expect(
        f"{payment_id}: a webhook came with {one['status']}, {one['because']}"
        for one in own
        if not one["is_taken"]
    )
    if len(own) != 1:
        expect([f"{payment_id}: {len(own)} webhooks came"])
    content: Mapping[str, Any] = own[0]["content"]
    return content


def beside_the_answer(call: Call, history: Sequence[StoredEvent], hops: Iterable[TraceEvent]) -> str:
    """Return when the till was told, and when HiPay and the merchant, in words."""
    at = {trace_event.step: trace_event.at_ms for trace_event in hops}
    stored = next(event.at for event in history if event.event == "answered_done")
    answered = math.floor(call.answered_at_ms)
    order = _against(at[HopStep.ORDER_NOTIFICATION], answered)
    webhook = _against(at[HopStep.WEBHOOK_SENT], answered)
    after = f"the answer came {answered - stored} ms after the result was stored"
    return f"{after}, 2' {order} it, the webhook {webhook} it"


def _against(at_ms: int, answered_ms: int) -> str:
    return f"{abs(at_ms - answered_ms)} ms {'before' if at_ms < answered_ms else 'after'}"


def all_after_the_answer(call: Call, hops: Iterable[TraceEvent]) -> list[str]:
    """Nothing that was sent to a system that hangs was taken before the till had its answer."""
    return [
        f"{call.order_id}: {trace_event.step} was taken before the answer, by a system that should hang"
        for trace_event in hops
        if trace_event.at_ms < math.floor(call.answered_at_ms)
    ]


def told_once(payments: Iterable[Mapping[str, Any]], orders: Sequence[Mapping[str, Any]]) -> list[str]:
    """HiPay has one order notification for each payment, and no other."""
    known = sorted(str(row["id"]) for row in payments)
    told = sorted(str(order["reference"]) for order in orders)
    return [] if told == known else [f"HiPay was told of {told}, payments are {known}"]


def webhooks_as_stored(
    payments: Iterable[Mapping[str, Any]], received: Sequence[Mapping[str, Any]]
) -> list[str]:
    """The merchant's server has one verified webhook for each payment, which says what is stored."""
    problems = []
    for row in payments:
        said = webhook_of(row["id"], received)
        told = (said["type"], said["state"], said["order_id"])
        stored = (f"payment.{row['state']}", row["state"], row["order_id"])
        if told != stored:
            problems.append(f"{row['id']}: the webhook says {told}, stored is {stored}")
    return problems


def same_sums(
    payments: Iterable[Mapping[str, Any]], line: str, totals: Mapping[str, int], collected: Mapping[str, Any]
) -> list[str]:
    """Console and acquirer against the stored payments of the terminal with a gateway, in cents."""
    paid = sum(
        row["paid_cents"]
        for row in payments
        if row["terminal_address"] == line and row["state"] == "succeeded"
    )
    sums = {"Console": totals["captured_cents"], "acquirer": collected["sum_cents"]}
    return [f"{name}: {cents} cents, paid were {paid}" for name, cents in sums.items() if cents != paid]
