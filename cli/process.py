"""Running of composition roots and commands: settings, logs, event loop, human-readable errors."""

from collections.abc import Callable, Coroutine
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar
from unicodedata import category

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.settings.settings import Settings

Result = TypeVar("Result")

#: The command line or a setting is wrong.
EXIT_USAGE: Final = 2
#: The database, the broker or another server is unavailable.
EXIT_UNAVAILABLE: Final = 1


@contextmanager
def plain_errors() -> "Iterator[None]":
    """Print the errors that an operator can fix as a sentence, and exit with a code."""
    from shared.broker.errors import BrokerFailure
    from shared.settings.fields import variable
    from shared.settings.settings import SettingsError
    from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable
    from shared.storage.db.errors import LoginRefused
    from shared.storage.db.schema.version import SchemaTooNew, SchemaTooOld

    try:
        yield
    except SettingsError as error:
        raise fail(str(error), EXIT_USAGE) from error
    except (SchemaTooOld, SchemaTooNew) as error:
        raise fail(str(error), EXIT_UNAVAILABLE) from error
    except LoginRefused as error:
        name = variable("database_url")
        raise fail(f"PostgreSQL refuses the connection: {error}. Check {name}.", EXIT_USAGE) from error
    except (DatabaseUnavailable, CommitUnknown) as error:
        raise fail(f"The database cannot be reached: {error}", EXIT_UNAVAILABLE) from error
    except BrokerFailure as error:
        raise fail(str(error), EXIT_UNAVAILABLE) from error


def fail(message: str, code: int) -> typer.Exit:
    """Print the message on standard error and return the exit to raise."""
    from rich.console import Console
    from rich.text import Text

    # Not as markup: it may hold an address in brackets, or a text of a client.
    lines = "\n".join(printable(line) for line in message.split("\n"))
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text.assemble(("Error:", "red"), f" {lines}"))
    return typer.Exit(code)


def printable(text: str) -> str:
    """Return a line of text with a mark for what a terminal would obey: texts of clients may hold it."""
    return "".join(one if one.isprintable() or category(one) == "Zs" else "?" for one in text)


def run_process(name: str, root: "Callable[[Settings], Coroutine[Any, Any, None]]") -> None:
    """Run a composition root with the settings of the environment until it ends."""
    from shared.runtime.logging import configure_logging
    from shared.runtime.open_files import raise_open_files
    from shared.settings.load import load_settings

    with plain_errors():
        settings = load_settings()
        raise_open_files()
        configure_logging(settings.log_format, settings.log_level, process=name)
        run_on_loop(root(settings), uvloop=settings.event_loop == "uvloop")


def command_settings() -> "Settings":
    """Load the settings for a command that ends; warnings go to standard error, off what it prints.

    Raises SettingsError.
    """
    from shared.runtime.logging import configure_logging
    from shared.settings.load import load_settings

    settings = load_settings()
    configure_logging(settings.log_format, "warning", process="cli")
    return settings


def run_on_loop(coroutine: Coroutine[Any, Any, Result], *, uvloop: bool = False) -> Result:
    """Run a coroutine to its end on a new event loop."""
    import asyncio

    factory = None
    if uvloop:
        import uvloop as library

        factory = library.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(coroutine)
