from dataclasses import replace
from typing import Any

import pytest
from demo_records import LINE, PAYMENT, T, call, history, offline_hops, records, row

from sandbox.demo.errors import Unexpected
from sandbox.demo.hop_steps import hop_steps, numbered
from sandbox.demo.partner_checks import (
    all_after_the_answer,
    as_ordered,
    beside_the_answer,
    same_sums,
    told_once,
    webhook_of,
    webhooks_as_stored,
    whole_flow,
)
from sandbox.demo.timeline import Step, in_order, steps_of
from sandbox.hipay.rules.statuses import Status
from sandbox.tracing.steps import Flow

FLOW = Flow.WITHOUT_AUTHORISATION


def flow_steps() -> list[Step]:
    return in_order([*numbered(steps_of(records()), FLOW), *hop_steps(offline_hops(), T, FLOW)])


def transaction() -> dict[str, Any]:
    return {
        "payment_id": PAYMENT,
        "status": 118,
        "captured_cents": 640,
        "payment": {"masked_pan": "497010******7893", "authorisation_number": None},
        "order": {**call().order["order"], "initialize_payment_terminal": True},
        "customer": {},
    }


def webhook(**changed: Any) -> dict[str, Any]:
    content = {
        "payment_id": PAYMENT,
        "type": "payment.succeeded",
        "state": "succeeded",
        "order_id": "TABLE-3",
    }
    return {"is_taken": True, "status": 200, "because": None, "content": content} | changed


def test_a_whole_flow_in_its_order_raises_no_objection() -> None:
    """The step beside the others has a time of its own."""
    assert whole_flow(flow_steps(), FLOW) == []


def test_a_step_that_is_missing_and_one_that_came_too_early_are_found() -> None:
    """By their numbers in the picture."""
    steps = flow_steps()
    stored = next(step for step in steps if step.number == "5")

    [missing] = whole_flow([step for step in steps if step is not stored], FLOW)
    [early] = whole_flow([stored, *(step for step in steps if step is not stored)], FLOW)

    assert "'5'" in missing
    assert "came in the order" in early


def test_a_transaction_has_all_that_the_till_sent_and_was_answered() -> None:
    """HiPay may have more: defaults."""
    assert as_ordered(transaction(), call(), Status.CAPTURED) == []


@pytest.mark.parametrize(
    "changed",
    [
        {"payment_id": "pay_other"},
        {"status": 116},
        {"captured_cents": 639},
        {"payment": {"masked_pan": "497010******0000", "authorisation_number": None}},
        {"payment": {"masked_pan": "497010******7893", "authorisation_number": "184117"}},
        {"order": {"order_id": "TABLE-3"}},
    ],
    ids=["payment", "status", "amount", "card", "number", "order"],
)
def test_a_transaction_that_differs_in_one_thing_is_found(changed: dict[str, Any]) -> None:
    """One line says in what."""
    assert len(as_ordered(transaction() | changed, call(), Status.CAPTURED)) == 1


def test_a_webhook_that_is_missing_doubled_or_refused_is_found() -> None:
    """One, verified, that says what is stored."""
    assert webhook_of(PAYMENT, [webhook()])["type"] == "payment.succeeded"
    assert webhooks_as_stored([row()], [webhook()]) == []
    assert webhooks_as_stored([row() | {"state": "refused"}], [webhook()])
    for received in ([], [webhook(), webhook()], [webhook(is_taken=False, status=403)]):
        with pytest.raises(Unexpected):
            webhook_of(PAYMENT, received)


def test_orders_that_hipay_heard_of_not_at_all_or_twice_are_found() -> None:
    """One notification for each payment."""
    order = {"reference": PAYMENT}

    assert told_once([row()], [order]) == []
    assert told_once([row()], [])
    assert told_once([row()], [order, order])


def test_what_was_taken_before_the_answer_by_a_system_that_hangs_is_found() -> None:
    """The answer came 512 ms after the request."""
    late = [replace(one, at_ms=T + 512) for one in offline_hops()]

    assert all_after_the_answer(call(), late) == []
    assert all_after_the_answer(call(), [*late, offline_hops()[0]])


def test_the_times_beside_the_answer_are_said_in_words() -> None:
    """Stored after 500 ms, answered after 512."""
    assert beside_the_answer(call(), history(), offline_hops()) == (
        "the answer came 12 ms after the result was stored, 2' 499 ms before it, the webhook 8 ms after it"
    )


def test_sums_that_differ_from_the_stored_payments_by_a_cent_are_found() -> None:
    """Only payments of that terminal count, and only those that succeeded."""
    rows = [
        row() | {"terminal_address": LINE},
        row() | {"terminal_address": LINE, "state": "refused"},
        row() | {"terminal_address": "127.0.0.9:8888"},
    ]

    assert same_sums(rows, LINE, {"captured_cents": 640}, {"sum_cents": 640}) == []
    assert len(same_sums(rows, LINE, {"captured_cents": 641}, {"sum_cents": 639})) == 2
