"""Preludd's pushes to HiPay: an authorisation, a completion, a collected transaction."""

from typing import Literal

from sandbox.gateway import response_codes
from sandbox.gateway.messages import (
    AuthorisationAnswer,
    AuthorisationRequest,
    EndedTransaction,
    Push,
    TerminalName,
)


def of_authorisation(
    request: AuthorisationRequest, answer: AuthorisationAnswer, *, session: str, at_ms: int
) -> Push:
    """Return the push of an answered authorisation, granted or refused."""
    return Push(
        record_id=f"{session}/{answer.id}/authorisation",
        kind="authorisation",
        authorisation_id=answer.id,
        transaction_id=None,
        reference=request.reference,
        contract=request.contract,
        rank=request.rank,
        application=request.application,
        operation=request.operation,
        amount_cents=request.amount_cents,
        currency=request.currency,
        approved=answer.approved,
        code=answer.code,
        authorisation_number=answer.authorisation_number,
        card=request.card.shown(),
        aid=request.card.aid,
        terminal=request.terminal,
        at_ms=at_ms,
        receipt=None,
    )


def of_ended(
    kind: Literal["completion", "collection"],
    terminal: TerminalName,
    reference: str | None,
    ended: EndedTransaction,
    *,
    session: str,
) -> Push:
    """Return the push of a transaction that was completed or collected."""
    return Push(
        record_id=f"{session}/{ended.key(terminal.serial)}/{kind}",
        kind=kind,
        authorisation_id=ended.authorisation_id,
        transaction_id=ended.key(terminal.serial),
        reference=reference,
        contract=ended.contract,
        rank=ended.rank,
        application=ended.application,
        operation=ended.operation,
        amount_cents=ended.amount_cents,
        currency=ended.currency,
        approved=True,
        code=response_codes.APPROVED,
        authorisation_number=ended.authorisation_number,
        card=ended.card,
        aid=ended.aid,
        terminal=terminal,
        at_ms=ended.at_ms,
        receipt=ended.receipt,
    )
