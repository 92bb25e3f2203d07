"""The lines that this worker holds without a session: payments in doubt, until their hold ends.

The holder alone ends its hold, by its own boot-time clock: no step of a database's clock may free a line
whose terminal could still be charging a card.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from shared.announcing import Announcer
from shared.clock import Clock
from shared.payment.states import FINAL_STATES
from shared.storage import outcomes, waiting
from shared.storage.engine import CommitUnknown, Database, DatabaseAway
from shared.storage.lines import Taking

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Hold:
    """One held line. Its session has ended and its connection is closed."""

    taking: Taking
    #: Boot-time seconds; counted from before the claim was sent.
    ends_at: float


class Holds:
    """Ends each hold at a heartbeat: when its time is over, or when its payment got its outcome before."""

    def __init__(self, database: Database, clock: Clock, announcer: Announcer) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._announcer: Final = announcer
        self._held: Final[dict[str, Hold]] = {}

    def keep(self, hold: Hold) -> None:
        self._held[hold.taking.token] = hold

    def __len__(self) -> int:
        return len(self._held)

    async def run(self, every_seconds: float) -> None:
        """End what is due, in the rhythm of the heartbeat, until cancelled."""
        while True:
            await asyncio.sleep(every_seconds)
            await self.end_due()

    async def end_due(self) -> None:
        """Free what need not be held any longer; what cannot be freed now is tried at the next beat."""
        if not self._held:
            return
        try:
            states = await waiting.states(
                self._database, [hold.taking.payment_id for hold in self._held.values()]
            )
            now = self._clock.boot()
            for token, hold in list(self._held.items()):
                settled = states.get(hold.taking.payment_id) in FINAL_STATES
                if settled or now >= hold.ends_at:
                    await self._free(hold)
                    del self._held[token]
        except (DatabaseAway, CommitUnknown) as error:
            _log.warning("holds not ended, trying again", error=str(error), holds=len(self._held))

    async def _free(self, hold: Hold) -> None:
        line = hold.taking.address
        if await outcomes.release(self._database, hold.taking):
            _log.info("hold ended", line=line, payment_id=hold.taking.payment_id)
            await self._announcer.publish_next(line)
