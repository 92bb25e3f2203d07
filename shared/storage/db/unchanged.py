"""A change's condition that the stored value is still the one that its client has seen."""

from typing import TypeVar

Stored = TypeVar("Stored")


class Changed(Exception):
    """Raised inside a transaction, which is rolled back, where the stored value is another one by now."""


def check_unchanged(found: Stored | None, seen: Stored | None) -> None:
    """Check a row that this transaction has locked; `seen` None: nothing is asked. Raises Changed."""
    if seen is not None and found != seen:
        raise Changed
