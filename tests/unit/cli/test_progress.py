"""Progress of long work: on standard error at a terminal, and nowhere else."""

import io

import pytest

from cli.remote.progress import counted, progress


class Terminal(io.StringIO):
    """Standard error at a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_bar_is_shown_at_a_terminal_and_vanishes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The output of a verb stays as it is."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with progress("rows deleted:", 10) as advance:
        advance(7)
    shown = list(counted("payments exported:", range(1200)))

    text = terminal.getvalue()
    assert "rows deleted:" in text
    assert "7/10" in text
    assert "payments exported:" in text
    assert "1000" in text
    assert shown == list(range(1200))
    assert capsys.readouterr().out == ""


def test_nothing_is_shown_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    """A script's log holds no pictures."""
    with progress("rows deleted:", 10) as advance:
        advance(7)

    assert list(counted("payments exported:", "abc")) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")
