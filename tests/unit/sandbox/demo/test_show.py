import io

from demo_records import records, row
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from sandbox.demo.show import Show, packed
from sandbox.demo.timeline import steps_of

WIDTH = 110


def printed(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@given(
    st.lists(st.text("ab ", min_size=1, max_size=60), max_size=20), st.integers(min_value=10, max_value=80)
)
def test_packed_lines_keep_every_field_in_order_and_stay_within_the_width(
    texts: list[str], width: int
) -> None:
    """Only a field that is longer than a line has one that is too long."""
    lines = packed([Text(text) for text in texts], width)

    assert [text.plain for line in lines for text in line] == texts
    assert all(len(" · ".join(text.plain for text in line)) <= width or len(line) == 1 for line in lines)


def test_a_timeline_has_a_line_for_every_step_and_names_every_field() -> None:
    """No line is cut, none is longer than the console is wide."""
    console = Console(file=io.StringIO(), width=WIDTH)

    Show(console).chapter("A debit", steps_of(records()), in_full=True)

    lines = printed(console)
    assert all(len(line) <= WIDTH for line in lines)
    assert not any("…" in line for line in lines)
    assert "  16 ms  worker 1 → terminal B  Concert, 66 bytes, 5 fields" in lines
    assert any(line.split() == ["CB", "640", "=", "6.40", "EUR", "amount", "in", "cents"] for line in lines)
    assert any(line.split() == ["AE", "10", "=", "done", "status"] for line in lines)


def test_the_stored_payments_are_shown_whole() -> None:
    """Ids are there to be copied."""
    console = Console(file=io.StringIO(), width=WIDTH)
    stored = row() | {"terminal_address": "127.1.2.3:8888", "error_code": None, "error_description": None}

    Show(console).stored([stored], 3, {"127.1.2.3:8888": "terminal B"})

    [line] = [line for line in printed(console) if stored["id"] in line]
    assert line.split() == [stored["id"], "TABLE-3", "debit", "6.40", "B", "succeeded", "497010******7893"]
