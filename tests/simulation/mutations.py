"""`python -m tests.simulation.mutations`: every deliberate mistake is applied, and must be seen."""

import sys
import time
from collections.abc import Iterator

from tests.simulation.judge.judge import UNEXPECTED
from tests.simulation.mistakes.mistaken import Mistake
from tests.simulation.mistakes.mistakes import AT_RANDOM
from tests.simulation.placed.aimed import AIMED
from tests.simulation.placed.placing import Aim
from tests.simulation.running import Player, be_quiet
from tests.simulation.world import Script

SEEDS_AT_MOST = 500
_AIMED_SEEDS = range(1, 3)


def caught_at_random(player: Player, mistake: Mistake, seeds: int = SEEDS_AT_MOST) -> tuple[int, str] | None:
    """Return the first seed whose history shows the mistake, and what it shows; None: it was not seen."""
    with mistake():
        for seed in range(1, seeds + 1):
            wrongs = _wrongs(player, seed)
            if wrongs:
                return seed, wrongs[0]
    return None


def _wrongs(player: Player, seed: int, script: Script | None = None) -> list[str]:
    """Return what a mistake led to. One that only breaks the code it is made in shows nothing."""
    wrongs = player.play(seed, script=script).verdict.wrongs
    assert not any(wrong.startswith(UNEXPECTED) for wrong in wrongs), f"no mistake but an error: {wrongs}"
    return wrongs


def caught_by_aim(player: Player, aim: Aim) -> tuple[int, str] | None:
    """The same for a placed history; without the mistake it must be in order."""
    for seed in _AIMED_SEEDS:
        right = player.play(seed, script=aim.script).verdict.wrongs
        assert not right, f"wrong without the mistake: {right}"
    with aim.mistake():
        for seed in _AIMED_SEEDS:
            wrongs = _wrongs(player, seed, aim.script)
            if wrongs:
                return seed, wrongs[0]
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
    for name, mistake in AT_RANDOM.items():
        began = time.perf_counter()
        yield name, caught_at_random(player, mistake), time.perf_counter() - began
    for name, aim in AIMED.items():
        began = time.perf_counter()
        yield name, caught_by_aim(player, aim), time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
