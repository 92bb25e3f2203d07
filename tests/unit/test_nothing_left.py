"""A test that leaves the process in another state fails itself, not the test after it."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

TESTS = """
import logging, os, signal, structlog

def test_restores(monkeypatch): monkeypatch.setenv("A_VARIABLE", "x")
def test_environment(): os.environ["A_VARIABLE"] = "x"
def test_signal(): signal.signal(signal.SIGALRM, signal.SIG_IGN)
def test_logging(): logging.disable(logging.DEBUG)
def test_level(): logging.getLogger("somebody").setLevel(logging.ERROR)
def test_structlog(): structlog.configure(cache_logger_on_first_use=True)
"""


def test_a_test_that_leaves_the_process_changed_fails_and_names_what_it_left(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own fixtures have put back what they changed by then."""
    repository = Path(__file__).parents[2]
    monkeypatch.setenv("PYTHONPATH", f"{repository}:{repository / 'tests' / 'support'}")
    pytester.makepyfile(TESTS)

    result = pytester.runpytest_subprocess("-p", "plugins.nothing_left")

    result.assert_outcomes(passed=6, errors=5)
    left = ("os.environ", "signal handlers", "the root logger", "the loggers' levels", "structlog's conf")
    result.stdout.fnmatch_lines([f"E *{name}* is left changed*" for name in left])
