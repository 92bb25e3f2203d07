"""Keys that are pressed while the command runs: `r`, a number and Enter, `q`."""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

#: Keeps a number shorter than any list of events.
_MOST_DIGITS: Final = 9


@dataclass(frozen=True, slots=True)
class Replay:
    """A wish to send an event again; `number` None: the last one."""

    number: int | None = None


class Quit:
    """A wish to end."""


Pressed = Replay | Quit


class Keys:
    """Reader of keys from a file descriptor; a closed one presses none."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._digits = ""

    def wait(self, seconds: float) -> list[Pressed]:
        """Return what is pressed within the time; return at once where something is."""
        if self._descriptor is None:
            select.select([], [], [], seconds)
            return []
        readable, _, _ = select.select([self._descriptor], [], [], seconds)
        if not readable:
            return []
        typed = os.read(self._descriptor, 1024)
        if not typed:
            self._descriptor = None
        return [pressed for key in typed.decode("ascii", "ignore") for pressed in self._press(key)]

    def _press(self, key: str) -> list[Pressed]:
        if key.isdigit():
            self._digits = (self._digits + key)[:_MOST_DIGITS]
            return []
        digits, self._digits = self._digits, ""
        match key:
            case "r":
                return [Replay()]
            case "\n" | "\r" if digits:
                return [Replay(int(digits))]
            case "q":
                return [Quit()]
            case _:
                return []


@contextmanager
def pressed_keys() -> Iterator[Keys]:
    """Yield the keys of standard input; a terminal passes each on at once, until the end."""
    try:
        descriptor = sys.stdin.fileno()
    except (AttributeError, OSError, ValueError):
        yield Keys(None)
        return
    if not os.isatty(descriptor):
        yield Keys(descriptor)
        return
    import termios
    import tty

    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield Keys(descriptor)
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
