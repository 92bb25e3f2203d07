"""The terminal's events in the sandbox's trace: received, shown, read, stored, answered."""

from typing import Any, Protocol

from sandbox.terminal.device.card import CardRead, masked
from sandbox.terminal.device.journal import Transaction
from sandbox.terminal.device.transaction import Answer
from sandbox.terminal.server.request import Request
from sandbox.tracing.steps import Step, System
from shared.concert import fields as f
from shared.concert.echoes import find_reference


class Recorder(Protocol):
    """Interface of `sandbox.tracing.trace.Trace.record`."""

    def __call__(
        self, source: System, target: System, step: Step, reference: str | None = None, **detail: Any
    ) -> object: ...


class TraceEvents:
    """Recorder of the terminal's events; without `record` it records nothing."""

    def __init__(self, record: Recorder | None, serial: str) -> None:
        self._recorder = record
        self._serial = serial

    def requested(self, request: Request) -> None:
        """Record a request that is shown on the screen."""
        self._record_step(Step.TERMINAL_CALLED, request, source=System.CLOUD_API)
        self._record_step(
            Step.TERMINAL_WOKEN,
            request,
            amount_cents=request.amount_cents,
            currency="EUR",
            action=request.action,
        )

    def card(self, request: Request, card_read: CardRead) -> None:
        """Record a card that was read."""
        self._record_step(
            Step.CARD_PRESENTED,
            request,
            card=masked(card_read.card.pan),
            brand=card_read.card.brand,
            mode=card_read.mode,
        )

    def pin(self, request: Request, *, is_right: bool) -> None:
        """Record an entered PIN."""
        self._record_step(Step.PIN_ENTERED, request, pin="right" if is_right else "wrong")

    def ended(self, request: Request, transaction: Transaction) -> None:
        """Record a transaction that was stored in the journal, done or not."""
        if transaction.result == "done" and transaction.authorisation is None:
            self._record_step(Step.APPROVED_OFFLINE, request)
        self._record_step(
            Step.TRANSACTION_STORED,
            request,
            number=transaction.number,
            result=transaction.result,
            amount_cents=transaction.amount_cents,
        )

    def answered(self, request: Request, answer: Answer) -> None:
        """Record an answer that was written to an open connection."""
        self._record_step(Step.RESULT_TO_API, request, target=System.CLOUD_API, status=answer.get(f.STATUS))

    def _record_step(
        self,
        step: Step,
        request: Request,
        *,
        source: System = System.TERMINAL,
        target: System = System.TERMINAL,
        **detail: Any,
    ) -> None:
        if self._recorder is not None:
            reference = find_reference(request.reference or "")
            self._recorder(source, target, step, reference, serial=self._serial, **detail)
