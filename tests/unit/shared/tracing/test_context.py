"""Trace contexts of clients and messages: only what is well formed and short is passed on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace.propagation import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.tracing.context import MOST_CHARACTERS, TraceContext, trace_context

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    "given_state",
    ["vendor=x", "a=1,b=2", " a=1 , b=2\t", "tenant@system=a b", ",".join(f"k{n}=v" for n in range(32))],
)
def test_a_well_formed_context_is_passed_on(given_state: str) -> None:
    """Blanks around the members of a tracestate are left out."""
    found = trace_context(PARENT, given_state)

    assert found == TraceContext(PARENT, ",".join(each.strip() for each in given_state.split(",")))


@pytest.mark.parametrize(
    "wrong",
    [
        None, 7, b"00", "", "x", PARENT.upper(), f"{PARENT} ", f"{PARENT}\n", f"{PARENT}-more",
        f"ff{PARENT[2:]}",
        PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", "0" * 32),
        PARENT.replace("00f067aa0ba902b7", "0" * 16),
    ],
)  # fmt: skip
def test_a_malformed_parent_is_no_context(wrong: object) -> None:
    assert trace_context(wrong, "vendor=x") is None


@pytest.mark.parametrize(
    "wrong",
    [
        None, "", ",", "=", "a", "a=", "A=1", "a=1,=2", "a=1\r\nX: y", "a=\x00", "a=\N{EURO SIGN}",
        "a=" + "1" * MOST_CHARACTERS, ",".join(f"k{n}=v" for n in range(33)),
    ],
)  # fmt: skip
def test_a_malformed_or_long_state_is_left_out(wrong: str | None) -> None:
    """The trace goes on without it."""
    assert trace_context(PARENT, wrong) == TraceContext(PARENT)


@given(parent=st.one_of(st.text(max_size=80), st.just(PARENT)), state=st.text(max_size=600))
def test_whatever_is_sent_what_is_passed_on_is_short_and_the_sdk_reads_the_same(
    parent: str, state: str
) -> None:
    """Two printable headers without line breaks, or nothing."""
    found = trace_context(parent, state)

    if found is not None:
        assert found.traceparent == parent
        assert len(found.tracestate or "") <= MOST_CHARACTERS
        assert f"{found.traceparent}{found.tracestate}".isprintable()
        read = get_current_span(TraceContextTextMapPropagator().extract({"traceparent": found.traceparent}))
        assert read.get_span_context().is_valid
