"""Player of many seeds over all cores, and of one seed again to be read."""

import gc
import logging
import multiprocessing
import shutil
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from sqlalchemy.exc import SAWarning

from tests.simulation.database.files import Files
from tests.simulation.database.templates import Templates, make_templates, memory_folder
from tests.simulation.world import Result, Script, play

_SHOWN_LINES = 400


@dataclass
class Totals:
    """Totals of many histories."""

    histories: int = 0
    payments: int = 0
    virtual_seconds: float = 0.0
    doubts_left: int = 0
    read_late: int = 0
    wrong_decisions: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    transitions: Counter[str] = field(default_factory=Counter)
    failed: list[int] = field(default_factory=list)

    def add(self, result: Result) -> None:
        self.histories += 1
        self.payments += result.verdict.payments
        self.virtual_seconds += result.virtual_seconds
        self.doubts_left += result.verdict.doubts_left
        self.read_late += result.verdict.read_late
        self.wrong_decisions += result.verdict.wrong_decisions
        self.faults += result.faults
        self.transitions += result.verdict.transitions
        if result.verdict.violations:
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
            f"Left in doubt: {self.doubts_left}; wrong decisions: {self.wrong_decisions}; {late}",
            f"Failed seeds: {', '.join(map(str, sorted(self.failed))) or 'none'}",
        )
        return "\n".join(lines)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(counts.items())) or "none"


class Player:
    """Player of seeds in one process, with its database files in a folder in memory."""

    def __init__(self, templates: Templates | None = None, folder: Path | None = None) -> None:
        self._folder = memory_folder(folder)
        self._files = Files(self._folder, templates or make_templates())
        # Frozen objects are never garbage: collecting between histories is then quick.
        gc.collect()
        gc.freeze()
        gc.disable()

    def play(self, seed: int, *, keeps_lines: bool = False, script: Script | None = None) -> Result:
        return play(seed, self._files, keeps_lines=keeps_lines, script=script)

    def close(self) -> None:
        gc.enable()
        gc.unfreeze()
        self._files.close()
        shutil.rmtree(self._folder)


def be_quiet() -> None:
    """Silence the product's log: a failure's history is written by the world."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    logging.getLogger("sqlalchemy").setLevel(logging.CRITICAL)
    # A history may end while SQLAlchemy takes a connection from its pool; SQLAlchemy then warns.
    warnings.filterwarnings("ignore", category=SAWarning)


def play_many(seeds: Iterable[int], jobs: int) -> Iterator[Result]:
    """Yield each seed's result as it comes; the rest is stopped when the consumer ends early."""
    if jobs == 1:
        yield from _play_here(seeds)
        return
    be_quiet()
    # A fork has everything imported already, which takes as long as many histories.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    folder = memory_folder()
    try:
        with context.Pool(jobs, initializer=_begin, initargs=(make_templates(), folder)) as pool:
            yield from pool.imap_unordered(_play_in_pool, seeds, chunksize=4)
    finally:
        # The pool ends its players without closing them.
        shutil.rmtree(folder)


def _play_here(seeds: Iterable[int]) -> Iterator[Result]:
    be_quiet()
    player = Player()
    try:
        for seed in seeds:
            yield player.play(seed)
    finally:
        player.close()


_players: list[Player] = []


def _begin(templates: Templates, folder: Path) -> None:
    be_quiet()
    _players.append(Player(templates, folder))


def _play_in_pool(seed: int) -> Result:
    return _players[0].play(seed)


def failure_text(seed: int) -> str:
    """Play a seed again and return its history as text."""
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
    lines.append("\nViolations: " + "\n       ".join(result.verdict.violations))
    return "\n".join(lines)
