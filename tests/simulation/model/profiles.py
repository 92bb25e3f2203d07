"""Profiles of terminals that differ from the usual one."""

import random
from typing import Any


def drawn_profile(rng: random.Random) -> dict[str, Any]:
    """Return the settings that differ from the usual ones."""
    profile: dict[str, Any] = {}
    if rng.random() < 0.4:
        profile["terminal_time_seconds"] = rng.randint(20, 75)
    if rng.random() < 0.4:
        profile["accepts_partial"] = True
    if rng.random() < 0.2:
        profile["bare_success"] = True
    if rng.random() < 0.2:
        profile["request_ends_with"] = "\r\n"
    if rng.random() < 0.2:
        profile["receipt"] = "000"
    return profile
