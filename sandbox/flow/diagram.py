"""Sequence diagram as numbers: lifelines and arrows, lit or not. Pure; the template draws it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sandbox.flow.rows import SYSTEM_NAMES, Row, rows_of, systems_of
from sandbox.tracing.steps import Flow, Step, System
from sandbox.tracing.trace import TraceEvent

LEFT: Final = 118
COLUMN: Final = 102
TOP: Final = 66
ROW_HEIGHT: Final = 31
#: Between the numbered steps and what follows them.
GAP: Final = 40


@dataclass(frozen=True, slots=True)
class Lifeline:
    """A system and its vertical line."""

    name: str
    x: int
    is_lit: bool


@dataclass(frozen=True, slots=True)
class Arrow:
    """One row. `time` is relative to the diagram's start, e.g. `+412 ms`; None: it did not happen."""

    number: str | None
    label: str
    y: int
    x_from: int
    x_to: int
    is_self: bool
    time: str | None
    #: Number of events, where more than one; else 0.
    repeats: int
    #: The event's fields, as a tooltip.
    detail: str

    @property
    def is_lit(self) -> bool:
        return self.time is not None

    @property
    def x_middle(self) -> int:
        return (self.x_from + self.x_to) // 2

    @property
    def direction(self) -> int:
        return 1 if self.x_to > self.x_from else -1


@dataclass(frozen=True, slots=True)
class Diagram:
    """A whole diagram, in the units of its SVG."""

    width: int
    height: int
    lifelines: tuple[Lifeline, ...]
    arrows: tuple[Arrow, ...]
    #: Line between the numbered steps and the rows that follow; None: there is none.
    divider_y: int | None

    @property
    def lit_count(self) -> int:
        """Return the count of numbered steps that happened; a step of two rows needs both."""
        dark = {arrow.number for arrow in self.arrows if not arrow.is_lit}
        return len(self._numbers - dark)

    @property
    def step_count(self) -> int:
        return len(self._numbers)

    @property
    def _numbers(self) -> set[str]:
        # 2' is beside 2, as in HiPay's diagram.
        return {arrow.number for arrow in self.arrows if arrow.number and arrow.number.isdigit()}


def draw(
    flow: Flow, events: Sequence[TraceEvent], *, start_ms: int | None, accepted_at_ms: int | None = None
) -> Diagram:
    """Return the flow's diagram, lit by the events; step 1 by `accepted_at_ms` where no register sent it."""
    rows = rows_of(flow)
    systems = systems_of(rows)
    place = {system: LEFT + 50 + COLUMN * index for index, system in enumerate(systems)}
    arrows, y, divider_y, lit_systems = [], TOP, None, set[System]()
    for row in rows:
        if row.is_afterwards and divider_y is None:
            divider_y = y - 6
            y += GAP
        passed = [event for event in events if (event.step, event.source, event.target) == row.key]
        at_ms = passed[0].at_ms if passed else None
        if at_ms is None and row.step is Step.ORDER_SENT:
            at_ms = accepted_at_ms
        if at_ms is not None:
            lit_systems |= {row.source, row.target}
        arrows.append(_arrow(row, passed, at_ms, start_ms, y, place))
        y += ROW_HEIGHT
    lifelines = tuple(
        Lifeline(SYSTEM_NAMES[system], place[system], system in lit_systems) for system in systems
    )
    # A self-message of the last system needs room beside it.
    width = place[systems[-1]] + 56
    return Diagram(width, y + 6, lifelines, tuple(arrows), divider_y)


def _arrow(
    row: Row,
    passed: Sequence[TraceEvent],
    at_ms: int | None,
    start_ms: int | None,
    y: int,
    place: dict[System, int],
) -> Arrow:
    return Arrow(
        number=row.number,
        label=_label(row, passed),
        y=y,
        x_from=place[row.source],
        x_to=place[row.target],
        is_self=row.source is row.target,
        time=None if at_ms is None else relative(at_ms, start_ms if start_ms is not None else at_ms),
        repeats=len(passed) if len(passed) > 1 else 0,
        detail=_detail(passed[-1]) if passed else "",
    )


def relative(at_ms: int, start_ms: int) -> str:
    """Return `+412 ms`, or `+12.412 s` from ten seconds on."""
    passed = at_ms - start_ms
    return f"{passed:+d} ms" if abs(passed) < 10_000 else f"{passed / 1000:+.3f} s"


def _label(row: Row, passed: Sequence[TraceEvent]) -> str:
    """Return the row's label, with the answer's code or the transaction's status where it is known."""
    if not passed:
        return row.label
    detail = passed[-1].detail
    match row.step:
        case Step.AUTHORISATION_ANSWERED:
            return f"{'approved' if detail.get('approved') else 'refused'} {detail.get('code', '')}".strip()
        case Step.STATUS_CHANGED:
            return f"{detail.get('status')} {detail.get('message')}"
        case Step.TRANSACTION_STORED:
            return f"stored: {str(detail.get('result', '')).replace('_', ' ')}"
        case _:
            return row.label


def _detail(event: TraceEvent) -> str:
    return "\n".join(f"{name}: {value}" for name, value in event.detail.items() if value is not None)
