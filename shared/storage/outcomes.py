"""What a run stores of its payment: the result, the doubt, and evidence that comes later."""

from typing import Final

from shared.payment.evidence import PROOF_OF_ANSWER, Evidence, Source, contradicts
from shared.payment.outcome import Outcome, Result
from shared.payment.payment import Payment
from shared.payment.states import LIVE_STATES, Event, State, apply
from shared.storage import lines
from shared.storage.ending import contradict, get, lock, lock_debit_of, move
from shared.storage.engine import Database, Transaction
from shared.storage.rows import json_text, record
from shared.storage.statement import Statement

_INSERT_EVIDENCE = Statement(
    "INSERT INTO evidence (payment_id, at, source, proves, detail)"
    " VALUES (:payment_id, {now}, :source, :proves, :detail)"
)

#: Whose claim a payment carries: only the very run that claimed it may say that it sent nothing.
_CLAIM_OF = Statement("SELECT state, epoch FROM payments WHERE id = :payment_id")

_STILL_MINE: Final = frozenset({State.IN_SESSION, State.IN_DOUBT})


async def settle(
    database: Database, taking: lines.Taking, payment: Payment, outcome: Outcome, echoes: str | None
) -> Payment:
    """Store what the session ended with and free the line, in one transaction; return what is stored.

    `outcome.event` is one of the session's (answered_..., not_sent). `echoes` is what the line has echoed
    in its last complete answers, where this was one. Where the line is no longer this run's (its hold was
    taken over), a result is kept as evidence and the line is left alone. Raises DatabaseAway, CommitUnknown:
    repeat it, a second time changes nothing.
    """

    async def work(tx: Transaction) -> Payment:
        mine = await lines.release(tx, taking, echoes)
        if payment.debit_id is not None:
            await lock(tx, payment.debit_id)
        if mine:
            moved = await move(
                tx,
                payment.id,
                State.IN_SESSION,
                outcome.event,
                reason=outcome.reason,
                result=outcome.result.with_warnings(payment.warnings),
                detail=outcome.detail,
            )
            if moved is not None:
                return moved
        return await _settle_late(tx, taking, payment.id, outcome)

    return await database.write(work)


async def _settle_late(tx: Transaction, taking: lines.Taking, payment_id: str, outcome: Outcome) -> Payment:
    await lock(tx, payment_id)
    row = await tx.one(_CLAIM_OF, payment_id=payment_id)
    assert row is not None
    if outcome.event is Event.NOT_SENT:
        if row.epoch == taking.epoch and State(row.state) in _STILL_MINE:
            moved = await move(
                tx, payment_id, State(row.state), Event.NOT_SENT, reason=outcome.reason, detail=outcome.detail
            )
            assert moved is not None, "the row is locked by this transaction"
            return moved
        return await get(tx, payment_id)
    if row.epoch == taking.epoch and row.state == apply(State.IN_SESSION, outcome.event):
        return await get(tx, payment_id)  # this run's own earlier commit, whose answer was lost
    proof = PROOF_OF_ANSWER.get(outcome.event)
    evidence = Evidence(Source.LATE_ANSWER, proof, outcome.detail)
    return await _add(tx, payment_id, evidence, outcome.result)


async def doubt(database: Database, taking: lines.Taking, payment_id: str, outcome: Outcome) -> Payment:
    """Store that the outcome is unknown; the line stays held. A proof that came before settles it at once."""

    async def work(tx: Transaction) -> Payment:
        await lock_debit_of(tx, payment_id)
        moved = await move(
            tx,
            payment_id,
            State.IN_SESSION,
            Event.OUTCOME_LOST,
            reason=outcome.reason,
            detail={"epoch": taking.epoch, **outcome.detail},
        )
        return await get(tx, payment_id) if moved is None else moved

    return await database.write(work)


async def release(database: Database, taking: lines.Taking) -> bool:
    """End a hold: free the line of a payment that is in doubt or final; False: it is no longer this run's."""

    async def work(tx: Transaction) -> bool:
        if not await lines.release(tx, taking):
            return False
        payment = await get(tx, taking.payment_id)
        await record(tx, payment.id, "hold_ended", payment.state, {"line": taking.address})
        return True

    return await database.write(work)


async def add_evidence(database: Database, payment_id: str, evidence: Evidence, result: Result) -> Payment:
    """Store evidence in whatever state the payment is, and what follows from it; return what is stored.

    A proof settles a doubt, or contradicts a final state. It never touches a line.
    """

    async def work(tx: Transaction) -> Payment:
        await lock_debit_of(tx, payment_id)
        await lock(tx, payment_id)
        return await _add(tx, payment_id, evidence, result)

    return await database.write(work)


async def _add(tx: Transaction, payment_id: str, evidence: Evidence, result: Result) -> Payment:
    """The payment's row is locked: whoever begins doubt either waits for this or is seen by it."""
    payment = await get(tx, payment_id)
    proof = evidence.proves
    # The result too: a doubt that begins later is settled from this row.
    detail = {**evidence.detail, **result.to_json()}
    await tx.run(
        _INSERT_EVIDENCE,
        payment_id=payment_id,
        source=evidence.source.value,
        proves=None if proof is None else proof.value,
        detail=json_text(detail),
    )
    await record(
        tx,
        payment_id,
        "evidence",
        payment.state,
        {"source": evidence.source, "proves": proof, **detail},
    )
    if proof is None or payment.state in LIVE_STATES - {State.IN_DOUBT}:
        return payment
    if payment.state is State.IN_DOUBT:
        moved = await move(
            tx,
            payment_id,
            State.IN_DOUBT,
            proof,
            reason=None,
            result=result.with_warnings(payment.warnings),
            detail={"source": evidence.source},
        )
        assert moved is not None, "the row is locked by this transaction"
        return moved
    if contradicts(payment.state, proof):
        return await contradict(tx, payment, {"source": evidence.source, "proves": proof})
    return payment
