"""Points of sale: they order, retry, send twice at once, reverse and credit, and keep the answers."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from api.connector.request import OrderRequest, parse_order
from api.http.errors import ApiError, Overloaded
from api.http.query import NO_PREFERENCE, Preference
from api.payments.errors import KeyConflict
from api.payments.service import Answered
from shared.payment.answers import response_for
from shared.payment.payment import Operation, Payment
from tests.simulation.database.sqlite import Store
from tests.simulation.engine.limits import SETTINGS
from tests.simulation.engine.surroundings import MERCHANT_ID, MERCHANT_IDS, Surroundings
from tests.simulation.model.processes.apis import Api, ConnectionLost

#: Refusals that are counted, so that a run shows that their rules were used.
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
class Answer:
    """One answer to a POS, and what was true at that moment."""

    at: float
    merchant_id: str
    order_id: str
    operation: Operation
    payment: Payment | None
    safe_to_retry: bool
    is_success: bool
    error: str | None = None
    asked_at: float = 0.0
    #: Longest wait that the client asked for.
    waits_seconds: float = 0.0
    key: str | None = None
    #: The order's attempt that blocked others all the while.
    blocking: str | None = None
    #: Newest entry of the payments' histories at the request.
    asked_after_event: int = 0
    #: Of an answer 'safe to retry': payments whose request a terminal had at that moment.
    at_work: frozenset[str] = frozenset()


@dataclass(frozen=True)
class SentRequest:
    """One request on its way; `blocking` is the order's attempt that blocked others when it was sent."""

    merchant_id: str
    order: OrderRequest
    key: str | None
    at: float
    preference: Preference
    blocking: str | None
    after_event: int

    @property
    def waits_seconds(self) -> float:
        if self.preference.respond_async:
            return 0.0
        wanted = self.preference.wait_seconds
        return SETTINGS.caller_wait_seconds if wanted is None else wanted


@dataclass
class PosLog:
    """Log of requests and answers."""

    answers: list[Answer] = field(default_factory=list)
    asked: int = 0
    answered: int = 0


class PointsOfSale:
    """All points of sale of one history."""

    def __init__(self, around: Surroundings, store: Store, apis: list[Api], rng: random.Random) -> None:
        self._stage = around.stage
        self._ledger = around.ledger
        self._usage = around.usage
        self._store = store
        self._apis = apis
        self._rng = rng
        self.log = PosLog()

    async def customer(self, number: int, hosts: list[str], port: int) -> None:
        """Send one order from its first request to its end, retried as a POS does."""
        rng = self._rng
        order_id, merchant_id = f"ORDER_{number}", MERCHANT_ID
        if rng.random() < self._usage.second_merchant:
            # Its numbers are the other one's, too.
            order_id, merchant_id = f"ORDER_{max(0, number - 1)}", MERCHANT_IDS[1]
            self._stage.faults.count("second merchant")
        amount = rng.choice((120, 120, rng.randint(100, 9999)))
        order = self.order(order_id, "debit", amount, rng.choice(hosts), port)
        key = f"key-{number}" if rng.random() < 0.2 else None
        if rng.random() < self._usage.mixed_up_keys:
            key = f"key-{max(0, number - rng.randint(0, 1))}"
            self._stage.faults.count("key mixed up")
        if rng.random() < 0.25:
            await asyncio.gather(self.pay(order, key, merchant_id), self.pay(order, key, merchant_id))
        for _ in range(rng.randint(1, 4)):
            answer = await self.pay(order, key, merchant_id)
            if answer is not None and answer.is_success:
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
        life = self._usage.guard_life_seconds
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
        """Send reversals and credits, some of them at once, some of them again."""
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
    ) -> Answer | None:
        """Send a request to some API process; return None where it died meanwhile."""
        api = self._rng.choice(self._apis)
        preference = self._preference()
        asked = SentRequest(
            merchant_id,
            order,
            key,
            self._stage.now,
            preference,
            self._blocking(order, merchant_id),
            self._store.newest_event(),
        )
        self.log.asked += 1
        self._stage.note(
            "request", order.order_id, at=api.process.name, operation=order.operation, key=key or "-"
        )
        try:
            answered = await api.call(order, key, preference, merchant_id)
        except ConnectionLost:
            self.log.answered += 1
            self._stage.note("connection lost", order.order_id)
            return None
        except ApiError as error:
            return self._log_answer(asked, None, bool(error.safe_to_retry), False, error.code)
        return self._log_payment(asked, answered)

    def _preference(self) -> Preference:
        rng, ratio = self._rng, self._usage.impatient
        if not ratio or rng.random() >= ratio:
            return NO_PREFERENCE
        self._stage.faults.count("client does not wait")
        return rng.choice((Preference(respond_async=True), Preference(wait_seconds=rng.randint(0, 20))))

    def _blocking(self, order: OrderRequest, merchant_id: str) -> str | None:
        if order.operation is not Operation.DEBIT:
            return None
        return self._store.blocking(merchant_id, order.order_id, self._usage.guard_life_seconds)

    def _log_payment(self, asked: SentRequest, answered: Answered) -> Answer:
        payment = answered.payment
        response = response_for(payment)
        success = response.payment_status == "Success"
        return self._log_answer(asked, payment, response.safe_to_retry, success, response.error)

    def _log_answer(
        self, asked: SentRequest, payment: Payment | None, safe: bool, success: bool, error: str | None
    ) -> Answer:
        order_id = asked.order.order_id
        blocking = self._blocking(asked.order, asked.merchant_id)
        answer = Answer(
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
            blocking=blocking if asked.blocking == blocking else None,
            asked_after_event=asked.after_event,
            at_work=self._ledger.at_work() if safe else frozenset(),
        )
        self.log.answered += 1
        self.log.answers.append(answer)
        if error in _COUNTED:
            self._stage.faults.count(_COUNTED[error])
        state = "-" if payment is None else f"{payment.state}/{payment.reason}"
        self._stage.note(
            "answer", order_id, payment="-" if payment is None else payment.id, state=state, error=error
        )
        return answer
