"""Command that makes every deliberate mistake and expects it to be seen: `... tests.simulation.mutations`."""

import sys
import time
from collections.abc import Iterator

from tests.simulation.judge.judge import UNEXPECTED
from tests.simulation.mistakes.mistake import Mistake
from tests.simulation.mistakes.random_mistakes import RANDOM_MISTAKES
from tests.simulation.placed.all_histories import ALL_HISTORIES
from tests.simulation.placed.placed_history import PlacedHistory
from tests.simulation.running import Player, be_quiet
from tests.simulation.world import Script

SEEDS_AT_MOST = 500
_AIMED_SEEDS = range(1, 3)


def seen_at_random(player: Player, mistake: Mistake, seeds: int = SEEDS_AT_MOST) -> tuple[int, str] | None:
    """Return the first seed whose history shows the mistake, and the violation; None: not seen."""
    with mistake():
        for seed in range(1, seeds + 1):
            violations = _wrongs(player, seed)
            if violations:
                return seed, violations[0]
    return None


def _wrongs(player: Player, seed: int, script: Script | None = None) -> list[str]:
    """Return the violations under a mistake; an error of the code is none."""
    violations = player.play(seed, script=script).verdict.violations
    assert not any(wrong.startswith(UNEXPECTED) for wrong in violations), (
        f"no mistake but an error: {violations}"
    )
    return violations


def seen_in_history(player: Player, history: PlacedHistory) -> tuple[int, str] | None:
    """Return the same for a placed history, which must be in order without the mistake."""
    for seed in _AIMED_SEEDS:
        right = player.play(seed, script=history.script).verdict.violations
        assert not right, f"wrong without the mistake: {right}"
    with history.mistake():
        for seed in _AIMED_SEEDS:
            violations = _wrongs(player, seed, history.script)
            if violations:
                return seed, violations[0]
    return None


def main() -> int:
    be_quiet()
    player = Player()
    missed = 0
    try:
        for name, found, seconds in _all(player):
            missed += found is None
            shown = "NOT SEEN" if found is None else f"seed {found[0]}: {found[1]}"
            sys.stdout.write(f"{name:58} {seconds:6.1f} s  {shown}\n")
            sys.stdout.flush()
    finally:
        player.close()
    return 1 if missed else 0


def _all(player: Player) -> Iterator[tuple[str, tuple[int, str] | None, float]]:
    for name, mistake in RANDOM_MISTAKES.items():
        began = time.perf_counter()
        yield name, seen_at_random(player, mistake), time.perf_counter() - began
    for name, history in ALL_HISTORIES.items():
        began = time.perf_counter()
        yield name, seen_in_history(player, history), time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
