"""The hub of hops keeps what passed, and tells who follows."""

import asyncio

import pytest

from sandbox.tracing.steps import NUMBERS, Flow, Step, System, number_in
from sandbox.tracing.stream import hop_events
from sandbox.tracing.trace import KEPT_HOPS, Trace
from shared.runtime.clock import SystemClock


def _say(trace: Trace, reference: str | None = None) -> int:
    return trace.record(System.TERMINAL, System.PRELUDD, Step.AUTHORISATION_ASKED, reference).number


def test_hops_are_read_by_payment_and_from_a_number_on() -> None:
    """Oldest first; numbers go on after a reset."""
    trace = Trace(SystemClock())
    for reference in ("a", "b", "a"):
        _say(trace, reference)

    assert [trace_event.number for trace_event in trace.hops("a")] == [1, 3]
    assert [trace_event.number for trace_event in trace.hops(after=2)] == [3]
    trace.reset()
    assert trace.hops() == []
    assert _say(trace) == 4


def test_the_oldest_hops_are_forgotten() -> None:
    """Memory is bounded."""
    trace = Trace(SystemClock())
    for _ in range(KEPT_HOPS + 5):
        _say(trace)

    assert (len(trace.hops()), trace.hops()[0].number) == (KEPT_HOPS, 6)


async def test_a_follower_hears_every_hop_and_ends_with_the_trace() -> None:
    """From a number on, then live, through a reset, until closed."""
    trace = Trace(SystemClock())
    _say(trace)
    heard: list[int] = []
    three, four = asyncio.Event(), asyncio.Event()

    async def follow() -> None:
        async for trace_event in trace.subscribe(after=0):
            heard.append(trace_event.number)
            {3: three, 4: four}.get(trace_event.number, asyncio.Event()).set()

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

    assert heard == [1, 2, 3, 4]


async def test_events_are_one_payments_where_asked() -> None:
    """A hop is an event named `trace_event`, its id the number by which a browser goes on."""
    trace = Trace(SystemClock())
    for reference in ("a", "b"):
        _say(trace, reference)

    async with asyncio.timeout(20):
        event = await anext(hop_events(trace, reference="b", after=0))

    assert (event.event, event.id, event.data["reference"]) == ("hop", "2", "b")


@pytest.mark.parametrize(
    ("flow", "last"),
    [(Flow.WITH_AUTHORISATION, 13), (Flow.WITHOUT_AUTHORISATION, 7), (Flow.COLLECTION, 8)],
    ids=str,
)
def test_the_flows_have_the_sources_numbers(flow: Flow, last: int) -> None:
    """13, 7 and 8 steps, each number there, in order."""
    numbers = [int(number.removesuffix("'")) for number in NUMBERS[flow].values()]

    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(1, last + 1))
    assert number_in(flow, Step.STATUS_CHANGED, System.HIPAY, System.HIPAY) is None


async def test_a_follower_of_an_earlier_process_hears_what_comes_from_now_on() -> None:
    """Its number is larger than any that was given since: it waits for none of them."""
    trace = Trace(SystemClock())
    _say(trace)
    following = trace.subscribe(after=500)

    heard = asyncio.ensure_future(anext(following))
    await asyncio.sleep(0)
    _say(trace)

    assert (await asyncio.wait_for(heard, 10)).number == 2
