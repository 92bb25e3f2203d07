"""The terminal's hops in the sandbox's trace: what it received, showed, read, stored and answered."""

from typing import Any, Protocol

from sandbox.terminal.device.card import Presented, masked
from sandbox.terminal.device.journal import Transaction
from sandbox.terminal.device.transaction import Answer
from sandbox.terminal.server.request import Request
from sandbox.tracing.steps import Step, System
from shared.concert import fields as f
from shared.concert.echoes import find_reference


class Recorder(Protocol):
    """`sandbox.tracing.trace.Trace.record`."""

    def __call__(
        self, source: System, target: System, step: Step, reference: str | None = None, **detail: Any
    ) -> object: ...


class TraceEvents:
    """Records what happens at the terminal, where a recorder was given."""

    def __init__(self, record: Recorder | None, serial: str) -> None:
        self._record = record
        self._serial = serial

    def called(self, request: Request) -> None:
        """A request came that will be shown."""
        self._say(Step.TERMINAL_CALLED, request, source=System.CLOUD_API)
        self._say(
            Step.TERMINAL_WOKEN,
            request,
            amount_cents=request.amount_cents,
            currency="EUR",
            action=request.action,
        )

    def card(self, request: Request, presented: Presented) -> None:
        """A card was read."""
        self._say(
            Step.CARD_PRESENTED,
            request,
            card=masked(presented.card.pan),
            brand=presented.card.brand,
            mode=presented.mode,
        )

    def pin(self, request: Request, *, is_right: bool) -> None:
        """A PIN was entered."""
        self._say(Step.PIN_ENTERED, request, pin="right" if is_right else "wrong")

    def ended(self, request: Request, transaction: Transaction) -> None:
        """The transaction is in the journal, whatever became of it."""
        if transaction.result == "done" and transaction.authorisation is None:
            self._say(Step.APPROVED_OFFLINE, request)
        self._say(
            Step.TRANSACTION_STORED,
            request,
            number=transaction.number,
            result=transaction.result,
            amount_cents=transaction.amount_cents,
        )

    def answered(self, request: Request, answer: Answer) -> None:
        """An answer was written to a caller who is there."""
        self._say(Step.RESULT_TO_API, request, target=System.CLOUD_API, status=answer.get(f.STATUS))

    def _say(
        self,
        step: Step,
        request: Request,
        *,
        source: System = System.TERMINAL,
        target: System = System.TERMINAL,
        **detail: Any,
    ) -> None:
        if self._record is not None:
            reference = find_reference(request.reference or "")
            self._record(source, target, step, reference, serial=self._serial, **detail)
