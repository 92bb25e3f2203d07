"""Generator of docs/reference/states.md from the table of transitions: `python -m shared.payment.diagram`."""

import inspect
import re
from enum import StrEnum
from pathlib import Path
from typing import Final

from shared.payment.states import FINAL_STATES, FIRST_STATES, TRANSITIONS, Event, State

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "states.md"


def diagram() -> str:
    """Return the Mermaid diagram of every transition."""
    lines = ["stateDiagram-v2"]
    lines += [f"    [*] --> {state.value}" for state in State if state in FIRST_STATES]
    lines += [
        f"    {state.value} --> {to.value}: {event.value}"
        for state, moves in TRANSITIONS.items()
        for event, to in moves.items()
    ]
    lines += [f"    {state.value} --> [*]" for state in State if state in FINAL_STATES]
    return "\n".join(lines)


def _meanings(kind: type[StrEnum]) -> dict[str, str]:
    """Return the comment above each member, by its value."""
    source = inspect.getsource(kind)
    pattern = re.compile(r"((?:    #: .*\n(?:    #: .*\n)*))    [A-Z_]+ = \"(\w+)\"")
    return {value: " ".join(re.findall(r"#: (.*)", comment)) for comment, value in pattern.findall(source)}


def page() -> str:
    """Return the whole page."""
    rows, events = (
        "\n".join(f"| `{value}` | {meaning} |" for value, meaning in _meanings(kind).items())
        for kind in (State, Event)
    )
    return f"""# The life of a payment

Made from `shared/payment/states.py` by `make docs`; that table is the only code that changes a state.

```mermaid
{diagram()}
```

| State | Meaning |
|---|---|
{rows}

| Event | Cause |
|---|---|
{events}

Nothing leads from `in_session` back to `queued`: an operation's bytes are written to a terminal at most once.
A doubt ends by a proof only; evidence that is merely probable is kept as a hint for the operator who decides.
"""


if __name__ == "__main__":
    PAGE.write_text(page())
