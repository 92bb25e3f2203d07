"""The tills: they order, retry, come twice at once, reverse and refund; and keep what they were told."""

import asyncio
import json
import random
from dataclasses import dataclass, field
from typing import Any

from api.contract.errors import ApiError, KeyConflict, Overloaded
from api.contract.request import OrderRequest, parse_order
from api.headers import NO_PREFERENCE, Preference
from api.paying import Answered
from shared.payment.answers import tell
from shared.payment.payment import Operation, Payment
from tests.simulation.apis import Api, ConnectionLost
from tests.simulation.limits import SETTINGS
from tests.simulation.sqlite import Store
from tests.simulation.surroundings import Surroundings

#: Refusals that show that a rule was used at all.
_COUNTED = {Overloaded.code: "refused, too many wait", KeyConflict.code: "refused, key used"}
_TRANSACTION_TYPES = {"debit": "Debit", "reversal": "Cancel", "credit": "Credit"}


@dataclass(frozen=True)
class Heard:
    """What a till was told, at that moment."""

    at: float
    order_id: str
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


@dataclass(frozen=True)
class Asked:
    """One request on its way; `counting` is the order's attempt that counted when it was sent."""

    order: OrderRequest
    key: str | None
    at: float
    preference: Preference
    counting: str | None

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
        self._shops = around.shops
        self._store = store
        self._apis = apis
        self._rng = rng
        self.told = Told()

    async def customer(self, number: int, hosts: list[str], port: int) -> None:
        """One order from its first request to its end, retried as tills do."""
        rng = self._rng
        order_id = f"ORDER_{number}"
        amount = rng.choice((120, 120, rng.randint(100, 9999)))
        order = self.order(order_id, "debit", amount, rng.choice(hosts), port)
        key = f"key-{number}" if rng.random() < 0.2 else None
        if rng.random() < self._shops.mixed_up_keys:
            key = f"key-{max(0, number - rng.randint(0, 1))}"
            self._stage.faults.count("key mixed up")
        if rng.random() < 0.25:
            await asyncio.gather(self.pay(order, key), self.pay(order, key))
        for _ in range(rng.randint(1, 4)):
            heard = await self.pay(order, key)
            if heard is not None and heard.is_success:
                await self._after_success(order_id, amount, order)
                return
            await asyncio.sleep(rng.uniform(0.1, 20))

    async def _after_success(self, order_id: str, amount: int, paid: OrderRequest) -> None:
        rng = self._rng
        assert paid.host is not None
        assert paid.port is not None
        if rng.random() < 0.2:
            await self.pay(paid, None)
        life = self._shops.guard_life_seconds
        if life is not None and rng.random() < 0.6:
            await asyncio.sleep(rng.uniform(life / 2, 2 * life))
            self._stage.faults.count("number came again")
            await self.pay(self.order(order_id, "debit", rng.randint(100, 9999), paid.host, paid.port), None)
            return
        operation = rng.choices((None, "reversal", "credit"), (6, 2, 1))[0]
        if operation is None:
            return
        part = amount if operation == "reversal" else rng.randint(1, amount)
        following = self.order(order_id, operation, part, paid.host, paid.port)
        await asyncio.sleep(rng.uniform(0.1, 10))
        heard = await self.pay(following, None)
        if operation == "reversal" and heard is not None and heard.is_success and rng.random() < 0.5:
            await self.pay(paid, None)

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

    async def pay(self, order: OrderRequest, key: str | None = None) -> Heard | None:
        """Ask some API process; None where it died under the request."""
        api = self._rng.choice(self._apis)
        preference = self._preference()
        asked = Asked(order, key, self._stage.now, preference, self._counting(order))
        self.told.asked += 1
        self._stage.note(
            "asks", order.order_id, at=api.process.name, operation=order.operation, key=key or "-"
        )
        try:
            answered = await api.call(order, key, preference)
        except ConnectionLost:
            self.told.answered += 1
            self._stage.note("hears nothing", order.order_id)
            return None
        except ApiError as error:
            return self._hear(asked, None, False, False, error.code)
        return self._hear_payment(asked, answered)

    def _preference(self) -> Preference:
        rng, ratio = self._rng, self._shops.impatient
        if not ratio or rng.random() >= ratio:
            return NO_PREFERENCE
        self._stage.faults.count("caller does not wait")
        return rng.choice((Preference(respond_async=True), Preference(wait_seconds=rng.randint(0, 20))))

    def _counting(self, order: OrderRequest) -> str | None:
        return self._store.counting(order.order_id) if order.operation is Operation.DEBIT else None

    def _hear_payment(self, asked: Asked, answered: Answered) -> Heard:
        payment = answered.payment
        told = tell(payment)
        success = told.payment_status == "Success"
        return self._hear(asked, payment, told.safe_to_retry, success, told.error)

    def _hear(
        self, asked: Asked, payment: Payment | None, safe: bool, success: bool, error: str | None
    ) -> Heard:
        order_id = asked.order.order_id
        heard = Heard(
            self._stage.now,
            order_id,
            payment,
            safe,
            success,
            error,
            asked_at=asked.at,
            waits_seconds=asked.waits_seconds,
            key=asked.key,
            counting=asked.counting if asked.counting == self._counting(asked.order) else None,
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
