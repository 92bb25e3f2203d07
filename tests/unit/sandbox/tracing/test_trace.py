"""The trace keeps events, and followers get each of them."""

import asyncio

import pytest

from sandbox.tracing.steps import NUMBERS, Flow, Step, System
from sandbox.tracing.trace import KEPT_EVENTS, Trace, payment_events
from shared.runtime.clock import SystemClock


def _say(trace: Trace, reference: str | None = None) -> int:
    return trace.record(System.TERMINAL, System.PRELUDD, Step.AUTHORISATION_ASKED, reference).number


def test_events_are_read_by_payment_and_from_a_number_on() -> None:
    """Oldest first; numbers go on after a reset."""
    trace = Trace(SystemClock())
    for reference in ("a", "b", "a"):
        _say(trace, reference)

    assert [event.number for event in trace.events("a")] == [1, 3]
    assert [event.number for event in trace.events(after=2)] == [3]
    trace.reset()
    assert trace.events() == []
    assert _say(trace) == 4


def test_the_oldest_events_are_dropped() -> None:
    """Memory is bounded."""
    trace = Trace(SystemClock())
    for _ in range(KEPT_EVENTS + 5):
        _say(trace)

    assert (len(trace.events()), trace.events()[0].number) == (KEPT_EVENTS, 6)


async def test_a_follower_gets_every_event_and_ends_with_the_trace() -> None:
    """From a number on, then live, through a reset, until closed."""
    trace = Trace(SystemClock())
    _say(trace)
    received: list[int] = []
    three, four = asyncio.Event(), asyncio.Event()

    async def follow() -> None:
        async for event in trace.subscribe(after=0):
            received.append(event.number)
            {3: three, 4: four}.get(event.number, asyncio.Event()).set()

    following = asyncio.create_task(follow())
    _say(trace)
    _say(trace)
    async with asyncio.timeout(20):
        await three.wait()
        trace.reset()
        _say(trace)
        await four.wait()
        trace.close()
        await following

    assert received == [1, 2, 3, 4]


async def test_a_stream_may_be_one_payments() -> None:
    """A server-sent event `trace_event`, its id the number by which a browser goes on."""
    trace = Trace(SystemClock())
    for reference in ("a", "b"):
        _say(trace, reference)

    async with asyncio.timeout(20):
        event = await anext(payment_events(trace, reference="b", after=0))

    assert (event.event, event.id, event.data["reference"]) == ("trace_event", "2", "b")


@pytest.mark.parametrize(
    ("flow", "last"),
    [(Flow.WITH_AUTHORISATION, 13), (Flow.WITHOUT_AUTHORISATION, 7), (Flow.COLLECTION, 8)],
    ids=str,
)
def test_the_flows_have_hipays_numbers(flow: Flow, last: int) -> None:
    """13, 7 and 8 steps, each number there, in order."""
    numbers = [int(number.removesuffix("'")) for number in NUMBERS[flow].values()]

    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, last + 1))
    assert (Step.STATUS_CHANGED, System.HIPAY, System.HIPAY) not in NUMBERS[flow]


async def test_a_follower_of_an_earlier_process_gets_events_from_now_on() -> None:
    """Its number is larger than any that was given since: it waits for none of them."""
    trace = Trace(SystemClock())
    _say(trace)
    following = trace.subscribe(after=500)

    received = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    _say(trace)

    assert (await asyncio.wait_for(received, 10)).number == 2
