"""Connections to the terminals: bytes arrive in order, late, or not at all."""

import asyncio
import random
from typing import TYPE_CHECKING

from terminal_worker.session.connection import ConnectFailed
from tests.simulation.engine.stage import Stage
from tests.simulation.judge.ledger import Ledger, Written
from tests.simulation.model.processes.process import Process

if TYPE_CHECKING:
    from tests.simulation.model.terminal import Terminal

#: Longest time of all tries to connect together.
_CONNECT_SECONDS = 10.0
#: TCP gives up after 20 s; a link that is slow is slower by less.
_SLOW_LINK_SECONDS = 19.0


class Pipe:
    """One direction of a connection; bytes arrive in the order they were sent."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._buffer = bytearray()
        self._arrives_at = 0.0
        self._reader: asyncio.Future[None] | None = None
        self.has_ended = False
        #: Bytes sent from now on never arrive.
        self.is_cut = False

    def send(self, data: bytes, delay: float) -> None:
        """Send bytes, or the end where there are none."""
        if self.is_cut:
            return
        self._arrives_at = max(self._arrives_at + 1e-6, self._stage.now + delay)
        self._stage.later(self._arrives_at - self._stage.now, self._arrive, data)

    def _arrive(self, data: bytes) -> None:
        if data:
            self._buffer += data
        else:
            self.has_ended = True
        self._wake()

    def put(self, data: bytes) -> None:
        """Have the bytes arrive now."""
        self._arrive(data)

    def end_now(self) -> None:
        self.has_ended = True
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def peek(self) -> bytes | None:
        """Return the bytes that wait for the reader; None after the end."""
        return bytes(self._buffer) or (None if self.has_ended else b"")

    async def receive(self) -> bytes:
        """Return the bytes that came; none after the end."""
        while not self._buffer and not self.has_ended:
            self._reader = self._stage.loop.create_future()
            await self._reader
        data = bytes(self._buffer)
        self._buffer.clear()
        return data


class Wire:
    """One connection, seen from both ends; the client's half is the worker's `Connection`."""

    def __init__(self, stage: Stage, ledger: Ledger, process: Process, terminal: "Terminal") -> None:
        self._stage = stage
        self._ledger = ledger
        self.process = process
        self.terminal = terminal
        self.to_terminal = Pipe(stage)
        self.to_client = Pipe(stage)
        self.is_open = True
        #: The terminal has closed: it will read nothing that is written now.
        self.is_deaf = False
        self.request: Written | None = None
        #: The terminal has sent an answer that leaves nothing open.
        self.has_answer = False
        process.sockets.append(self)

    @property
    def is_live(self) -> bool:
        """Return whether a running process has it open."""
        return self.is_open and not self.process.is_dead and not self.process.is_paused

    def peek(self) -> bytes | None:
        return self.to_client.peek()

    def write(self, data: bytes) -> None:
        stage = self._stage
        stage.note(
            "write", self.process.name, to=self.terminal.terminal_address, bytes=data.decode("latin-1")
        )
        self.request = self._ledger.wrote(self, data, stage.now)
        delay = stage.rng.uniform(0.01, 0.1)
        fault = self.terminal.wire_fault()
        if fault is not None:
            stage.faults.count(fault)
        match fault:
            case "slow link":
                delay = stage.rng.uniform(1, _SLOW_LINK_SECONDS)
            case "request lost with its connection":
                self.to_terminal.is_cut = True
                self.request.is_over = True
                stage.later(stage.rng.uniform(0.1, _SLOW_LINK_SECONDS), self.to_client.end_now)
            case "connection lost, request read":
                stage.later(stage.rng.uniform(0.01, 10), self.lose)
            case "connection lost, request read late":
                delay = stage.rng.uniform(5, _SLOW_LINK_SECONDS)
                stage.later(0.01, self.lose)
            case "answer lost, connection silent":
                self.to_client.is_cut = True
            case "connection lost at once":
                stage.later(0.01, self.lose)
        if self.is_deaf:
            self.request.is_over = True
        self.to_terminal.send(data, delay)

    async def read(self) -> bytes:
        data = await self.to_client.receive()
        if data and self.has_answer and self.request is not None:
            self.request.is_answered = True
        return data

    async def close(self) -> None:
        self.kernel_closes()
        await asyncio.sleep(self._stage.rng.uniform(0, 0.02))

    def kernel_closes(self) -> None:
        """Close the client's end; bytes written before still arrive."""
        if self.is_open:
            self.is_open = False
            self.to_terminal.send(b"", self._stage.rng.uniform(0.01, 0.1))

    def lose(self) -> None:
        """Show the client an end that the terminal does not notice."""
        self.to_client.is_cut = True
        self.to_client.end_now()

    def answer(self, data: bytes) -> None:
        self.to_client.send(data, self._stage.rng.uniform(0.01, 0.1))

    def end(self) -> None:
        """Close the terminal's end."""
        self.is_deaf = True
        self.to_client.send(b"", self._stage.rng.uniform(0.01, 0.1))


class Connector:
    """Connector of one process: `Connect`."""

    def __init__(
        self, stage: Stage, ledger: Ledger, process: Process, terminals: "dict[str, Terminal]"
    ) -> None:
        self._stage = stage
        self._ledger = ledger
        self._process = process
        self._terminals = terminals

    async def __call__(self, terminal_address: str) -> Wire:
        rng: random.Random = self._stage.rng
        terminal = self._terminals.get(terminal_address)
        if terminal is None:
            await asyncio.sleep(rng.uniform(0.01, _CONNECT_SECONDS))
            raise ConnectFailed("nobody is there")
        await asyncio.sleep(terminal.connect_seconds + rng.uniform(0.01, 0.1))
        if terminal.goes_wrong():
            if rng.random() < 0.5:
                self._stage.faults.count("slow connect")
                await asyncio.sleep(rng.uniform(0.5, _CONNECT_SECONDS))
            else:
                self._stage.faults.count("no connection")
                await asyncio.sleep(rng.uniform(0.5, _CONNECT_SECONDS))
                raise ConnectFailed("no answer")
        if terminal.is_down:
            raise ConnectFailed("refused")
        wire = Wire(self._stage, self._ledger, self._process, terminal)
        if terminal.greetings:
            wire.to_client.put(terminal.greetings.popleft())
        self._stage.later(0.001, terminal.accept, wire)
        return wire
