"""Results of the benchmark: rows of figures by part, and their JSON form."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.figures import Spread, ratio
from bench.size import Size
from bench.system import Servers


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: its spread over the turns, and the ratio to its baseline where it has one."""

    name: str
    unit: str
    spread: Spread
    ratio: Spread | None = None
    #: The aim as the page shows it.
    aim: str = ""

    @staticmethod
    def of(
        name: str,
        unit: str,
        values: Sequence[float],
        *,
        baseline: Sequence[float] | None = None,
        aim: str = "",
    ) -> "Row":
        """Return the row of a figure's turns; `baseline` has the same turns of what it is compared with."""
        against = None if baseline is None else ratio(values, baseline)
        return Row(name, unit, Spread.of(values), against, aim)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(found: dict[str, Any]) -> "Row":
        against = found["ratio"]
        return Row(
            found["name"],
            found["unit"],
            Spread(**found["spread"]),
            None if against is None else Spread(**against),
            found["aim"],
        )


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the benchmark."""

    title: str
    #: What is measured and how, as the page says it.
    about: str
    measure: Callable[[Servers, Size], Awaitable[list[Row]]]


@dataclass(frozen=True, slots=True)
class Result:
    """The rows of one part's run, with the time, the machine and the versions."""

    measured_at: str
    surroundings: dict[str, str]
    rows: tuple[Row, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "measured_at": self.measured_at,
            "surroundings": self.surroundings,
            "rows": [row.to_json() for row in self.rows],
        }

    @staticmethod
    def from_json(found: dict[str, Any]) -> "Result":
        rows = tuple(Row.from_json(row) for row in found["rows"])
        return Result(found["measured_at"], found["surroundings"], rows)
