"""`cloud-terminal sandbox` as a process of its own, and what a test asks of its systems."""

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from fleet import REPOSITORY, environment_of
from limits import SHORT_LIMITS

Json = dict[str, Any]

#: Those with a state that `POST /reset` forgets.
SYSTEMS: Final = ("screen", "register", "console", "merchant", "preludd", "nepting", "acquirer", "issuer")
_START_SECONDS: Final = 120.0


class WholeSandbox:
    """The running sandbox: `entry` has its addresses and credentials."""

    def __init__(
        self, entry: Mapping[str, str], process: "subprocess.Popen[str]", client: httpx.Client
    ) -> None:
        self.entry: Final = dict(entry)
        self._process: Final = process
        self._client: Final = client
        self._numbers: Final = itertools.count(1)

    def get(self, system: str, path: str, **query: str) -> Any:
        answer = self._client.get(self.entry[system] + path, params=query)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def post(self, system: str, path: str, body: Any = None) -> Any:
        answer = self._client.post(self.entry[system] + path, json=body)
        assert answer.status_code == 200, (answer.status_code, answer.text)
        return answer.json()

    def reset(self) -> None:
        """All systems as new; what the API has stored stays."""
        for system in SYSTEMS:
            self.post(system, "/reset")
        self.post("screen", "/settings", {"delay_seconds": 0, "by_hand": False})

    def new_order_id(self) -> str:
        return f"E2E-{os.getpid()}-{time.time_ns()}-{next(self._numbers)}"

    def pay(
        self,
        amount_cents: int,
        order_id: str | None = None,
        transaction_type: str = "Debit",
        *,
        force_authorization: bool = False,
        **order: Any,
    ) -> httpx.Response:
        """Send an order as a till does and wait for its answer."""
        body = {
            "order": {
                "order_id": order_id or self.new_order_id(),
                "transaction_type": transaction_type,
                "price": {"amount": amount_cents, "currency": "EUR"},
                **order,
            },
            "pos_technical_info": {
                "terminal_id": self.entry["terminal_id"],
                "terminal_transaction_display": {
                    "protocol": "ConcertV3.2",
                    "force_authorization": force_authorization,
                    "contract_array": [],
                },
            },
        }
        return self._client.post(f"{self.entry['api']}/v1/connector/order", json=body, auth=self._auth)

    def paid(self, amount_cents: int, order_id: str, *more: str, **options: Any) -> Json:
        """Pay, and return the payment object of the success."""
        answer = self.pay(amount_cents, order_id, *more, **options)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        assert body["paymentStatus"] == "Success", body
        payment: Json = body["payment"]
        return payment

    def payment(self, payment_id: str, *, wait_seconds: int = 0) -> Json:
        """Return a payment as the API knows it, once it is settled or the time is over."""
        answer = self._client.get(
            f"{self.entry['api']}/v1/payments/{payment_id}", params={"wait": wait_seconds}, auth=self._auth
        )
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()["payment"]
        return found

    def press(self, path: str, **form: str) -> httpx.Response:
        """Press a button of the register: a form of its page."""
        return self._client.post(self.entry["register"] + path, data=form)

    def sell(self, *references: str) -> int:
        """Sell articles at the register, without waiting; return the sale's number."""
        chosen = {"terminal_id": self.entry["terminal_id"], "operation": "Debit"}
        for reference in references:
            self.press("/", do=f"add:{reference}", **chosen)
        answer = self.press("/", do="pay", **chosen)
        assert answer.status_code == 303, answer.text
        return int(answer.headers["location"].rpartition("/")[2])

    def sale(self, number: int) -> Json:
        """Return one sale as the register has it."""
        return next(one for one in self.get("register", "/records") if one["number"] == number)

    def collect(self) -> Json:
        """Run a remote collection at the terminal."""
        collection: Json = self.post("screen", "/collect")
        return collection

    def transactions(self, order_id: str = "") -> list[Json]:
        """Return HiPay's transactions of an order, the newest first."""
        listed: list[Json] = self.get("console", "/transactions", order_id=order_id)["transactions"]
        return listed

    def statuses(self, order_id: str) -> list[int]:
        return [one["status"] for one in self.transactions(order_id)]

    def notified(self, order_id: str) -> list[str]:
        """Return the statuses that the merchant's server took from HiPay, in their order."""
        received = self.get("merchant", "/hipay/notifications")
        return [
            one["content"]["status"]
            for one in received
            if one["is_taken"] and one["content"]["order[id]"] == order_id
        ]

    def webhooks(self, payment_id: str) -> list[str]:
        """Return the types of our webhooks that the merchant's server verified and took."""
        received = self.get("merchant", "/webhooks")
        return [
            one["content"]["type"]
            for one in received
            if one["is_taken"] and one["content"].get("payment_id") == payment_id
        ]

    @contextlib.contextmanager
    def held_back(self, verb: str) -> Iterator[None]:
        """Stop one of our processes in the middle of whatever it does, while the block runs."""
        (child,) = [
            one for one in psutil.Process(self._process.pid).children(recursive=True) if verb in one.cmdline()
        ]
        child.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            child.send_signal(signal.SIGCONT)

    @property
    def _auth(self) -> httpx.BasicAuth:
        return httpx.BasicAuth(self.entry["username"], self.entry["password"])


def soon(look: Callable[[], Any], *, within_seconds: float = 30.0) -> Any:
    """Return what `look` sees as soon as it is true; fail with what it saw last."""
    deadline = time.monotonic() + within_seconds
    while not (seen := look()):
        assert time.monotonic() < deadline, f"not within {within_seconds} s; last seen: {seen!r}"
        time.sleep(0.02)
    return seen


@contextlib.contextmanager
def whole_sandbox(amqp_url: str, folder: Path, *options: str) -> Iterator[WholeSandbox]:
    """Start it on free ports with its files in the folder; end it in order."""
    given = {
        name: json.dumps(value) if isinstance(value, tuple) else value
        for name, value in SHORT_LIMITS.items()
        if name != "secret_key"
    }
    command = [sys.executable, "-m", "cli", "sandbox", "--json", "--keep", str(folder)]
    ports = ["--api-port", "0", "--port-base", "0", "--terminal-port", "0", "--delay", "0"]
    errors = folder.with_suffix(".log")
    with errors.open("w") as log:
        process = subprocess.Popen(
            [*command, *ports, *options],
            env=environment_of({**given, "amqp_url": amqp_url}),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, errors.read_text()
        with httpx.Client(timeout=60, trust_env=False) as client:
            yield WholeSandbox(json.loads(line), process, client)
        process.send_signal(signal.SIGINT)
        assert process.wait(_START_SECONDS) == 0, errors.read_text()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(_START_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
