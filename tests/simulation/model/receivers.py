"""Receivers of notifications: the merchants' endpoints and HiPay."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from notifier_worker.http.client import Answer
from notifier_worker.http.errors import BadAnswer, NoConnection, TimedOut
from tests.simulation.engine.stage import Stage
from tests.simulation.model.processes.process import Process

_FAULTS = ("receiver unavailable", "receiver silent", "receiver in trouble", "receiver's answer lost")


@dataclass(frozen=True)
class Received:
    """One post that reached its receiver. `taken`: it was answered with a 200."""

    at: float
    url: str
    delivery_id: str
    body: dict[str, Any]
    taken: bool


@dataclass
class Receivers:
    """Posts that the receivers of one history got."""

    received: list[Received] = field(default_factory=list)
    #: Deliveries in the order of their tries, failed ones included.
    tries: list[str] = field(default_factory=list)


class ReceiverClient:
    """Stand-in for a notifier worker's `HttpClient`."""

    def __init__(self, stage: Stage, receivers: Receivers, process: Process) -> None:
        self._stage = stage
        self._receivers = receivers
        self._process = process

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float) -> Answer:
        """Post, or raise PostFailed, as the real one does."""
        stage, rng = self._stage, self._stage.rng
        delivery_id = headers["webhook-id"]
        self._receivers.tries.append(delivery_id)
        stage.note("posts", delivery_id, by=self._process.name)
        await asyncio.sleep(rng.uniform(0.005, 0.2))
        fault = rng.choice(_FAULTS) if rng.random() < stage.faults.receivers else None
        if fault is not None:
            stage.faults.count(fault)
        if fault == "receiver unavailable":
            raise NoConnection("no_connection", "Nobody listens.")
        taken = fault is None
        self._receivers.received.append(Received(stage.now, url, delivery_id, json.loads(body), taken))
        match fault:
            case "receiver silent":
                await asyncio.sleep(timeout_seconds)
                raise TimedOut("answer_timeout", "No answer.")
            case "receiver's answer lost":
                raise BadAnswer("no_answer", "The connection was closed.")
            case "receiver in trouble":
                return Answer(500, None, None, b"")
        await asyncio.sleep(rng.uniform(0.01, 0.5))
        return Answer(200, None, None, b"")
