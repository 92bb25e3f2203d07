"""W3C trace context, as headers of HTTP requests and of messages carry it.

A client may send anything: only what is well formed and short is passed on.
"""

import re
from dataclasses import dataclass
from typing import Final

TRACEPARENT: Final = "traceparent"
TRACESTATE: Final = "tracestate"
#: The specification's limits of a tracestate.
MOST_CHARACTERS: Final = 512
MOST_MEMBERS: Final = 32

#: Version, trace, span and flags; neither id is zero, and version `ff` is none.
_TRACEPARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_KEY: Final = r"[a-z0-9][a-z0-9_\-*/]{0,240}(@[a-z][a-z0-9_\-*/]{0,13})?"
#: Printable ASCII but for `,` and `=`.
_VALUE: Final = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER: Final = re.compile(rf"{_KEY}={_VALUE}")


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A span of another process, which spans of this one continue."""

    traceparent: str
    tracestate: str | None = None


def well_formed_traceparent(value: object) -> str | None:
    """Return the value if it is a `traceparent`, else None."""
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None


def trace_context(traceparent: object, tracestate: object = None) -> TraceContext | None:
    """Return the context of two headers; None without a well-formed `traceparent`.

    A `tracestate` that is malformed or too long is left out.
    """
    parent = well_formed_traceparent(traceparent)
    return None if parent is None else TraceContext(parent, _well_formed_tracestate(tracestate))


def _well_formed_tracestate(value: object) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= MOST_CHARACTERS:
        return None
    members = [member for text in value.split(",") if (member := text.strip(" \t"))]
    if len(members) > MOST_MEMBERS or not all(map(_MEMBER.fullmatch, members)):
        return None
    return ",".join(members) or None
