from typing import Any

import pytest

from sandbox.demo.steps import WORKER, of_history, of_session, of_trace
from sandbox.terminal.device.session_log import SessionRecord
from sandbox.tracing.steps import Step, System
from sandbox.tracing.trace import TraceEvent

WORKERS = {"w-1": "worker 1", "w-2": "worker 2"}
AT = "2026-11-29T02:00:00.015Z"
#: Those whose texts need nothing of the event's detail are left out.
DETAIL: dict[str, Any] = {
    "order_id": "TABLE-3",
    "operation": "debit",
    "amount_cents": 640,
    "sum_cents": 640,
    "brand": "cb",
    "card": "497010",
    "mode": "contact",
    "pin": "right",
    "code": None,
    "description": None,
    "message": "Approved",
    "authorisation_number": "123456",
    "number": 1,
    "result": "done",
    "status": 116,
    "payment_status": "Success",
    "transaction_id": "0001",
    "transaction_reference": "0002",
    "type": "payment.succeeded",
    "batch": 1,
    "count": 3,
    "replayed": True,
    "resolved_by": "enquiry",
    "has_receipt": True,
}


def trace_event(step: Step, source: System = System.TERMINAL, target: System = System.TERMINAL) -> TraceEvent:
    return TraceEvent(1, 15, source, target, step, None, DETAIL)


@pytest.mark.parametrize("step", [step for step in Step if not step.endswith(("acknowledged", "taken"))])
def test_every_trace_event_but_mere_acknowledgements_is_a_step(step: Step) -> None:
    """With a text that has everything in its place."""
    made = of_trace(trace_event(step), is_brief=False)

    assert made is not None
    assert "{" not in made.text
    assert made.text


def test_what_banks_say_to_each_other_is_left_out_where_it_is_brief() -> None:
    """The terminal's own question stays."""
    between = trace_event(Step.AUTHORISATION_ASKED, System.NEPTING, System.ACQUIRER)
    own = trace_event(Step.AUTHORISATION_ASKED, System.TERMINAL, System.PRELUDD)

    assert of_trace(between, is_brief=True) is None
    assert of_trace(between, is_brief=False) is not None
    assert of_trace(own, is_brief=True) is not None


def test_the_registers_answer_says_how_it_came_about() -> None:
    """The contract's status, then what is worth knowing."""
    made = of_trace(trace_event(Step.RESULT_TO_REGISTER), is_brief=True)

    assert made is not None
    assert made.text == "116 Success, receipt, replayed, resolved by enquiry"


def test_a_takeover_names_both_workers_and_the_new_one_has_the_payment() -> None:
    """Steps that follow are the new one's."""
    detail = {"worker": "w-1", "taken_over_by": "w-2"}
    made = of_history({"at": AT, "event": "outcome_lost", "state": "in_doubt", "detail": detail}, WORKERS)

    assert made is not None
    assert (made.sender, made.text) == ("worker 2", "takes over the terminal lock of worker 1: in_doubt")
    assert made.begins_work


def test_an_enquiry_is_two_steps_of_the_payments_worker() -> None:
    """From the terminal's own record; payments are in the trace already."""
    asked, answered = of_session(SessionRecord("127.0.0.1:1", operation="enquiry", closed_at_ms=20))

    assert (asked.sender, asked.receiver) == (WORKER, "terminal")
    assert answered.by_worker("worker 2").receiver == "worker 2"
    assert of_session(SessionRecord("127.0.0.1:1", operation="debit", closed_at_ms=20)) == []
