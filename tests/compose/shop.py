"""Shop with a cash register: it pays single orders, or many at once, and repeats those without a result."""

import base64
import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sandbox.demo.desk import order
from tests.compose.installation import Failed

PAY_SECONDS: Final = 250
#: Of the terminals of `terminals.yaml`.
TERMINALS: Final = 20
FIRST_PORT: Final = 9001
AMOUNT_CENTS: Final = 1250
#: A payment in doubt is asked for until its worker's death was noticed and its terminal asked.
SETTLED_SECONDS: Final = 120
_PAUSE_SECONDS: Final = 1.0
#: The environment's proxy is for other addresses than loopback.
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Sales:
    """Record of many orders at once: answers and troubles."""

    paid: int = 0
    #: The last answer to each order.
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: How often each kind of answer came that was no success.
    troubles: Counter[str] = field(default_factory=Counter)


class Shop:
    """Client of one merchant."""

    def __init__(self, url: str, name: str, secret: str) -> None:
        self._url: Final = url
        self._headers: Final = {
            "Authorization": "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode(),
            "Content-Type": "application/json",
        }

    def pay(
        self, order_id: str, amount_cents: int = AMOUNT_CENTS, host: str = "terminal", port: int = 8888
    ) -> tuple[int, dict[str, Any]]:
        """Send an order once; return status and body. Raises Failed where no answer came."""
        body = json.dumps(order(order_id, amount_cents, host, port)).encode()
        request = urllib.request.Request(f"{self._url}/v1/connector/order", data=body, headers=self._headers)
        try:
            with _DIRECT.open(request, timeout=PAY_SECONDS) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except (OSError, ValueError) as error:
            raise Failed(f"no answer: {type(error).__name__}: {error}") from error

    def sell(
        self,
        orders: int,
        *,
        at_once: int,
        meanwhile: Mapping[int, Callable[[], None]],
        repeat_seconds: float = SETTLED_SECONDS,
    ) -> Sales:
        """Pay on the terminals of `terminals.yaml`; each order is sent until it is paid, or for a while.

        `meanwhile` is called once so many orders are paid.
        """
        sales, lock = Sales(), threading.Lock()

        def sell_one(number: int) -> None:
            order_id, until = f"SCALE_{number}", time.monotonic() + repeat_seconds
            while True:
                trouble, answer = self.try_once(order_id, number)
                call = None
                with lock:
                    sales.answers[order_id] = answer
                    if trouble is not None:
                        sales.troubles[trouble] += 1
                    if trouble is None:
                        sales.paid += 1
                        call = meanwhile.get(sales.paid)
                if call is not None:
                    call()
                if trouble is None or time.monotonic() > until:
                    return
                time.sleep(_PAUSE_SECONDS)

        with ThreadPoolExecutor(at_once) as threads:
            for done in [threads.submit(sell_one, number) for number in range(orders)]:
                done.result()
        return sales

    @contextmanager
    def selling(self, name: str, *, pause_seconds: float = 0) -> Iterator[Counter[str]]:
        """Pay at a cash register for each terminal until the block ends, order after order, each until it is
        paid; yield how often each kind of answer came."""
        answers: Counter[str] = Counter()
        stopped = threading.Event()

        def sell(number: int) -> None:
            order = 0
            while not stopped.is_set():
                order += 1
                until = time.monotonic() + SETTLED_SECONDS
                while trouble := self.try_once(f"{name}_{number}_{order}", number)[0]:
                    answers[trouble] += 1
                    if time.monotonic() > until:
                        raise Failed(f"{name}_{number}_{order} was not paid, but {trouble}")
                    time.sleep(_PAUSE_SECONDS)
                answers["paid"] += 1
                stopped.wait(pause_seconds)

        with ThreadPoolExecutor(TERMINALS) as threads:
            selling = [threads.submit(sell, number) for number in range(TERMINALS)]
            try:
                yield answers
            finally:
                stopped.set()
            for one in selling:
                one.result()

    def try_once(self, order_id: str, number: int) -> tuple[str | None, dict[str, Any]]:
        """Pay on one of the terminals; return what is no success, and the answer."""
        try:
            status, body = self.pay(order_id, host="terminals", port=FIRST_PORT + number % TERMINALS)
        except Failed as failure:
            return str(failure), {}
        if (status, body.get("paymentStatus")) == (200, "Success"):
            return None, body
        return f"{status} {body.get('error', {}).get('code', body.get('errorCode'))}", body
