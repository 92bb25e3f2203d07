"""Verbs that are imported when they are called, so that each loads only what it needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, ClassVar, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command


@dataclass(frozen=True, slots=True)
class Verb:
    """A verb: its name, its place, its line in the list of commands and the panel of that line."""

    name: str
    #: `module:name` of a function, or of the `typer.Typer` of a group of verbs.
    place: str
    summary: str
    panel: str


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
