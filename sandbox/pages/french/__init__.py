"""Texts of the pages in French, by their English."""

from collections.abc import Mapping
from typing import Final

from sandbox.pages.french.common import COMMON
from sandbox.pages.french.outcomes import CARDS, OUTCOMES
from sandbox.pages.french.reasons import REASONS
from sandbox.pages.french.register import REGISTER
from sandbox.pages.french.terminal import TERMINAL

FRENCH: Final[Mapping[str, str]] = {**COMMON, **REGISTER, **TERMINAL, **OUTCOMES, **CARDS, **REASONS}
