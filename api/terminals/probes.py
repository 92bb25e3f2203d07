"""Probes of a merchant's terminals: sent to a worker, their results read from the database."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import structlog
from fastapi import Request
from starlette.requests import ClientDisconnect

from api.http.logins.auth import merchant_of
from api.payments.errors import BrokerUnavailable, MerchantSuspended
from api.payments.waiters import Waiter, Waiters
from api.terminals.errors import ProbeExpired
from api.terminals.service import Registry
from api.terminals.targets import Targets
from shared.broker.errors import BrokerFailure
from shared.broker.interfaces import ProbePublisher, ReplyListener
from shared.broker.messages import ProbeMessage
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes, new_probe_id
from shared.runtime.logging import bound
from shared.runtime.outage_lines import log_outage
from shared.runtime.resilience import failures_logged
from shared.settings.settings import Settings
from shared.storage.db.engine import Database
from shared.storage.terminals import probes
from shared.storage.terminals.merchants import Credential
from shared.storage.terminals.probes import NewProbe, ProbeReport, ProbeResult

_log = structlog.get_logger()

#: The longest wait for a worker: an operator waits for the probe, and nothing is lost without it.
_DEADLINE_SECONDS: Final = 10.0


class Probing:
    """Sends probes and waits for them; any number at once."""

    def __init__(
        self,
        *,
        database: Database,
        registry: Registry,
        targets: Targets,
        publisher: ProbePublisher,
        replies: ReplyListener,
        waiters: Waiters,
        clock: Clock,
        settings: Settings,
        random_bytes: RandomBytes,
    ) -> None:
        self._database: Final = database
        self._registry: Final = registry
        self._targets: Final = targets
        self._publisher: Final = publisher
        self._replies: Final = replies
        self._waiters: Final = waiters
        self._clock: Final = clock
        self._settings: Final = settings
        self._deadline_seconds: Final = min(_DEADLINE_SECONDS, settings.queue_deadline_seconds)
        self._random_bytes: Final = random_bytes

    async def probe(self, terminal_id: str, credential: Credential) -> ProbeReport:
        """Return the result.

        Raises MerchantSuspended, NotFound, ForeignTerminal, ReservedTerminal, BrokerUnavailable,
        ProbeExpired, DatabaseUnavailable, CommitUnknown.
        """
        if credential.suspended_because is not None:
            raise MerchantSuspended(credential.suspended_because)
        terminal = await self._registry.registered(terminal_id, credential)
        terminal_address = await self._targets.terminal_address(terminal.host, terminal.port, credential)
        if terminal_address is None:
            return ProbeReport(result=ProbeResult.UNREACHABLE, detail="the host has no address")
        probe_id = new_probe_id(self._clock, self._random_bytes)
        new = NewProbe(
            id=probe_id,
            merchant_id=merchant_of(credential),
            terminal_id=terminal.id,
            terminal_address=terminal_address,
            protocol=terminal.protocol,
            profile=terminal.profile,
            pos_number=terminal.pos_number,
            deadline_seconds=self._deadline_seconds,
        )
        with bound(probe_id=probe_id), self._waiters.waiting(probe_id, attached=False) as waiter:
            await probes.create(self._database, new)
            try:
                await self._publisher.publish_probe(ProbeMessage(probe_id, self._replies.name))
            except BrokerFailure as error:
                log_outage("broker", "probe not sent: broker unavailable", "error", error=str(error))
                await probes.give_up(self._database, probe_id)
                raise BrokerUnavailable("The message broker is unavailable; nothing was sent.") from error
            return await self._result(waiter)

    async def _result(self, waiter: Waiter) -> ProbeReport:
        """Wait for the reply; read the database every reply_poll_seconds in case the reply gets lost."""
        ends_at = self._clock.monotonic() + self._deadline_seconds + self._settings.probe_lease_seconds
        probe_id, found = waiter.payment_id, None
        while found is None and self._clock.monotonic() < ends_at:
            await waiter.until_woken(self._settings.reply_poll_seconds)
            with failures_logged("probe result not read"):
                found = await probes.result(self._database, probe_id)
        if found is None:
            await probes.give_up(self._database, probe_id)
            found = await probes.result(self._database, probe_id)
        if found is None or found.result in (ProbeResult.NO_WORKER, ProbeResult.INTERRUPTED):
            raise ProbeExpired
        return found


Result = TypeVar("Result")


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Return the work's result; cancel it and raise ClientDisconnect as soon as the client disconnects.

    The request's body must have been read to its end. For work that stores nothing.
    """
    working = asyncio.ensure_future(work)
    disconnecting = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((working, disconnecting), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        working.cancel()
        disconnecting.cancel()
        await asyncio.wait((working, disconnecting))


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
