"""Notifier worker as its composition root runs it, in the simulated world."""

import asyncio
from typing import Any, Final, cast

from prometheus_client import CollectorRegistry

from notifier_worker.wiring import wire
from shared.metrics.definition import API
from shared.metrics.metrics import Metrics
from shared.metrics.registry import OwnedMetrics
from shared.notification.kinds import HIPAY, MERCHANT
from shared.runtime.resilience import no_failpoint
from shared.security.encryption import SecretCipher
from tests.simulation.database.databases import open_simulated
from tests.simulation.database.sqlite import Store
from tests.simulation.engine.limits import NOTIFIED
from tests.simulation.engine.surroundings import MERCHANT_IDS, seeded_rng
from tests.simulation.model.broker import SimulatedPublisher
from tests.simulation.model.processes.process import SimulatedClock
from tests.simulation.model.processes.stoppable import StoppableProcess
from tests.simulation.model.receivers import ReceiverClient

CIPHER: Final = SecretCipher(bytes(32))
_SECRET: Final = "whsec_" + "QUJD" * 8
_INSERT_ENDPOINT: Final = (
    "INSERT INTO webhook_endpoints (id, merchant_id, url, description, created_at, changed_at)"
    " VALUES (?, ?, ?, '', 0, 0)"
)
_INSERT_SECRET: Final = "INSERT INTO webhook_secrets (endpoint_id, encrypted, created_at) VALUES (?, ?, 0)"


class _NoMetrics:
    """Metrics that nobody collects."""

    #: Of a process that exports none of a notifier's: any number of notifiers may have them.
    owned = OwnedMetrics(API, CollectorRegistry())


def register_endpoints(store: Store, number: int) -> None:
    """Store so many endpoints of each merchant, before anybody pays."""
    lent = store.files.main.lend()
    for merchant_id in MERCHANT_IDS:
        for count in range(number):
            endpoint_id = f"whe_{merchant_id}_{count}"
            lent.execute(_INSERT_ENDPOINT, (endpoint_id, merchant_id, f"https://{endpoint_id}.example/"))
            lent.execute(_INSERT_SECRET, (endpoint_id, CIPHER.encrypt(_SECRET, endpoint_id, bytes)))
    lent.commit()
    store.files.main.give_back(lent)


class Notifier(StoppableProcess):
    """One start of a notifier worker."""

    async def _run(self) -> None:
        around, process = self._around, self.process
        stage, rng = around.stage, seeded_rng(around.stage)
        stage.note("starts", process.name)
        client = cast("Any", ReceiverClient(stage, around.receivers, process))
        parts = wire(
            database=open_simulated("main", rng),
            publisher=SimulatedPublisher(around.broker, stage.faults, stage.rng),
            client=client,
            hipay_client=client,
            cipher=CIPHER,
            clock=SimulatedClock(stage.loop, stage.rng),
            metrics=cast("Metrics", _NoMetrics()),
            settings=NOTIFIED,
            failpoint=no_failpoint,
            rng=rng,
        )
        dispatchers = {HIPAY: parts.hipay, MERCHANT: parts.merchant}
        loops = [loop() for one in dispatchers.values() for loop in (one.lease_loop, one.record_loop)]
        background = [asyncio.create_task(part) for part in (*loops, parts.relay.run())]
        for kind, dispatcher in dispatchers.items():
            around.broker.consume_notifications(process, kind, dispatcher.take)
        await self._stopped_or_ended(background)
        around.broker.stop_consuming(process)
        await asyncio.gather(*(one.drain(NOTIFIED.notifier_drain_seconds) for one in dispatchers.values()))
        for task in background:
            task.cancel()
        for result in await asyncio.gather(*background, return_exceptions=True):
            if isinstance(result, Exception):
                around.unexpected(process.name, result)
