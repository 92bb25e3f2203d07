"""A finding of a check: a fact, how bad it is, and the next thing to do."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Level(StrEnum):
    """Weight of a finding."""

    OK = "ok"
    #: The installation runs; an operator should know.
    WARNING = "warning"
    #: A process does not start, or a payment cannot be made.
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact about one part of the installation; `fix` is empty where nothing is to be done."""

    part: str
    level: Level
    fact: str
    fix: str = ""


Findings: TypeAlias = AsyncIterator[Finding]
