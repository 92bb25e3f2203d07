import pytest
from demo_records import T, offline_hops, records, trace_event

from sandbox.demo.hop_steps import hop_steps, numbered
from sandbox.demo.timeline import in_order, steps_of
from sandbox.tracing.steps import NUMBERS, Flow, Step, System

#: Everything that a hop of any step says.
DETAIL = {
    "order_id": "TABLE-3",
    "amount_cents": 640,
    "sum_cents": 5500,
    "count": 2,
    "batch": 1,
    "brand": "cb",
    "card": "497010******7893",
    "mode": "contact",
    "pin": "right",
    "code": "00",
    "message": "Approved",
    "authorisation_number": "184117",
    "number": 1,
    "result": "done",
    "transaction_id": "1",
    "transaction_reference": "179587711801",
    "status": 116,
    "type": "payment.succeeded",
}


def test_a_flow_is_told_with_its_numbers_each_once_and_the_terminals_frames_in_their_place() -> None:
    """What till, worker and terminal recorded themselves stands for the hops that say the same."""
    flow = Flow.WITHOUT_AUTHORISATION

    steps = in_order([*numbered(steps_of(records()), flow), *hop_steps(offline_hops(), T, flow)])

    told = [(step.number, step.sender, step.receiver) for step in steps if step.number]
    assert told == [
        ("1", "till", "API"),
        ("2'", "notifier", "HiPay"),
        ("2", "worker 1", "terminal B"),
        ("3", "terminal C", "customer"),
        ("4", "terminal C", "customer"),
        ("5", "terminal C", "journal"),
        ("6", "terminal B", "worker 1"),
        ("7", "API", "till"),
    ]


def test_notification_and_webhook_are_told_with_when_they_came_and_that_they_were_verified() -> None:
    """Relative to the till's request, as all steps are."""
    steps = hop_steps(offline_hops(), T, None)

    told = [(step.after_ms, step.text) for step in steps if "notifier" in {step.sender, step.receiver}]
    assert told == [
        (13, "order notification of TABLE-3: signature and credentials are right"),
        (13, "acknowledged"),
        (520, "webhook payment.succeeded"),
        (521, "acknowledged: signature verified"),
    ]
    assert {step.number for step in steps} == {""}


def test_an_acknowledgement_is_told_where_it_is_a_step_of_the_picture() -> None:
    """HiPay's to Preludd is step 6 of a collection, and noise beside an authorisation."""
    pushed = trace_event(Step.COLLECTION_PUSH_ACKNOWLEDGED, System.HIPAY, System.PRELUDD, 14, **DETAIL)

    [told] = hop_steps([pushed], T, Flow.COLLECTION)

    assert (told.number, told.text) == ("6", "acknowledged")
    assert hop_steps([pushed], T, Flow.WITH_AUTHORISATION) == []


@pytest.mark.parametrize("flow", list(Flow))
def test_every_step_of_a_flow_has_words(flow: Flow) -> None:
    """A hop without any would end the demo."""
    hops = [trace_event(step, source, target, 5, **DETAIL) for step, source, target in NUMBERS[flow]]

    assert all(step.text and step.number for step in hop_steps(hops, T, flow))


def test_a_refusal_is_told_with_its_code_and_no_authorisation_number() -> None:
    """As the issuer says it."""
    refused = {"code": "51", "message": "Insufficient funds", "authorisation_number": None}
    answered = trace_event(Step.AUTHORISATION_ANSWERED, System.ISSUER, System.ACQUIRER, 8, **refused)

    [told] = hop_steps([answered], T, Flow.WITH_AUTHORISATION)

    assert (told.number, told.text) == ("8", "51 Insufficient funds")
