"""World of one history: points of sale, processes, a broker, terminals, interventions and faults."""

import asyncio
import gc
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import TypeVar
from unittest.mock import patch

from shared.runtime import resilience
from tests.simulation.causes import OPEN_SECONDS, Causes
from tests.simulation.closing import end_all
from tests.simulation.database import databases
from tests.simulation.database.files import Files
from tests.simulation.database.sqlite import STORE, Store
from tests.simulation.engine import loop as loops
from tests.simulation.engine.faults import Faults, drawn
from tests.simulation.engine.limits import SETTINGS
from tests.simulation.engine.loop import SimulatedLoop
from tests.simulation.engine.stage import Stage
from tests.simulation.engine.surroundings import MERCHANT_IDS, Surroundings
from tests.simulation.judge.history import History
from tests.simulation.judge.judge import Verdict, judge, stored_text
from tests.simulation.judge.ledger import Ledger
from tests.simulation.model.api_usage import ApiUsage, drawn_usage
from tests.simulation.model.broker import Broker
from tests.simulation.model.feeds import FeedReader
from tests.simulation.model.interventions import Interventions
from tests.simulation.model.names import Names
from tests.simulation.model.pos import PointsOfSale
from tests.simulation.model.processes.apis import Api
from tests.simulation.model.processes.notifiers import Notifier, register_endpoints
from tests.simulation.model.processes.process import Process
from tests.simulation.model.processes.workers import Worker
from tests.simulation.model.terminal import Kind, Terminal, drawn_kind
from tests.simulation.model.watch import Watch
from tests.simulation.registering import register

_LOOK_SECONDS = 5.0
#: Histories; collecting costs more than a short one.
_COLLECT_EVERY = 10
#: Everything must be over so long after the last fault: a session, a takeover, two leases.
_PATIENCE_SECONDS = 2 * SETTINGS.lease_seconds + 200.0


Started = TypeVar("Started", Worker, Api, Notifier)


@dataclass
class Result:
    """Result of one history."""

    seed: int
    verdict: Verdict
    faults: Counter[str]
    digest: str
    lines: list[str] = field(default_factory=list)
    virtual_seconds: float = 0.0


class World:
    """World of one seed; a `script` places customers and faults by hand instead of drawing them."""

    def __init__(
        self,
        seed: int,
        files: Files,
        *,
        keeps_lines: bool = False,
        script: "Script | None" = None,
    ) -> None:
        self.rng = random.Random(seed)
        self.seed = seed
        self.loop = SimulatedLoop(self.rng)
        self.script = script
        self.faults: Faults = Faults() if script else drawn(self.rng)
        self.usage = ApiUsage() if script else drawn_usage(self.rng, self.faults)
        self.history = History(keeps_lines=keeps_lines)
        self.watch = Watch(SETTINGS.worker_stale_seconds)
        self.store = Store(files, self.loop, self.rng, self.watch)
        self.store.is_thin = seed % 16 != 0
        STORE.set(self.store)
        self.stage = Stage(self.loop, self.rng, self.faults, self.history)
        self.store.on_lost_commit = self._commit_lost
        self.store.on_error = self._statement_refused
        self.ledger = Ledger(
            link_seconds=SETTINGS.tcp_user_timeout_seconds,
            holder=self.store.holder,
            is_excused=self.store.is_excused,
            taken_over_at=self.store.taken_over_at.get,
            new_owner_waits_seconds=SETTINGS.takeover_free_after_seconds,
            # The release counts from the claim, which is before the write by the write window at the most.
            early_seconds=SETTINGS.early_release_after_seconds - SETTINGS.write_window_seconds,
        )
        self.broker = Broker(self.stage, self.rng, self.faults)
        self.around = Surroundings(self.stage, self.broker, self.ledger, self.usage, Names(self.stage))
        self.workers: list[Worker] = []
        self.apis: list[Api] = []
        self.notifiers: list[Notifier] = []
        self.feed_readers: list[FeedReader] = []
        #: Dead ones included.
        self._processes: list[Process] = []
        self.patience_seconds = _PATIENCE_SECONDS
        #: Longest outage of the database.
        self.unavailable_seconds = 0.0

    def _commit_lost(self, fate: str, statement: str) -> None:
        self.faults.count(f"commit lost, {fate}")
        self.stage.note("commit lost", fate, last=statement[:60])

    def _statement_refused(self, sqlstate: str, statement: str) -> None:
        self.faults.count(f"statement refused, {sqlstate}")
        self.stage.note("statement refused", sqlstate, last=statement[:60])

    # Processes

    def start_worker(self) -> Worker:
        return self._started(Worker(self.around, self._new_name("worker")), self.workers)

    def start_api(self) -> Api:
        return self._started(Api(self.around, self._new_name("api")), self.apis)

    def start_notifier(self) -> Notifier:
        return self._started(Notifier(self.around, self._new_name("notifier")), self.notifiers)

    def _new_name(self, kind: str) -> str:
        return f"{kind}-{len(self._processes) + 1}"

    def _started(self, one: Started, others: list[Started]) -> Started:
        self._processes.append(one.process)
        one.process.on_death.append(self._process_died)
        others.append(one)
        return one

    def add_notified(self, endpoints: int) -> None:
        """Give each merchant endpoints and a reader of its feed; call it before any process starts."""
        self.usage = self.around.usage = replace(self.usage, endpoints=endpoints)
        register_endpoints(self.store, endpoints)
        for merchant_id in MERCHANT_IDS:
            reader = FeedReader(self.around, self.apis, merchant_id)
            self.feed_readers.append(reader)
            self.stage.spawn(reader.run())

    def _process_died(self, process: Process) -> None:
        self.store.owner_died(process)
        self.stage.later(self.rng.uniform(0.001, 0.5), self.broker.process_died, process)
        wait = self.rng.uniform(0.5, 25)
        for worker in self.workers:
            if worker.process is process:
                self.workers.remove(worker)
                self.stage.later(wait, self.start_worker)
                return
        for notifier in self.notifiers:
            if notifier.process is process:
                self.notifiers.remove(notifier)
                self.stage.later(wait, self.start_notifier)
                return
        for api in self.apis:
            if api.process is process:
                self.stage.later(wait, self._replace_api, api)

    def _replace_api(self, dead: Api) -> None:
        self.apis.remove(dead)
        self.start_api()

    def _heal(self) -> None:
        self.stage.note("faults stop")
        self.faults.stop()
        self.store.lost_commits = self.store.errors = 0.0
        self.store.is_unavailable = False
        running: list[Worker | Notifier | Api] = [*self.workers, *self.notifiers, *self.apis]
        for one in running:
            one.process.disarm()

    # The history

    async def _play(self) -> None:
        self.pos = PointsOfSale(self.around, self.store, self.apis, self.rng)
        self.interventions = Interventions(self.around, self.store, self.apis, self.rng)
        if self.script is None:
            customers = await self._play_at_random()
        else:
            customers = await self.script(self)
        self._heal()
        ends_at = self.stage.now + self.patience_seconds
        if customers:
            await asyncio.wait(customers, timeout=self.patience_seconds)
        while self.stage.now < ends_at and not self.store.is_settled():
            await asyncio.sleep(_LOOK_SECONDS)

    async def _play_at_random(self) -> "list[asyncio.Task[None]]":
        rng = self.rng
        for _ in range(rng.randint(1, 2)):
            self.add_terminal(drawn_kind(rng))
        if self.usage.endpoints is not None:
            self.add_notified(self.usage.endpoints)
        for _ in range(rng.choice((1, 2, 2, 2, 3))):
            self.start_worker()
        for _ in range(rng.randint(1, 2)):
            self.start_api()
        if self.usage.endpoints is not None:
            for _ in range(rng.randint(1, 2)):
                self.start_notifier()
        Causes(self).plan()
        self.stage.spawn(self.interventions.run())
        customers = [self.loop.create_task(self._customer(number)) for number in range(rng.randint(2, 5))]
        await asyncio.sleep(OPEN_SECONDS)
        return customers

    def add_terminal(self, kind: Kind) -> Terminal:
        number = len(self.around.terminals)
        address = f"127.0.0.{number + 2}"
        terminal = Terminal(self.stage, self.ledger, f"{address}:8888", kind, self.rng)
        self.around.terminals[terminal.terminal_address] = terminal
        terminal.is_bare_success_around = self._is_bare_success_around
        self.around.names.add(f"till-{number}.example", address)
        self.patience_seconds += 2 * (kind.own_seconds - SETTINGS.terminal_own_time_seconds)
        if kind.profile is not None:
            register(self.store, terminal.terminal_address, address, kind.profile, kind.pos_number)
        return terminal

    def _is_bare_success_around(self) -> bool:
        profiles = [terminal.kind.profile or {} for terminal in self.around.terminals.values()]
        return any(profile.get("bare_success") for profile in profiles)

    async def _customer(self, number: int) -> None:
        await asyncio.sleep(self.rng.uniform(0.1, OPEN_SECONDS * 0.8))
        index = self.rng.randrange(len(self.around.terminals))
        await self.pos.customer(number, [f"127.0.0.{index + 2}", f"till-{index}.example"], 8888)

    def run(self) -> Result:
        loops.UNEXPECTED.clear()
        try:
            with patch.object(resilience, "log_unexpected", loops.note_unexpected):
                self.loop.run_until_complete(self._play())
            verdict = judge(self)
            if verdict.violations:
                self.history.lines += stored_text(self)
            return Result(
                self.seed,
                verdict,
                self.faults.happened.copy(),
                self.history.digest,
                self.history.lines.copy(),
                self.loop.now,
            )
        finally:
            self._clear_away()

    def _clear_away(self) -> None:
        self.store.is_unavailable = True
        left = end_all(self.loop, self._processes)
        assert not left, f"{left} tasks do not end when they are cancelled"
        self.loop.close()
        self.store.close()
        databases.give_back()


#: Places customers and faults; returns the customers that are still to be waited for.
Script = Callable[[World], Awaitable[list["asyncio.Task[None]"]]]


def play(seed: int, files: Files, *, keeps_lines: bool = False, script: Script | None = None) -> Result:
    """Play one seed in a context of its own, and leave nothing of it behind."""
    collects = gc.isenabled()
    # Objects of a dead process must not be finalised while its world goes on.
    gc.disable()
    try:
        return copy_context().run(lambda: _run(seed, files, keeps_lines, script))
    finally:
        if collects or seed % _COLLECT_EVERY == 0:
            gc.collect()
        if collects:
            gc.enable()


def _run(seed: int, files: Files, keeps_lines: bool, script: Script | None) -> Result:
    return World(seed, files, keeps_lines=keeps_lines, script=script).run()
