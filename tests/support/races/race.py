"""A deliberate mistake of the product, and the sequence of events on two connections that shows it."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from shared.storage.db.engine import Database

#: Makes the mistake while its block runs.
Mistake = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Race:
    """`scenario` returns a sentence for each thing that went wrong; none with the product as it is."""

    mistake: Mistake
    scenario: Callable[[Database, Database], Awaitable[list[str]]]
