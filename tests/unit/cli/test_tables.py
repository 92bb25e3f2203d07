"""Tables of lists: an id can be copied at every width; other columns leave or fold first."""

from typing import Final

import pytest

from cli.remote.output import Column, print_rows

PAYMENT: Final = "pay_01JNK4T0V8W9A4C6Q2Y3ZB5XDE"
ROW: Final = {"id": PAYMENT, "merchant": "mer_01JNK4T0V8W9A4C6Q2Y3ZB5XDE", "text": "a long text " * 9, "n": 1}
COLUMNS: Final = (
    Column("payment", "id", is_whole=True),
    Column("merchant", "merchant", is_whole=True, leaves=1),
    Column("text", "text"),
    Column("number", "n", "right", leaves=2),
)


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (200, ["payment", "merchant", "text", "number"]),
        (92, ["payment", "merchant", "text", "number"]),
        (91, ["payment", "merchant", "text"]),
        (80, ["payment", "text"]),
        (50, ["payment", "text"]),
    ],
)
def test_columns_leave_a_table_that_is_too_wide_before_an_id_is_broken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int, titles: list[str]
) -> None:
    """The largest number leaves first; a text without one is folded."""
    monkeypatch.setenv("COLUMNS", str(width))

    print_rows([ROW], COLUMNS, as_json=False, nothing="none")

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == titles
    assert lines[1].startswith(PAYMENT)
    assert all(len(line) <= width for line in lines)
