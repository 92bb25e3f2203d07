"""The spans of this process: none while tracing is off, which costs a comparison with None.

Attributes are ids, names, numbers and codes: no texts of terminals, clients or errors, and nothing of a card.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Literal, Protocol

from shared.tracing.context import TraceContext

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """A span that is open."""

    def rename(self, name: str) -> None: ...

    def set(self, attributes: Attributes) -> None: ...

    def fail(self, error_type: str) -> None:
        """Mark the span as failed; `error_type` is one of few."""
        ...


class Tracer(Protocol):
    """The tracer of a process that traces."""

    def span(self, name: str, kind: Kind, attributes: Attributes) -> AbstractContextManager[Span]: ...

    def continued(self, context: TraceContext | None) -> AbstractContextManager[None]: ...

    def current(self) -> TraceContext | None: ...

    def exemplar(self) -> dict[str, str] | None: ...


class _NoSpan:
    """A span that nobody records."""

    def rename(self, name: str) -> None:
        """Do nothing."""

    def set(self, attributes: Attributes) -> None:
        """Do nothing."""

    def fail(self, error_type: str) -> None:
        """Do nothing."""


class _Switch:
    """The tracer of this process; None: tracing is off."""

    tracer: Tracer | None = None


NO_SPAN: Final[Span] = _NoSpan()
_UNRECORDED: Final = nullcontext(NO_SPAN)
_NOTHING: Final[AbstractContextManager[None]] = nullcontext()
_NO_ATTRIBUTES: Final[Attributes] = {}

#: One for the process, as its log is.
_switch: Final = _Switch()


def set_tracer(tracer: Tracer | None) -> None:
    """Switch tracing on, or off with None."""
    _switch.tracer = tracer


def is_tracing() -> bool:
    return _switch.tracer is not None


def unrecorded() -> AbstractContextManager[Span]:
    """Return what `span` does while tracing is off, for callers that would build attributes for nothing."""
    return _UNRECORDED


def span(
    name: str, kind: Kind = "internal", attributes: Attributes = _NO_ATTRIBUTES
) -> AbstractContextManager[Span]:
    """Record the block as a child of the current span; an exception marks it as failed by its type's name.

    Log lines inside the block have the field `trace_id`.
    """
    tracer = _switch.tracer
    return _UNRECORDED if tracer is None else tracer.span(name, kind, attributes)


def continued(context: TraceContext | None) -> AbstractContextManager[None]:
    """Let spans of the block belong to a caller's trace, whatever span is open; None: to a new one each."""
    tracer = _switch.tracer
    return _NOTHING if tracer is None else tracer.continued(context)


def current() -> TraceContext | None:
    """Return the context of the open span, for a message or a row; None without one."""
    tracer = _switch.tracer
    return None if tracer is None else tracer.current()


def exemplar() -> dict[str, str] | None:
    """Return the labels of a measured value's exemplar: its trace; None where nobody records it."""
    tracer = _switch.tracer
    return None if tracer is None else tracer.exemplar()
