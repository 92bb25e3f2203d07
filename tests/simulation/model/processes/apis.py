"""API process: the service functions behind the HTTP routes, in the simulated world."""

import asyncio
from dataclasses import replace

from api.connector.request import OrderRequest
from api.http.errors import ApiError, UndefinedError
from api.http.query import NO_PREFERENCE, Preference
from api.payments.errors import TooManyOrders
from api.payments.intake import RequestContext
from api.payments.service import Answered, Payments
from api.payments.waiters import Waiters
from api.terminals.lookup import Terminals
from api.terminals.targets import TerminalAddressFinder
from shared.broker.outbox_publisher import OutboxPublisher
from shared.broker.reply_publisher import ReplyPublisher
from shared.metrics.metrics import Metrics
from shared.security.credentials import CredentialKind
from shared.storage.terminals.merchants import Credential
from tests.simulation.database.databases import open_simulated
from tests.simulation.database.thin import is_refused
from tests.simulation.engine.surroundings import (
    MERCHANT_ID,
    MERCHANT_IDS,
    Surroundings,
    seeded_bytes,
    seeded_rng,
)
from tests.simulation.model.broker import SimulatedPublisher, SimulatedReplies
from tests.simulation.model.processes.process import Process, SimulatedClock

METRICS = Metrics("simulated-api")
CREDENTIALS = {
    merchant_id: Credential(
        f"ct_{merchant_id}", CredentialKind.PRIVATE, merchant_id, "", ("127.0.0.0/8", "::ffff:127.0.0.0/104")
    )
    for merchant_id in MERCHANT_IDS
}


class ConnectionLost(Exception):
    """Raised when the API process died during the request."""


class Api:
    """One start of an API process."""

    def __init__(self, around: Surroundings, name: str) -> None:
        self.process = Process(around.stage, name)
        #: Refusal of every order; None: orders are accepted.
        self.refusal: TooManyOrders | None = None
        self._around = around
        self._callers: list[asyncio.Future[Answered]] = []
        self.process.on_death.append(lambda _: self._hang_up())
        self.process.context.run(self._wire)

    def _wire(self) -> None:
        around = self._around
        settings = around.usage.settings()
        rng = seeded_rng(around.stage)
        clock = SimulatedClock(around.stage.loop, around.stage.rng)
        self.database = open_simulated("main", rng)
        self.publisher = SimulatedPublisher(around.broker, around.stage.faults, around.stage.rng)
        self.reply_publisher = ReplyPublisher(self.database, self.publisher, METRICS, clock)
        self.replies = replies = SimulatedReplies(around.broker, self.process)
        if around.usage.endpoints is not None:
            outbox_publisher = OutboxPublisher(self.publisher)
            self.database.on_committed = outbox_publisher.wake
            self.process.spawn(outbox_publisher.run())
        waiters = Waiters(self.database, clock, METRICS, settings)
        self.payments = Payments(
            database=self.database,
            publisher=self.publisher,
            replies=replies,
            reply_publisher=self.reply_publisher,
            waiters=waiters,
            finders=lambda _merchant_id: TerminalAddressFinder(
                around.names.lookup, settings.name_lookup_timeout_seconds
            ),
            terminals=Terminals(self.database, clock, settings.credential_cache_seconds),
            clock=clock,
            metrics=METRICS,
            settings=settings,
            random_bytes=seeded_bytes(around.stage),
        )
        self.process.spawn(replies.start(waiters.replied))
        self.process.spawn(waiters.run())
        self.process.spawn(self.payments.admission.run())

    def _hang_up(self) -> None:
        for future in self._callers:
            if not future.done():
                self._around.stage.later(0.001, _fail, future)

    async def call(
        self,
        order: OrderRequest,
        idempotency_key: str | None,
        preference: Preference = NO_PREFERENCE,
        merchant_id: str = MERCHANT_ID,
    ) -> Answered:
        """Answer an order; raise the contract's errors, or ConnectionLost."""
        if self.process.is_dead:
            raise ConnectionLost
        future: asyncio.Future[Answered] = self._around.stage.loop.create_future()
        self._callers.append(future)
        self.process.about_to_work()
        numbers_begin_again = self._around.usage.guard_life_seconds is not None
        credential = CREDENTIALS[merchant_id]
        if numbers_begin_again:
            credential = replace(credential, guard_hours=0)
        caller = RequestContext(credential, idempotency_key, preference=preference, refusal=self.refusal)
        self.process.spawn(self._serve(order, caller, future))
        return await future

    async def _serve(
        self, order: OrderRequest, caller: RequestContext, future: "asyncio.Future[Answered]"
    ) -> None:
        try:
            answered = await self.payments.pay(order, caller)
        except ApiError as error:
            self._around.stage.later(0.001, _fail, future, error)
        except Exception as error:
            if not is_refused(error):
                self._around.unexpected(self.process.name, error)
            # As the API's last handler answers.
            self._around.stage.later(0.001, _fail, future, UndefinedError())
        else:
            self._around.stage.later(0.001, _answer, future, answered)


def _answer(future: "asyncio.Future[Answered]", answered: Answered) -> None:
    if not future.done():
        future.set_result(answered)


def _fail(future: "asyncio.Future[Answered]", error: Exception | None = None) -> None:
    if not future.done():
        future.set_exception(error or ConnectionLost())
