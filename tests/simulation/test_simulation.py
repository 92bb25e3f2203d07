"""Sample of `make simulate` and `make mutations`."""

from collections.abc import Iterator

import pytest

from tests.simulation.mistakes.random_mistakes import RANDOM_MISTAKES
from tests.simulation.mutations import seen_at_random, seen_in_history
from tests.simulation.placed.all_histories import ALL_HISTORIES
from tests.simulation.running import Player

_SEEDS = range(1, 33)
#: Mistakes that a few histories show; `make mutations` looks for all of them.
_SOON_SEEN = (
    "no terminal lock",
    "requeued at takeover",
    "order guard off",
    "a client that is not kept waiting",
    "a lease without end",
)


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    made = Player()
    yield made
    made.close()


def test_no_history_of_a_fixed_sample_violates_a_rule(player: Player) -> None:
    """No operation twice, nothing lost, no wrong answer, no false success, every terminal free at the end."""
    violations = {seed: player.play(seed).verdict.violations for seed in _SEEDS}

    assert {seed: found for seed, found in violations.items() if found} == {}


@pytest.mark.parametrize("seed", [3, 16])
def test_one_seed_is_one_history(player: Player, seed: int) -> None:
    """A seed always gives the same history, on the thin engine and on SQLAlchemy's own."""
    assert player.play(seed).digest == player.play(seed).digest
    assert player.play(seed).digest != player.play(seed + 1).digest


@pytest.mark.parametrize("name", _SOON_SEEN)
def test_a_deliberate_mistake_is_seen_in_random_histories(player: Player, name: str) -> None:
    """The simulation is worth nothing where it cannot see a mistake."""
    assert seen_at_random(player, RANDOM_MISTAKES[name], seeds=100) is not None


@pytest.mark.parametrize("name", ALL_HISTORIES)
def test_a_deliberate_mistake_is_seen_in_the_history_placed_for_it(player: Player, name: str) -> None:
    """Without the mistake the same history is in order."""
    assert seen_in_history(player, ALL_HISTORIES[name]) is not None
