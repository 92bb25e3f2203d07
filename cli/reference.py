"""Page of the command line, made from the commands themselves: every verb with its arguments and options."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

from typer.main import get_command

from cli.main import app

_NAME: Final = "cloud-terminal"
_HEAD: Final = (
    "# Command line\n\nMade from the commands when the site is built; `cloud-terminal VERB --help` says the "
    "same. Settings are variables of the environment, see [Settings](settings.md).\n"
)


def render_reference() -> str:
    """Return the page in Markdown."""
    return "\n".join([_HEAD, *_sections(get_command(app), ())])


def _sections(command: Any, words: tuple[str, ...]) -> Iterator[str]:
    for name, lazy in sorted(getattr(command, "commands", {}).items()):
        inner = getattr(lazy, "loaded", lazy)
        if inner.hidden:
            continue
        path = (*words, name)
        if getattr(inner, "commands", None):
            yield f"## {' '.join(path)}\n\n{_text(inner.help)}\n" if len(path) == 1 else ""
            yield from _sections(inner, path)
        else:
            yield _verb(inner, path)


def _verb(command: Any, path: tuple[str, ...]) -> str:
    shown = [parameter for parameter in command.params if not parameter.hidden]
    arguments = [each for each in shown if each.param_type_name == "argument"]
    options = [each for each in shown if each.param_type_name == "option" and each.name != "help"]
    usage = " ".join((_NAME, *path, *(each.name.upper() for each in arguments)))
    rows = [
        *(f"| `{each.name.upper()}` | {_about(each)} |" for each in arguments),
        *(f"| {_names(each)} | {_about(each)} |" for each in options),
    ]
    table = "\n".join(["| | |", "|---|---|", *rows, ""]) if rows else ""
    level = "##" if len(path) == 1 else "###"
    return f"{level} {' '.join(path)}\n\n`{usage}`\n\n{_text(command.help)}\n\n{table}"


def _names(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _about(parameter: Any) -> str:
    given = parameter.default.value if isinstance(parameter.default, Enum) else parameter.default
    is_shown = parameter.show_default and isinstance(given, str | int | float) and not isinstance(given, bool)
    default = f" Default: `{given}`." if is_shown and given != "" else ""
    needed = " Required." if parameter.required and parameter.param_type_name == "option" else ""
    return f"{_text(parameter.help)}{needed}{default}".replace("|", "\\|")


def _text(help_text: str | None) -> str:
    """Return a help text with its paragraphs; form feeds and marks of the terminal are none of it."""
    paragraphs = (help_text or "").replace("\b", "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
