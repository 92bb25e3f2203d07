"""Verbs that are imported when they are called, so that each loads only what it needs."""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Annotated, Any, ClassVar, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

#: A profile that is always there: the application runs in this process, on the settings' database.
MACHINE: Final = "machine"
API_PANEL: Final = "The API"


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """Options that name the API which a verb calls; None: not given."""

    url: str | None = None
    profile: str | None = None
    merchant: str | None = None


#: Set before the verb's function runs.
given_options: ContextVar[TargetOptions] = ContextVar("given_options")


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb: its name, its place, its line in the list of commands and the panel of that line."""

    name: str
    #: `module:name` of a function, or of the `typer.Typer` of a group of verbs.
    place: str
    summary: str
    panel: str
    #: It calls the API: over HTTP, or on the machine with the database.
    calls_api: bool = False


class LazyVerb(TyperCommand):
    """A verb in the list of commands; its module is imported for a call and for its own help."""

    def __init__(self, verb: Verb) -> None:
        super().__init__(verb.name, help=verb.summary, rich_help_panel=verb.panel)
        self.verb: Final = verb

    @cached_property
    def loaded(self) -> Any:
        """The command or group itself."""
        module, _, name = self.verb.place.partition(":")
        found = getattr(import_module(module), name)
        if not isinstance(found, typer.Typer):
            function, found = found, typer.Typer(add_completion=False)
            found.command()(function)
        loaded = get_command(found)
        loaded.name = self.verb.name
        if self.verb.calls_api:
            _add_target_options(loaded)
        return loaded

    def make_context(self, *arguments: Any, **further: Any) -> Any:
        """Return the context of the command itself, which runs or completes from here on."""
        return self.loaded.make_context(*arguments, **further)


class LazyVerbs(TyperGroup):
    """A group of lazy verbs; a subclass names them."""

    verbs: ClassVar[Iterable[Verb]] = ()

    def __init__(self, **settings: Any) -> None:
        commands = {verb.name: LazyVerb(verb) for verb in self.verbs}
        super().__init__(**{**settings, "commands": commands})


def _choose(
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The API's address.", show_default=False, rich_help_panel=API_PANEL),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help=f"A profile of the configuration file, or {MACHINE}.",
            show_default=False,
            rich_help_panel=API_PANEL,
        ),
    ] = None,
    as_merchant: Annotated[
        str | None,
        typer.Option(
            metavar="MERCHANT",
            help="On this machine: act for this merchant.",
            show_default=False,
            rich_help_panel=API_PANEL,
        ),
    ] = None,
) -> None:
    given_options.set(TargetOptions(url, profile, as_merchant))


def _add_target_options(command: Any) -> None:
    """Give a verb, and each verb below it, the options that name the API."""
    for inner in getattr(command, "commands", {}).values():
        _add_target_options(inner)
    if hasattr(command, "commands"):
        return
    run = command.callback
    template = typer.Typer(add_completion=False)
    template.command()(_choose)
    command.params.extend(get_command(template).params)

    def run_with_target(*arguments: Any, **given: Any) -> Any:
        _choose(given.pop("url"), given.pop("profile"), given.pop("as_merchant"))
        return run(*arguments, **given)

    command.callback = run_with_target
