"""Surroundings of a process: the broker, the terminals, names and the ledger."""

import random
from dataclasses import dataclass, field

from shared.runtime.ids import RandomBytes
from tests.simulation.engine.stage import Stage
from tests.simulation.judge.ledger import Ledger
from tests.simulation.model.api_usage import ApiUsage
from tests.simulation.model.broker import Broker
from tests.simulation.model.names import Names
from tests.simulation.model.receivers import Receivers
from tests.simulation.model.terminal import Terminal

#: The second one, where there is one, pays on the same terminals.
MERCHANT_IDS = ("mer_1", "mer_2")
MERCHANT_ID = MERCHANT_IDS[0]


@dataclass
class Surroundings:
    stage: Stage
    broker: Broker
    ledger: Ledger
    usage: ApiUsage
    names: Names
    receivers: Receivers = field(default_factory=Receivers)
    terminals: dict[str, Terminal] = field(default_factory=dict)
    #: Errors that no code expects: mistakes of the product or of a model.
    errors: list[str] = field(default_factory=list)

    def unexpected(self, where: str, error: BaseException) -> None:
        self.stage.note("unexpected error", where, error=repr(error))
        self.errors.append(f"{where}: {error!r}")


def seeded_rng(stage: Stage) -> random.Random:
    """Return a process's own generator, so that one process's draws do not shift another's."""
    return random.Random(stage.rng.getrandbits(64))


def seeded_bytes(stage: Stage) -> RandomBytes:
    return seeded_rng(stage).randbytes
