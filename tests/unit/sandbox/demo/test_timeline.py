from dataclasses import replace

from demo_records import PAYMENT, T, call, history, messages, records, session

from sandbox.demo.broker_tap import Passed
from sandbox.demo.stored import StoredEvent
from sandbox.demo.timeline import LineHeld, steps_of


def test_a_payment_is_told_from_till_to_till_in_the_order_of_time() -> None:
    """Every record is one step, with who spoke to whom and after how many milliseconds."""
    told = [(int(step.after_ms), step.sender, step.receiver) for step in steps_of(records())]

    assert told == [
        (0, "till", "API"),
        (6, "API", "database"),
        (9, "API", "RabbitMQ"),
        (12, "RabbitMQ", "worker 1"),
        (15, "worker 1", "database"),
        (16, "worker 1", "terminal B"),
        (498, "terminal B", "worker 1"),
        (500, "worker 1", "database"),
        (503, "worker 1", "RabbitMQ"),
        (504, "RabbitMQ", "API"),
        (512, "API", "till"),
    ]


def test_frames_carry_their_fields_and_no_other_step_does() -> None:
    """Decoded from the bytes in the terminal's ledger."""
    with_fields = [step for step in steps_of(records()) if step.fields]

    assert [[field.tag for field in step.fields] for step in with_fields] == [
        ["CZ", "CB", "CD", "CE", "CF"],
        ["CZ", "CB", "CD", "AE", "CF"],
    ]
    assert with_fields[1].fields[3].said == "10 = done"


def test_steps_of_one_millisecond_come_in_the_order_in_which_they_must_have_happened() -> None:
    """The database and the terminals write whole milliseconds, till and broker's tap fractions of them."""
    at_once = [replace(event, at=T) for event in history()]
    seen_at_once = [replace(message, at_ms=T + 0.9) for message in messages()]
    quick = session()
    for passage in quick.passages:
        passage.at_ms = T

    steps = steps_of(
        records(
            calls=[call(answered_at_ms=T + 0.95)], events=at_once, messages=seen_at_once, sessions=[quick]
        )
    )

    assert [step.turn for step in steps] == sorted(step.turn for step in steps)
    assert (steps[0].sender, steps[-1].receiver) == ("till", "till")


def test_a_replayed_answer_takes_no_way_beyond_the_api() -> None:
    """Where nothing was recorded nothing is told."""
    again = call()
    again.body["payment"]["replayed"] = True

    steps = steps_of(records(calls=[again], events=[], messages=[], sessions=[]))

    assert [(step.sender, step.receiver) for step in steps] == [("till", "API"), ("API", "till")]
    assert steps[-1].text == "200 Success, receipt, replayed: true"


def test_a_payment_that_waits_for_its_terminal_says_so_and_is_published_by_the_worker_that_freed_it() -> None:
    """The worker's log line and its message on the wire."""
    freed = Passed(T + 506.0, "worker 1", True, "payments", "payment", PAYMENT, "reply.1")

    steps = steps_of(records(messages=[freed], held=[LineHeld(T + 20.0, "w-id", PAYMENT)]))

    told = [(step.sender, step.receiver, step.text) for step in steps]
    assert (
        "worker 1",
        "database",
        "finds the terminal held by the other payment: this one waits in the line",
    ) in told
    assert ("worker 1", "RabbitMQ", "into payments, reply to reply.1") in told


def test_a_failure_is_told_with_its_code_and_words() -> None:
    """As the contract's answer has them."""
    failed = call()
    failed.body.update(paymentStatus="Failed", errorCode="04", errorDescription="refused", receipt="")

    [*_, last] = steps_of(records(calls=[failed]))

    assert last.text == "200 Failed, errorCode 04 (refused)"


def test_an_error_is_told_with_its_code() -> None:
    """An error body has no paymentStatus."""
    body = {"error": {"code": "timeout.terminal.gateway.timeout"}, "payment": {"id": PAYMENT}}

    [*_, last] = steps_of(records(calls=[call(status=504, body=body)]))

    assert last.text == "504 timeout.terminal.gateway.timeout"


def test_a_notification_is_told_from_who_published_it_to_the_notifier() -> None:
    """An order's by the API once the payment is stored, a result's by the worker that stored it."""
    passed = [
        Passed(T + 6.9, "API", True, "notify.hipay", "notification", PAYMENT, None),
        Passed(T + 7.4, "notifier", False, "notify.hipay", "notification", PAYMENT, None),
        Passed(T + 500.9, "worker 1", True, "notify.merchant", "notification", PAYMENT, None),
        Passed(T + 502.1, "notifier", False, "notify.merchant", "notification", PAYMENT, None),
    ]

    told = [
        (step.sender, step.receiver, step.text)
        for step in steps_of(records(messages=passed))
        if step.receiver in {"RabbitMQ", "notifier", "database"}
    ]

    assert told[1:3] == [
        ("API", "RabbitMQ", "into notify.hipay"),
        ("RabbitMQ", "notifier", "delivers from notify.hipay"),
    ]
    assert told[-2:] == [
        ("worker 1", "RabbitMQ", "into notify.merchant"),
        ("RabbitMQ", "notifier", "delivers from notify.merchant"),
    ]


def test_evidence_of_the_gateway_is_told_apart_from_the_result() -> None:
    """It comes beside the answer and is stored by the API."""
    evidence = StoredEvent(PAYMENT, T + 505, "evidence", "succeeded", {})

    [told] = [step for step in steps_of(records(events=[*history(), evidence])) if "evidence" in step.text]

    assert (told.sender, told.receiver) == ("API", "database")
