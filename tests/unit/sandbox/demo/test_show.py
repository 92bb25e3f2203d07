import io
import re

from rich.console import Console

from sandbox.demo.frames import named_fields
from sandbox.demo.meanings import PARTIES, TERMS
from sandbox.demo.show import Show
from sandbox.demo.steps import Step
from sandbox.tracing.steps import Step as TraceStep

WIDTH = 80
BEGIN = 1_764_000_000_000


def console() -> Console:
    return Console(file=io.StringIO(), width=WIDTH)


def printed(on: Console) -> list[str]:
    assert isinstance(on.file, io.StringIO)
    return on.file.getvalue().splitlines()


def step(text: str = "Concert request") -> Step:
    return Step(BEGIN + 16, 0, "worker 1", "terminal", text, TraceStep.TERMINAL_CALLED)


def test_a_name_is_explained_at_its_first_use_only() -> None:
    """Below the step that brings it: both parties, and the term."""
    on = console()
    show = Show(on)

    show.step(step(), BEGIN)
    show.step(step(), BEGIN)

    first, *explained, second = printed(on)
    assert first == second == "   16 ms  worker 1 → terminal  Concert request"
    assert [line.strip().partition(":")[0] for line in explained] == ["worker", "terminal", "Concert"]


def test_every_line_fits_80_columns_and_ends_without_spaces() -> None:
    """Long texts go on below their beginning; nothing is cut."""
    on = console()
    show = Show(on)

    show.chapter("A debit", "word " * 60)
    show.step(step("word " * 30), BEGIN)
    show.messages("The request", named_fields({"CB": "640", "AE": "10", "CF": "p" * 30}))
    show.payments([{"order_id": "TABLE-3", "operation": "debit", "amount": 640, "state": "succeeded"}])
    show.checked(["word " * 30])

    lines = printed(on)
    assert all(len(line) <= WIDTH and not re.search(r"\s$", line) for line in lines)
    assert not any("…" in line for line in lines)
    assert any(line.split() == ["CB", "640", "=", "6.40", "EUR", "amount", "in", "cents"] for line in lines)
    assert any(line.split() == ["TABLE-3", "debit", "6.40", "succeeded"] for line in lines)


def test_each_meaning_is_half_a_line() -> None:
    """One that needed a second line would be read by nobody."""
    texts = [f"{name}: {meaning}" for name, meaning in PARTIES.items()] + list(TERMS.values())

    assert [text for text in texts if len(text) > WIDTH - 10] == []


def test_a_note_stands_among_the_steps() -> None:
    """It says what the demo itself does."""
    on = console()

    Show(on).step(Step(BEGIN + 1200, 0, "", "", "SIGKILL for worker 1"), BEGIN)

    assert printed(on) == [" 1200 ms  * SIGKILL for worker 1"]
