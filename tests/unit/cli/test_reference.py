"""The page of the command line names every verb and every option."""

from typing import Any

from typer.main import get_command

from cli.main import app
from cli.reference import render_reference


def verbs(command: Any, words: str = "") -> dict[str, Any]:
    """Return each verb that runs something, by its words."""
    found: dict[str, Any] = {}
    for name, lazy in getattr(command, "commands", {}).items():
        inner = getattr(lazy, "loaded", lazy)
        below = verbs(inner, f"{words}{name} ")
        found |= below or {f"{words}{name}": inner}
    return found


def test_every_verb_and_every_option_is_on_the_page() -> None:
    """With its help, so that it can be found by searching the site."""
    page = render_reference()

    missing = []
    for words, verb in verbs(get_command(app)).items():
        section = page.partition(f"# {words}\n")[2].partition("\n##")[0]
        missing += [] if section else [words]
        names = [name for each in verb.params if each.param_type_name == "option" for name in each.opts]
        missing += [f"{words} {name}" for name in names if name != "--help" and f"`{name}`" not in section]
    assert missing == []
