"""Receivers of the fault tests, HiPay and two endpoints of a merchant, and the checks of their posts."""

import contextlib
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from eventually import eventually
from payments import change
from running.fault_runs import Staged
from running.fleet import Fleet
from system import LOOPBACK, Login, System
from wire.endpoints import GivenEndpoint, add_endpoint
from wire.webhook_receiver import Received, WebhookReceiver, receiving

from shared.notification.kinds import HIPAY
from shared.security.credentials import new_webhook_secret

#: A dead notifier's leases end after 3 s.
NOTIFY_LIMITS: Final[dict[str, object]] = {
    "notify_timeout_seconds": 2.5,
    "notify_connect_timeout_seconds": 2.5,
    "notify_lease_seconds": 3,
    # The broker gives a stopped notifier's messages to another one once it misses two heartbeats.
    "broker_heartbeat_seconds": 3,
    # A broker that was killed needs ten seconds to come back, more on a loaded machine.
    "queue_deadline_seconds": 40,
    "caller_wait_seconds": 60,
    "api_drain_seconds": 65,
    "api_stop_grace_seconds": 70,
    "proxy_timeout_seconds": 65,
}

#: A payment and the number of its event; an order notification counts as its payment's first.
Key = tuple[str, int]


@dataclass(frozen=True)
class Subscriber:
    """Receiver of notifications: where its requests arrive, and as what it is registered."""

    receiver: WebhookReceiver
    endpoint: GivenEndpoint

    def first_received(self) -> dict[Key, Received]:
        """Return the messages in the order of their first arrival; every repeat must be the same."""
        first: dict[Key, Received] = {}
        for one in self.receiver.received:
            self.endpoint.verify(one)
            earlier = first.setdefault(_key(one), one)
            assert (one.headers["webhook-id"], one.body) == (earlier.headers["webhook-id"], earlier.body)
        return first

    @property
    def repeats(self) -> int:
        return len(self.receiver.received) - len(self.first_received())


def _key(one: Received) -> Key:
    body = one.json
    return (body["reference"], 1) if body["type"] == "order" else (body["payment_id"], body["sequence"])


@dataclass(frozen=True)
class Scene:
    """Stage with a merchant's endpoints and HiPay."""

    fleet: Fleet
    system: System
    login: Login
    hipay: Subscriber
    merchants: tuple[Subscriber, Subscriber]

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        return self.hipay, *self.merchants

    async def grace_passes(self) -> None:
        """Move the deliveries past the ten seconds in which they are left to their wake-ups."""
        await change(self.system.database, "UPDATE deliveries SET publish_at = 0 WHERE state = 'waiting'")

    async def all_delivered(self) -> None:
        """Wait until no delivery waits in the database."""
        await eventually(self._is_delivered, within_seconds=60)

    async def _is_delivered(self) -> bool:
        return {row.state for row in await self.system.all_of("deliveries")} == {"delivered"}

    async def check_received(self) -> None:
        """Check that the stored events arrived, all of them and nothing else, each payment's in order."""
        events = {(row.payment_id, row.sequence) for row in await self.system.all_of("events")}
        deliveries = await self.system.all_of("deliveries")
        tried_again = await self._failed_tries()
        for subscriber in self.subscribers:
            received = subscriber.first_received()
            stored = {
                (row.payment_id, row.sequence): row.id
                for row in deliveries
                if row.target == subscriber.endpoint.id
            }
            assert {key: one.headers["webhook-id"] for key, one in received.items()} == stored
            assert subscriber is self.hipay or set(received) == events
            numbers = defaultdict(list)
            for payment_id, sequence in received:
                numbers[payment_id].append(sequence)
            for payment_id, found in numbers.items():
                # Later events do not wait for one whose first try has failed.
                assert found == sorted(found) or payment_id in tried_again

    async def _failed_tries(self) -> set[str]:
        failed = {row.delivery_id for row in await self.system.all_of("delivery_attempts") if row.error}
        return {row.payment_id for row in await self.system.all_of("deliveries") if row.id in failed}


@contextlib.asynccontextmanager
async def notified_stage(staged: Staged) -> AsyncIterator[Scene]:
    """Open a stage with two endpoints of a merchant that subscribe to everything, and HiPay."""
    hipay = GivenEndpoint(HIPAY, new_webhook_secret(os.urandom))
    async with receiving() as orders, receiving() as first, receiving() as second:
        hipay_settings = {"hipay_url": orders.url, "hipay_signing_secret": hipay.secret}
        async with staged(**NOTIFY_LIMITS, **hipay_settings) as (fleet, system):
            login = await system.login(LOOPBACK)
            one, other = [
                Subscriber(
                    hooks,
                    await add_endpoint(system.database, system.settings, login.merchant_id, hooks.url),
                )
                for hooks in (first, second)
            ]
            yield Scene(fleet, system, login, Subscriber(orders, hipay), (one, other))
