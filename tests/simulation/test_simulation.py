"""A sample of what `make simulate` and `make mutations` run in full."""

from collections.abc import Iterator

import pytest

from tests.simulation.mistakes.mistakes import AT_RANDOM
from tests.simulation.mutations import caught_at_random, caught_by_aim
from tests.simulation.placed.aimed import AIMED
from tests.simulation.running import Player

_SEEDS = range(1, 33)
#: Mistakes that a few histories show; `make mutations` looks for all of them.
_SOON_SEEN = (
    "no mutex on the line",
    "requeued at takeover",
    "order guard off",
    "a caller who is not waited for",
    "a hold without end",
)


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    made = Player()
    yield made
    made.close()


def test_no_history_of_a_fixed_sample_goes_wrong(player: Player) -> None:
    """No operation twice, nothing lost, no wrong answer, no false success, every line free in the end."""
    wrongs = {seed: player.play(seed).verdict.wrongs for seed in _SEEDS}

    assert {seed: found for seed, found in wrongs.items() if found} == {}


@pytest.mark.parametrize("seed", [3, 16])
def test_one_seed_is_one_history(player: Player, seed: int) -> None:
    """What a seed shows once it shows again, on the thin engine and on SQLAlchemy's own."""
    assert player.play(seed).digest == player.play(seed).digest
    assert player.play(seed).digest != player.play(seed + 1).digest


@pytest.mark.parametrize("name", _SOON_SEEN)
def test_a_deliberate_mistake_is_seen_in_random_histories(player: Player, name: str) -> None:
    """The simulation is worth nothing where it cannot see a mistake."""
    assert caught_at_random(player, AT_RANDOM[name], seeds=100) is not None


@pytest.mark.parametrize("name", AIMED)
def test_a_deliberate_mistake_is_seen_in_the_history_placed_for_it(player: Player, name: str) -> None:
    """Without the mistake the same history is in order."""
    assert caught_by_aim(player, AIMED[name]) is not None
