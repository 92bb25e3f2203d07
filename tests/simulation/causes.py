"""Causes of faults: kills, pauses, outages and changes of a history, each at a time drawn from the seed."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.model.processes.notifiers import Notifier
from tests.simulation.model.processes.process import Process
from tests.simulation.model.processes.workers import Worker

if TYPE_CHECKING:
    from tests.simulation.world import World

#: Customers come, and faults happen, for so long.
OPEN_SECONDS = 60.0


class Causes:
    """Source of the faults of one history."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._rng = world.rng
        self._faults = world.faults
        self._stage = world.stage
        self._store = world.store
        self._broker = world.broker
        self._around = world.around

    def _any_process(self) -> Process:
        if self._world.notifiers and self._rng.random() < 0.25:
            return self._rng.choice(self._world.notifiers).process
        if self._rng.random() < 0.75 and self._world.workers:
            return self._rng.choice(self._world.workers).process
        return self._rng.choice(self._world.apis).process

    def _strike(self, what: Callable[[Process], None]) -> None:
        process = self._any_process()
        if self._rng.random() < 0.7:
            process.strike_at_work(lambda: what(process), self._rng.randint(1, 160))
        else:
            what(process)

    def _kill(self, process: Process) -> None:
        self._faults.count("killed")
        process.kill()

    def _pause(self, process: Process) -> None:
        if process.is_dead or process.is_paused:
            return
        self._faults.count("paused")
        seconds = self._rng.choice(
            (self._rng.uniform(1, 10), self._rng.uniform(10, 40), self._rng.uniform(40, 170))
        )
        process.pause()
        if seconds > 30:
            self._stage.later(30, self._broker.process_paused, process)
        self._stage.later(seconds, process.resume)

    def _database_unavailable(self) -> None:
        self._faults.count("database unavailable")
        self._stage.note("database unavailable")
        self._store.is_unavailable = True
        seconds = self._rng.choice((self._rng.uniform(0.1, 3), self._rng.uniform(3, 40)))
        world = self._world
        world.unavailable_seconds = max(world.unavailable_seconds, seconds)

        def back() -> None:
            self._store.is_unavailable = False
            self._stage.note("database back")

        self._stage.later(seconds, back)

    def _clock_steps(self) -> None:
        self._faults.count("clock stepped")
        step = self._rng.choice((-1, 1)) * self._rng.choice((2_000, 40_000, 400_000))
        self._store.clock_offset_ms += step
        # Deadlines are by that clock: set back, it lets a queued payment wait the longer.
        self._world.patience_seconds += max(0, -step) / 1000
        self._stage.note("database clock steps", step)

    def _broker_away(self) -> None:
        self._faults.count("broker unavailable")
        self._stage.note("broker unavailable")
        self._broker.go_away(self._rng.uniform(1, 25))

    def _restart(self) -> None:
        stoppable: list[Worker | Notifier] = [*self._world.workers, *self._world.notifiers]
        if stoppable:
            self._faults.count("restarted")
            self._rng.choice(stoppable).stop()
            if self._rng.random() < 0.3:
                self._stage.later(self._rng.uniform(0, 20), self._database_unavailable)

    def _hand_typed(self) -> None:
        self._faults.count("typed by hand")
        self._rng.choice(list(self._around.terminals.values())).type_by_hand(self._rng.choice((120, 990)))

    def _name_changes(self) -> None:
        self._faults.count("name changed")
        self._around.names.change()

    def _freeze(self) -> None:
        self._faults.count("terminal frozen")
        terminal = self._rng.choice(list(self._around.terminals.values()))
        terminal.freeze(self._rng.choice((self._rng.uniform(1, 20), self._rng.uniform(20, 150))))

    def plan(self) -> None:
        """Draw the times of each kind of fault, as many as the history's `Faults` say."""
        rng, faults, later, store = self._rng, self._faults, self._stage.later, self._store
        store.lost_commits, store.errors = faults.lost_commits, faults.statement_errors
        store.slow_answers = faults.slow_answers
        plan: list[tuple[int, Callable[[], None]]] = [
            (faults.kills, lambda: self._strike(self._kill)),
            (faults.pauses, lambda: self._strike(self._pause)),
            (faults.restarts, self._restart),
            (faults.database_aways, self._database_unavailable),
            (faults.broker_aways, self._broker_away),
            (faults.clock_steps, self._clock_steps),
            (faults.hand_typed, self._hand_typed),
            (faults.name_changes, self._name_changes),
            (1 if rng.random() < faults.terminal / 2 else 0, self._freeze),
        ]
        for number, cause in plan:
            for _ in range(number):
                later(rng.uniform(0.5, OPEN_SECONDS), cause)
