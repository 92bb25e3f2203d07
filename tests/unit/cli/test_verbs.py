"""The command line: each verb loads what it needs, and its line in the list is its own."""

import os
import subprocess
import sys
from typing import Final

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from cli.main import app
from cli.verbs import LazyVerb

VERBS: Final = {
    name: verb for name, verb in vars(get_command(app))["commands"].items() if isinstance(verb, LazyVerb)
}
#: What no help needs. (typer itself reads options with pydantic.)
HEAVY: Final = (
    "alembic",
    "aio_pika",
    "asyncio",
    "asyncpg",
    "fastapi",
    "httpx",
    "sqlalchemy",
    "structlog",
    "uvicorn",
)

#: Prints the help of each line of words, and then the modules that it took.
_SHOW_HELPS: Final = """
import sys
from cli.main import app
for words in sys.stdin.read().splitlines():
    try:
        app([*words.split(), "--help"])
    except SystemExit:
        pass
print(*sys.modules, file=sys.stderr)
"""


def modules_for_help(*verbs: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", _SHOW_HELPS],
        input="\n".join(verbs),
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.count("Usage:") == len(verbs)
    return set(ran.stderr.split())


def test_no_help_imports_what_only_running_needs() -> None:
    """Counted in modules, since seconds are the machine's: the help of every verb in one process."""
    inner = (
        f"{name} {second}" for name, verb in VERBS.items() for second in getattr(verb.loaded, "commands", ())
    )

    assert modules_for_help(*VERBS, *inner) & set(HEAVY) == set()


def test_the_list_of_verbs_imports_none_of_them() -> None:
    """`cloud-terminal --help` shows lines of its own."""
    modules = modules_for_help(" ")

    assert {name for name in modules if name.startswith(("cli", "sandbox."))} == {
        "cli",
        "cli.main",
        "cli.verbs",
    }


@pytest.mark.parametrize("name", VERBS)
def test_a_verbs_line_in_the_list_is_the_first_sentence_of_its_help(name: str) -> None:
    """The lines are written beside the names, so that the list loads no module."""
    verb = VERBS[name]
    first = (verb.loaded.help or "").split("\n\n")[0].replace("\n", " ")

    assert verb.verb.summary == first


def test_a_mistyped_verb_is_answered_with_the_one_that_was_meant() -> None:
    """Suggestions work without the modules."""
    ran = CliRunner().invoke(app, ["docter"])

    assert ran.exit_code == 2
    assert "Did you mean 'doctor'?" in ran.output


def test_a_verb_below_a_verb_is_completed() -> None:
    """A shell's completion asks the verb itself for its own verbs."""
    ran = subprocess.run(
        [sys.executable, "-m", "cli"],
        env={
            **os.environ,
            "_CLOUD_TERMINAL_COMPLETE": "complete_bash",
            "COMP_WORDS": "cloud-terminal merchants sus",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.stdout == "suspend\n"
