"""A payment's diagram is lit by its events."""

from typing import Any

from sandbox.flow.diagram import draw, relative
from sandbox.flow.story import Batch, payments_in, story_of
from sandbox.tracing.steps import NUMBERS, Flow, Step, System
from sandbox.tracing.trace import TraceEvent

PAYMENT, OTHER = "pay_1", "pay_2"
ORDER = {"order_id": "O-1"}
S, T = System, Step


class Events:
    """Trace events ten milliseconds apart."""

    def __init__(self) -> None:
        self.all: list[TraceEvent] = []

    def add(self, source: System, target: System, step: Step, reference: str | None, **detail: Any) -> None:
        number = len(self.all) + 1
        self.all.append(TraceEvent(number, 1000 + 10 * number, source, target, step, reference, detail))

    def flow(self, flow: Flow, reference: str | None, **detail: Any) -> None:
        for step, source, target in NUMBERS[flow]:
            named = None if step is T.ORDER_SENT or source is S.REGISTER else reference
            self.add(source, target, step, named, **detail)


def test_a_whole_payment_lights_every_step() -> None:
    """Thirteen of thirteen; times count from step 1."""
    events = Events()
    events.flow(Flow.WITH_AUTHORISATION, PAYMENT, **ORDER)

    story = story_of(PAYMENT, events.all, batch=None)
    drawn = draw(Flow.WITH_AUTHORISATION, story.events, start_ms=story.start_ms)

    assert story.flow is Flow.WITH_AUTHORISATION
    assert (drawn.lit_count, drawn.step_count) == (13, 13)
    assert (drawn.arrows[0].time, drawn.arrows[1].time) == ("+0 ms", "+10 ms")


def test_steps_that_did_not_happen_stay_dark() -> None:
    """An order of another client: the register's steps are dark, or say when the API took the order."""
    events = Events()
    events.add(S.CLOUD_API, S.TERMINAL, T.TERMINAL_CALLED, PAYMENT)
    history = [{"at": "1970-01-01T00:00:01.000Z", "event": "accepted", "state": "queued"}]

    without = draw(Flow.WITH_AUTHORISATION, story_of(PAYMENT, events.all, batch=None).events, start_ms=1000)
    story = story_of(PAYMENT, events.all, batch=None, history=history)
    drawn = draw(
        Flow.WITH_AUTHORISATION, story.events, start_ms=story.start_ms, accepted_at_ms=story.accepted_at_ms
    )

    assert without.arrows[0].time is None
    assert (drawn.arrows[0].time, drawn.arrows[1].time, drawn.lit_count) == ("+0 ms", "+10 ms", 2)


def test_the_list_has_operation_and_state_in_the_order_of_the_orders() -> None:
    """The second order is cancelled while it waits: its first event is its answer."""
    events = Events()
    for order_id in ("A", "B"):
        events.add(S.REGISTER, S.CLOUD_API, T.ORDER_SENT, None, order_id=order_id, operation="debit")
    events.add(S.CLOUD_API, S.REGISTER, T.RESULT_TO_REGISTER, OTHER, order_id="B", state="cancelled")
    events.add(S.CLOUD_API, S.HIPAY, T.ORDER_NOTIFICATION, PAYMENT, order_id="A", operation="credit")

    listed = payments_in(events.all)

    assert [(one.order_id, one.operation, one.state) for one in listed] == [
        ("B", None, "cancelled"),
        ("A", "credit", None),
    ]
    assert [one.began_at_ms for one in listed] == [1020, 1010]


def test_a_late_webhook_does_not_return_a_settled_payment_to_doubt() -> None:
    """The merchant's server may get them in any order."""
    events = Events()
    events.add(S.CLOUD_API, S.TERMINAL, T.TERMINAL_CALLED, PAYMENT)
    for state in ("succeeded", "in_doubt"):
        events.add(S.CLOUD_API, S.MERCHANT, T.WEBHOOK_SENT, PAYMENT, state=state)

    assert [one.state for one in payments_in(events.all)] == ["succeeded"]


def test_the_order_that_began_a_payment_is_its_first_step() -> None:
    """The same order sent again after a failure begins another payment; one that joins a payment does not."""
    events = Events()
    events.add(S.REGISTER, S.CLOUD_API, T.ORDER_SENT, None, **ORDER)
    events.add(S.CLOUD_API, S.HIPAY, T.ORDER_NOTIFICATION, PAYMENT, **ORDER)
    events.add(S.REGISTER, S.CLOUD_API, T.ORDER_SENT, None, **ORDER)
    events.add(S.CLOUD_API, S.HIPAY, T.ORDER_NOTIFICATION, OTHER, **ORDER)
    events.add(S.REGISTER, S.CLOUD_API, T.ORDER_SENT, None, **ORDER)

    assert story_of(PAYMENT, events.all, batch=None).events[0].number == 1
    assert story_of(OTHER, events.all, batch=None).events[0].number == 3
    assert [one.payment_id for one in payments_in(events.all)] == [OTHER, PAYMENT]


def test_a_collection_is_that_of_its_batch() -> None:
    """The journal names one of two collections; HiPay's later events belong to it."""
    events = Events()
    events.flow(Flow.WITHOUT_AUTHORISATION, PAYMENT, **ORDER)
    for batch in (1, 2):
        events.add(S.TERMINAL, S.PRELUDD, T.COLLECTION_SENT, None, serial="CT", batch=batch)
        events.add(S.PRELUDD, S.TERMINAL, T.COLLECTION_ACKNOWLEDGED, None, serial="CT", batch=batch)
    events.add(S.PRELUDD, S.HIPAY, T.COLLECTION_PUSHED, PAYMENT)
    events.add(S.HIPAY, S.HIPAY, T.STATUS_CHANGED, PAYMENT, status=118, message="Captured")

    story = story_of(PAYMENT, events.all, batch=Batch("CT", 2))

    assert story.flow is Flow.WITHOUT_AUTHORISATION
    assert [event.step for event in story.collection] == [
        T.COLLECTION_SENT,
        T.COLLECTION_ACKNOWLEDGED,
        T.COLLECTION_PUSHED,
        T.STATUS_CHANGED,
    ]
    assert {event.detail.get("batch") for event in story.collection} == {2, None}
    assert T.COLLECTION_PUSHED not in [event.step for event in story.events]


def test_a_repeated_event_is_shown_once_with_its_count() -> None:
    """A doubled push, at the time of the first."""
    events = Events()
    events.add(S.PRELUDD, S.HIPAY, T.AUTHORISATION_PUSHED, PAYMENT)
    events.add(S.PRELUDD, S.HIPAY, T.AUTHORISATION_PUSHED, PAYMENT)

    drawn = draw(Flow.WITH_AUTHORISATION, events.all, start_ms=1000)

    (pushed,) = [arrow for arrow in drawn.arrows if arrow.is_lit]
    assert (pushed.time, pushed.repeats) == ("+10 ms", 2)


def test_long_times_are_in_seconds() -> None:
    """From ten seconds on."""
    assert relative(9_999, 0) == "+9999 ms"
    assert relative(12_412, 0) == "+12.412 s"
    assert relative(0, 5) == "-5 ms"
