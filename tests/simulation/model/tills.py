"""The tills: they order, retry, come twice at once, reverse and refund; and keep what they were told."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from api.connector.request import OrderRequest, parse_order
from api.http.errors import ApiError, Overloaded
from api.http.headers import NO_PREFERENCE, Preference
from api.payments.errors import KeyConflict
from api.payments.service import Answered
from shared.payment.answers import response_for
from shared.payment.payment import Operation, Payment
from tests.simulation.database.sqlite import Store
from tests.simulation.limits import SETTINGS
from tests.simulation.model.apis import Api, ConnectionLost
from tests.simulation.surroundings import MERCHANT_ID, MERCHANT_IDS, Surroundings

#: Refusals that show that a rule was used at all.
_COUNTED = {Overloaded.code: "refused, too many wait", KeyConflict.code: "refused, key used"}
#: Operation and Idempotency-Key.
_GIVING_BACK: tuple[tuple[tuple[str, str | None], ...], ...] = (
    (("reversal", None),),
    (("credit", None),),
    (("reversal", None), ("reversal", None)),
    (("reversal", None), ("credit", None)),
    (("credit", None), ("reversal", None)),
    (("credit", "part-1"), ("credit", "part-2")),
    (("credit", "part-1"), ("credit", "part-2"), ("credit", "part-1")),
)
_TRANSACTION_TYPES = {"debit": "Debit", "reversal": "Cancel", "credit": "Credit"}


@dataclass(frozen=True)
class Heard:
    """What a till was told, at that moment."""

    at: float
    merchant_id: str
    order_id: str
    operation: Operation
    payment: Payment | None
    safe_to_retry: bool
    is_success: bool
    error: str | None = None
    asked_at: float = 0.0
    #: What the caller wanted to wait at most.
    waits_seconds: float = 0.0
    key: str | None = None
    #: The order's attempt that counted all the while.
    counting: str | None = None
    #: The newest entry of the payments' histories when it was asked.
    asked_after_event: int = 0
    #: Where it was told that it may try again: payments whose request a terminal had at that moment.
    at_work: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Asked:
    """One request on its way; `counting` is the order's attempt that counted when it was sent."""

    merchant_id: str
    order: OrderRequest
    key: str | None
    at: float
    preference: Preference
    counting: str | None
    after_event: int

    @property
    def waits_seconds(self) -> float:
        if self.preference.respond_async:
            return 0.0
        wanted = self.preference.wait_seconds
        return SETTINGS.caller_wait_seconds if wanted is None else wanted


@dataclass
class Told:
    """Every answer that a till got."""

    heard: list[Heard] = field(default_factory=list)
    asked: int = 0
    answered: int = 0


class Tills:
    """All tills of one history."""

    def __init__(self, around: Surroundings, store: Store, apis: list[Api], rng: random.Random) -> None:
        self._stage = around.stage
        self._ledger = around.ledger
        self._shops = around.shops
        self._store = store
        self._apis = apis
        self._rng = rng
        self.told = Told()

    async def customer(self, number: int, hosts: list[str], port: int) -> None:
        """One order from its first request to its end, retried as tills do."""
        rng = self._rng
        order_id, merchant_id = f"ORDER_{number}", MERCHANT_ID
        if rng.random() < self._shops.second_merchant:
            # Its numbers are the other one's, too.
            order_id, merchant_id = f"ORDER_{max(0, number - 1)}", MERCHANT_IDS[1]
            self._stage.faults.count("second merchant")
        amount = rng.choice((120, 120, rng.randint(100, 9999)))
        order = self.order(order_id, "debit", amount, rng.choice(hosts), port)
        key = f"key-{number}" if rng.random() < 0.2 else None
        if rng.random() < self._shops.mixed_up_keys:
            key = f"key-{max(0, number - rng.randint(0, 1))}"
            self._stage.faults.count("key mixed up")
        if rng.random() < 0.25:
            await asyncio.gather(self.pay(order, key, merchant_id), self.pay(order, key, merchant_id))
        for _ in range(rng.randint(1, 4)):
            heard = await self.pay(order, key, merchant_id)
            if heard is not None and heard.is_success:
                await self._after_success(order, merchant_id)
                return
            await asyncio.sleep(rng.uniform(0.1, 20))

    async def _after_success(self, paid: OrderRequest, merchant_id: str) -> None:
        rng, amount = self._rng, paid.amount_cents

        def following(operation: str, amount: int) -> OrderRequest:
            assert paid.host is not None
            assert paid.port is not None
            return self.order(paid.order_id, operation, amount, paid.host, paid.port)

        if rng.random() < 0.2:
            await self.pay(paid, None, merchant_id)
        life = self._shops.guard_life_seconds
        if life is not None and rng.random() < 0.6:
            await asyncio.sleep(rng.uniform(life / 2, 2 * life))
            self._stage.faults.count("number came again")
            await self.pay(following("debit", rng.randint(100, 9999)), None, merchant_id)
            return
        if rng.random() < 2 / 3:
            return
        await asyncio.sleep(rng.uniform(0.1, 10))
        await self._give_back(following, amount, merchant_id)
        if rng.random() < 0.5:
            await self.pay(paid, None, merchant_id)

    async def _give_back(
        self, following: Callable[[str, int], OrderRequest], amount: int, merchant_id: str
    ) -> None:
        """Reversals and credits, some of them against each other, some of them again."""
        rng = self._rng
        wanted = [
            (following(operation, amount if operation == "reversal" else rng.randint(1, amount)), key)
            for operation, key in rng.choice(_GIVING_BACK)
        ]
        if len(wanted) > 1:
            self._stage.faults.count("given back more than once")
        if rng.random() < 0.5:
            await asyncio.gather(*(self.pay(order, key, merchant_id) for order, key in wanted))
            return
        for order, key in wanted:
            await self.pay(order, key, merchant_id)
            await asyncio.sleep(rng.uniform(0, 15))

    def order(self, order_id: str, operation: str, amount: int, host: str, port: int) -> OrderRequest:
        body: dict[str, Any] = {
            "order": {
                "order_id": order_id,
                "transaction_type": _TRANSACTION_TYPES[operation],
                "price": {"amount": amount, "currency": "EUR"},
            },
            "pos_technical_info": {
                "host_information": {"host": host, "port": port},
                "terminal_transaction_display": {"protocol": "ConcertV3.2", "contract_array": []},
            },
        }
        return parse_order(json.dumps(body).encode())

    async def pay(
        self, order: OrderRequest, key: str | None = None, merchant_id: str = MERCHANT_ID
    ) -> Heard | None:
        """Ask some API process; None where it died under the request."""
        api = self._rng.choice(self._apis)
        preference = self._preference()
        asked = Asked(
            merchant_id,
            order,
            key,
            self._stage.now,
            preference,
            self._counting(order, merchant_id),
            self._store.newest_event(),
        )
        self.told.asked += 1
        self._stage.note(
            "asks", order.order_id, at=api.process.name, operation=order.operation, key=key or "-"
        )
        try:
            answered = await api.call(order, key, preference, merchant_id)
        except ConnectionLost:
            self.told.answered += 1
            self._stage.note("hears nothing", order.order_id)
            return None
        except ApiError as error:
            return self._hear(asked, None, bool(error.safe_to_retry), False, error.code)
        return self._hear_payment(asked, answered)

    def _preference(self) -> Preference:
        rng, ratio = self._rng, self._shops.impatient
        if not ratio or rng.random() >= ratio:
            return NO_PREFERENCE
        self._stage.faults.count("caller does not wait")
        return rng.choice((Preference(respond_async=True), Preference(wait_seconds=rng.randint(0, 20))))

    def _counting(self, order: OrderRequest, merchant_id: str) -> str | None:
        if order.operation is not Operation.DEBIT:
            return None
        return self._store.counting(merchant_id, order.order_id, self._shops.guard_life_seconds)

    def _hear_payment(self, asked: Asked, answered: Answered) -> Heard:
        payment = answered.payment
        told = response_for(payment)
        success = told.payment_status == "Success"
        return self._hear(asked, payment, told.safe_to_retry, success, told.error)

    def _hear(
        self, asked: Asked, payment: Payment | None, safe: bool, success: bool, error: str | None
    ) -> Heard:
        order_id = asked.order.order_id
        counting = self._counting(asked.order, asked.merchant_id)
        heard = Heard(
            self._stage.now,
            asked.merchant_id,
            order_id,
            asked.order.operation,
            payment,
            safe,
            success,
            error,
            asked_at=asked.at,
            waits_seconds=asked.waits_seconds,
            key=asked.key,
            counting=counting if asked.counting == counting else None,
            asked_after_event=asked.after_event,
            at_work=self._ledger.at_work() if safe else frozenset(),
        )
        self.told.answered += 1
        self.told.heard.append(heard)
        if error in _COUNTED:
            self._stage.faults.count(_COUNTED[error])
        state = "-" if payment is None else f"{payment.state}/{payment.reason}"
        self._stage.note(
            "hears", order_id, payment="-" if payment is None else payment.id, state=state, error=error
        )
        return heard
