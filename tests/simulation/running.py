"""Plays many seeds over all cores, and one seed again for a person to read."""

import gc
import logging
import multiprocessing
import multiprocessing.util
import shutil
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from tests.simulation.templates import Templates, make_templates, memory_folder
from tests.simulation.world import Result, Script, play

_SHOWN_LINES = 400


@dataclass
class Totals:
    """What many histories came to together."""

    histories: int = 0
    payments: int = 0
    virtual_seconds: float = 0.0
    doubts_left: int = 0
    read_late: int = 0
    persons_wrong: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    transitions: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)

    def add(self, result: Result) -> None:
        self.histories += 1
        self.payments += result.verdict.payments
        self.virtual_seconds += result.virtual_seconds
        self.doubts_left += result.verdict.doubts_left
        self.read_late += result.verdict.read_late
        self.persons_wrong += result.verdict.persons_wrong
        self.faults += result.faults
        self.transitions += result.verdict.transitions
        if result.verdict.wrongs:
            self.failed.append(result.seed)

    def text(self, seconds: float) -> str:
        """Return the report, the failures last."""
        pace = f"{self.histories} histories in {seconds:.1f} s: {self.histories / seconds:.1f} a second"
        volume = f"{self.payments} payments, {self.virtual_seconds / 3600:.1f} hours of virtual time"
        late = f"requests read after their time: {self.read_late}"
        lines = (
            f"{pace}, {volume}",
            f"Faults: {_listed(self.faults)}",
            f"Transitions: {_listed(self.transitions)}",
            f"Left in doubt: {self.doubts_left}; persons wrong: {self.persons_wrong}; {late}",
            f"Failed seeds: {', '.join(map(str, sorted(self.failed))) or 'none'}",
        )
        return "\n".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items())) or "none"


class Player:
    """What a process that plays needs once: templates, a folder in memory, silence."""

    def __init__(self) -> None:
        self.templates: Templates = make_templates()
        self.folder: Path = memory_folder()
        # What is there already is never garbage: collecting between histories is then quick.
        gc.collect()
        gc.freeze()
        gc.disable()

    def play(self, seed: int, *, keeps_lines: bool = False, script: Script | None = None) -> Result:
        return play(seed, self.folder, self.templates, keeps_lines=keeps_lines, script=script)

    def close(self) -> None:
        gc.enable()
        gc.unfreeze()
        shutil.rmtree(self.folder)


def be_quiet() -> None:
    """The product's log lines are no part of a history: a failure's history is written by the world."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("sqlalchemy").setLevel(logging.CRITICAL)
    warnings.simplefilter("ignore")
    # Coroutines of dead processes end as garbage, and complain.
    sys.unraisablehook = lambda _: None


def play_many(seeds: Iterable[int], jobs: int) -> Iterator[Result]:
    """Yield each seed's result as it comes; the rest is stopped when the caller ends early."""
    if jobs == 1:
        yield from _play_here(seeds)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, initializer=_begin) as pool:
        yield from pool.imap_unordered(_play_in_pool, seeds, chunksize=4)


def _play_here(seeds: Iterable[int]) -> Iterator[Result]:
    be_quiet()
    player = Player()
    try:
        for seed in seeds:
            yield player.play(seed)
    finally:
        player.close()


_players: list[Player] = []


def _begin() -> None:
    be_quiet()
    player = Player()
    _players.append(player)
    multiprocessing.util.Finalize(player, player.close, exitpriority=10)


def _play_in_pool(seed: int) -> Result:
    return _players[0].play(seed)


def failure_text(seed: int) -> str:
    """Play it again and return what happened."""
    be_quiet()
    player = Player()
    try:
        result = player.play(seed, keeps_lines=True)
    finally:
        player.close()
    lines = [f"\nHistory of seed {seed}:"]
    if len(result.lines) > _SHOWN_LINES:
        lines.append(f"... {len(result.lines) - _SHOWN_LINES} earlier lines")
    lines += result.lines[-_SHOWN_LINES:]
    lines.append("\nWrong: " + "\n       ".join(result.verdict.wrongs))
    return "\n".join(lines)
