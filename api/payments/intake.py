"""Intake of orders: find the terminal, admit the order, store it as a payment, or return its earlier attempt.

A refusal is the answer only after the order guard was asked: a POS that reads 'refused' or 'safe to retry'
charges the customer elsewhere, and an earlier attempt of the same order may be at the terminal.
"""

import asyncio
import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Final

import structlog

from api.connector.request import OrderRequest
from api.http.errors import ApiError, Overloaded, OverloadedUnchecked
from api.http.logins.auth import merchant_of
from api.http.query import NO_PREFERENCE, Preference
from api.limits.admission import Admission, StoredBytes
from api.limits.overload import AcceptSlots, AskedOrder, EarlierLooks, NoSlot
from api.payments.errors import MerchantSuspended, TooManyOpenPayments, TooManyOrders, TooManyStoredBytes
from api.terminals.lookup import Terminals
from api.terminals.targets import Target, Targets, TerminalAddressFinders
from api.webhooks.service import warnings_for
from shared.concert.mask import mask_card_numbers, mask_personal
from shared.runtime.clock import Clock
from shared.runtime.logging import bound_request
from shared.runtime.resilience import Failpoint
from shared.settings.settings import Settings
from shared.storage.db.engine import CommitUnknown, Database
from shared.storage.payments import snapshots
from shared.storage.payments.acceptance import accept, find_earlier
from shared.storage.payments.new_payment import Acceptance, Accepted, Earlier, NewPayment, Terms
from shared.storage.terminals.merchants import Credential

_log = structlog.get_logger()

#: Orders that are stored at once; most of them go together, on one connection.
_STORED_AT_ONCE: Final = 32
#: Connections of the pool that do not store orders one by one: the one on which they go together, readers of
#: waiting requests, expiries, other routes.
_OTHER_CONNECTIONS: Final = 5


@dataclass(frozen=True, slots=True)
class RequestContext:
    """Credential, headers and limits of a request, beside its order."""

    credential: Credential
    idempotency_key: str | None = None
    traceparent: str | None = None
    preference: Preference = NO_PREFERENCE
    #: The refusal of this client's orders by its share; an order with an earlier attempt is answered by that.
    refusal: TooManyOrders | None = None


class Intake:
    """Stores orders as payments, in a few slots."""

    def __init__(
        self,
        *,
        database: Database,
        finders: TerminalAddressFinders,
        terminals: Terminals,
        reply_to: str,
        clock: Clock,
        settings: Settings,
        failpoint: Failpoint,
    ) -> None:
        """`reply_to` is the queue of this process for replies."""
        self._database: Final = database
        self._targets: Final = Targets(finders, terminals, settings.pos_number)
        self._reply_to: Final = reply_to
        self._settings: Final = settings
        self._failpoint: Final = failpoint
        self.admission: Final = Admission(database, settings)
        self.stored_bytes: Final = StoredBytes(database, clock, settings)
        self._slots: Final = AcceptSlots(_STORED_AT_ONCE, settings.accept_wait_seconds, clock)
        #: For orders that need a connection of their own.
        self._places: Final = asyncio.Semaphore(max(1, settings.database_pool_size - _OTHER_CONNECTIONS))
        self._looks: Final = EarlierLooks(database)

    async def take(
        self, payment_id: str, order: OrderRequest, context: RequestContext
    ) -> tuple[NewPayment, Acceptance]:
        """Store the order as a payment, or return the earlier attempt or conflict that keeps it out.

        Raises its refusal, Overloaded where it cannot be stored in time, DatabaseUnavailable,
        CommitUnknown.
        """
        asked = _asked(payment_id, order, context)
        with self._looks.undecided(asked):
            refusal: ApiError | None = self._overload(context)
            if refusal is not None and await self._looks.certainly_none(asked):
                raise refusal
            target = await self._targets.find(order, context.credential)
            new = self._new_payment(payment_id, order, context, target)
            if refusal is None:
                try:
                    new = await self._admitted(new, target, context)
                except ApiError as error:
                    if isinstance(error, Overloaded) and await self._looks.certainly_none(asked):
                        raise
                    refusal = error
            with self._counted(new, refusal):
                return new, await self._in_slot(new, asked, context, refusal)

    async def _in_slot(
        self, new: NewPayment, asked: AskedOrder, context: RequestContext, refusal: ApiError | None
    ) -> Acceptance:
        try:
            async with self._slots.slot():
                return await self._store(new, asked, context, refusal)
        except NoSlot:
            certain = await self._looks.certainly_none(asked)
            _log.warning("order refused: no free slot in time", order_known=not certain)
            raise (Overloaded() if certain else OverloadedUnchecked()) from None

    def _overload(self, context: RequestContext) -> TooManyOrders | Overloaded | None:
        """Return the refusal that needs no look at the terminal: it has to cost little."""
        if context.refusal is not None:
            return context.refusal
        return None if self.admission.has_room(merchant_of(context.credential)) else Overloaded()

    def _counted(self, new: NewPayment, refusal: ApiError | None) -> AbstractContextManager[None]:
        """Count the payment as waiting while it is stored, which begins in the same step as its admission."""
        if refusal is not None or new.terminal_address is None:
            return nullcontext()
        return self.admission.storing(new.merchant_id, new.terminal_address)

    async def _store(
        self, new: NewPayment, asked: AskedOrder, context: RequestContext, refusal: ApiError | None
    ) -> Acceptance:
        """Store the payment, or return what keeps it out. Raises the refusal where nothing else does."""
        if refusal is not None:
            return await self._earlier(new, asked, context, refusal)
        for warning in new.warnings:
            _log.warning("order accepted with a warning", warning=warning)
        await self._failpoint("before_insert")
        return await self._accept(new, context)

    async def _admitted(self, new: NewPayment, target: Target, context: RequestContext) -> NewPayment:
        """Return the payment with all its warnings.

        Raises its refusal: MerchantSuspended, the target's refusal, UnknownWebhookEndpoint,
        TooManyStoredBytes, TooManyOpenPayments, Overloaded; and DatabaseUnavailable.
        """
        credential = context.credential
        if credential.suspended_because is not None:
            raise MerchantSuspended(credential.suspended_because)
        if target.refusal is not None:
            raise target.refusal
        if not self.stored_bytes.has_room(new.merchant_id, new.request):
            raise TooManyStoredBytes(math.ceil(self.stored_bytes.day_left_seconds))
        warnings = await warnings_for(self._database, new.merchant_id, new.webhook_endpoint_id)
        if new.terminal_address is not None and not self._has_room(new.merchant_id, new.terminal_address):
            raise Overloaded
        if new.terminal_address is not None and not self.admission.may_open(new.merchant_id):
            raise TooManyOpenPayments
        return replace(new, warnings=(*new.warnings, *warnings))

    def _has_room(self, merchant_id: str, terminal_address: str) -> bool:
        """Return True where the payment may wait; what was read since the first look took its time."""
        return self.admission.has_room(merchant_id) and self.admission.has_room_at(
            merchant_id, terminal_address
        )

    async def _earlier(
        self, new: NewPayment, asked: AskedOrder, context: RequestContext, refusal: ApiError
    ) -> Earlier:
        """Return the order's earlier attempt as the answer; raise the refusal where there is none."""
        async with self._places:
            earlier = await find_earlier(self._database, new, self._terms(context))
        if earlier is not None:
            return earlier
        _log.warning("order refused", code=refusal.code, terminal_address=new.terminal_address)
        if refusal.safe_to_retry and not self._looks.is_alone(asked):
            raise OverloadedUnchecked
        raise refusal

    def _new_payment(
        self,
        payment_id: str,
        order: OrderRequest,
        context: RequestContext,
        target: Target,
    ) -> NewPayment:
        return NewPayment(
            id=payment_id,
            merchant_id=merchant_of(context.credential),
            order_id=order.order_id,
            operation=order.operation,
            idempotency_key=context.idempotency_key,
            amount_cents=order.amount_cents,
            currency=order.currency,
            protocol=order.protocol,
            force_authorization=target.force_authorization,
            host=target.host,
            port=target.port,
            terminal_address=target.terminal_address,
            pos_number=target.pos_number,
            profile=target.profile,
            request=order.request_text,
            webhook_endpoint_id=order.webhook_endpoint_id,
            passes_unknown=context.credential.unknown_orders.pass_on(order.operation),
            notifies_hipay=self._settings.hipay_url is not None,
            reply_to=self._reply_to,
            traceparent=context.traceparent,
            request_id=_kept(bound_request()),
            deadline_seconds=self._settings.queue_deadline_seconds,
            warnings=order.warnings,
        )

    async def _accept(self, new: NewPayment, context: RequestContext) -> Acceptance:
        """Store the payment; after a commit whose answer was lost, read first if it was carried out."""
        try:
            return await accept(self._database, new, self._terms(context), self._places)
        except CommitUnknown:
            async with self._places:
                stored = await snapshots.payment(self._database, new.id)
            if stored is not None:
                return Accepted(stored.id, stored.state)
        # Carried out later than that read, it is found as this payment's own.
        return await accept(self._database, new, self._terms(context), self._places)

    def _terms(self, context: RequestContext) -> Terms:
        guard_hours = context.credential.guard_hours
        merchants = context.credential.replay_seconds
        replay_seconds = self._settings.replay_window_seconds if merchants is None else merchants
        return Terms(
            replay_seconds=replay_seconds,
            credit_replay_seconds=min(replay_seconds, self._settings.replay_window_unkeyed_credit_seconds),
            guard_life_seconds=None if guard_hours is None else guard_hours * 3600,
        )


def _kept(request_id: str | None) -> str | None:
    """Return a client's id as the history may keep it, which holds no number of a card."""
    return None if request_id is None else mask_personal(mask_card_numbers(request_id))


def _asked(payment_id: str, order: OrderRequest, context: RequestContext) -> AskedOrder:
    return AskedOrder(
        payment_id=payment_id,
        merchant_id=merchant_of(context.credential),
        order_id=order.order_id,
        operation=order.operation,
        idempotency_key=context.idempotency_key,
    )
