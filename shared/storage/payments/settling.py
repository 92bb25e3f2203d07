"""What a run stores of its payment: the result, the doubt, and evidence that comes later."""

from typing import Final

from shared.payment.evidence import PROOF_OF_ANSWER, Evidence, Source, contradicts
from shared.payment.payment import Payment, Reason
from shared.payment.settlement import Result, Settlement
from shared.payment.states import LIVE_STATES, Event, State, apply
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.ending import contradict, get, lock, lock_debit_of, move
from shared.storage.payments.rows import json_text, record
from shared.storage.terminals import locks

_INSERT_EVIDENCE = Statement(
    "INSERT INTO evidence (payment_id, at, source, proves, brought_by, detail)"
    " VALUES (:payment_id, {now}, :source, :proves, :brought_by, :detail)"
)

#: One run says the same thing twice only where the answer to its commit was lost.
_SAME_EVIDENCE = Statement(
    "SELECT id FROM evidence WHERE payment_id = :payment_id AND source = :source"
    " AND COALESCE(proves, '') = COALESCE(CAST(:proves AS TEXT), '') AND detail = :detail LIMIT 1"
)

#: Whose claim a payment carries: only the very run that claimed it may say that it sent nothing.
_CLAIM_OF = Statement("SELECT state, epoch, worker, resolved_by FROM payments WHERE id = :payment_id")

_STILL_MINE: Final = frozenset({State.IN_SESSION, State.IN_DOUBT})


async def settle(
    database: Database,
    grant: locks.LockGrant,
    payment: Payment,
    settlement: Settlement,
    observed: locks.ObservedCapabilities,
    *,
    keep_line: bool = False,
) -> Payment:
    """Store what the session ended with and free the line, in one transaction; return what is stored.

    `outcome.event` is one of the session's (answered_..., not_sent). `keep_line` leaves the line held, for an
    identification that follows. Where the line is no longer this run's (its hold was taken over), a result
    is kept as evidence and the line is left alone. Raises DatabaseUnavailable, CommitUnknown:
    repeat it, a second time changes nothing.
    """

    async def work(tx: Transaction) -> Payment:
        write = locks.keep if keep_line else locks.release
        mine = await write(tx, grant, observed)
        if payment.debit_id is not None:
            await lock(tx, payment.debit_id)
        if mine:
            moved = await move(
                tx,
                payment.id,
                State.IN_SESSION,
                settlement.event,
                reason=settlement.reason,
                result=settlement.result.with_warnings(payment.result.warnings),
                detail=settlement.detail,
            )
            if moved is not None:
                return moved
        return await _settle_late(tx, grant, payment.id, settlement)

    return await database.write(work)


async def _settle_late(
    tx: Transaction, grant: locks.LockGrant, payment_id: str, settlement: Settlement
) -> Payment:
    await lock(tx, payment_id)
    row = await tx.one(_CLAIM_OF, payment_id=payment_id)
    assert row is not None
    is_own, state = row.epoch == grant.epoch, State(row.state)
    if is_own and row.resolved_by is None and state is apply(State.IN_SESSION, settlement.event):
        return await get(tx, payment_id)  # this run's own earlier commit, whose answer was lost
    if settlement.event is not Event.NOT_SENT:
        proof = PROOF_OF_ANSWER.get(settlement.event)
        evidence = Evidence(Source.LATE_ANSWER, proof, settlement.detail)
        return await _add_once(tx, payment_id, evidence, settlement.result, brought_by=row.worker)
    if not is_own:
        return await get(tx, payment_id)  # it knows nothing of what another run wrote
    if state in _STILL_MINE:
        moved = await move(
            tx, payment_id, state, Event.NOT_SENT, reason=settlement.reason, detail=settlement.detail
        )
        assert moved is not None, "the row is locked by this transaction"
        return moved
    # Somebody settled it meanwhile. That no byte left is a proof: against a success it is an alarm.
    evidence = Evidence(Source.WORKER, Event.NOT_SENT, settlement.detail)
    return await _add_once(tx, payment_id, evidence, Result(), brought_by=row.worker)


async def _add_once(
    tx: Transaction, payment_id: str, evidence: Evidence, result: Result, *, brought_by: str
) -> Payment:
    """Store what a run says, unless an earlier commit of its own, whose answer was lost, did so already."""
    stored = await tx.one(
        _SAME_EVIDENCE,
        payment_id=payment_id,
        source=evidence.source.value,
        proves=evidence.proves,
        detail=_stored_detail(evidence, result),
    )
    if stored is not None:
        return await get(tx, payment_id)
    return await add(tx, payment_id, evidence, result, brought_by=brought_by)


async def doubt(
    database: Database, grant: locks.LockGrant, payment_id: str, settlement: Settlement
) -> Payment:
    """Store that the outcome is unknown; the line stays held. A proof that came before settles it at once."""

    async def work(tx: Transaction) -> Payment:
        await lock_debit_of(tx, payment_id)
        moved = await move(
            tx,
            payment_id,
            State.IN_SESSION,
            Event.OUTCOME_LOST,
            reason=settlement.reason,
            detail={"epoch": grant.epoch, **settlement.detail},
        )
        return await get(tx, payment_id) if moved is None else moved

    return await database.write(work)


async def release(
    database: Database, grant: locks.LockGrant, observed: locks.ObservedCapabilities, *, why: str
) -> bool:
    """End a hold: free the line of a payment that is in doubt or final; False: it is no longer this run's.

    `why` goes into the payment's history.
    """
    return await _release(database, grant, observed, "hold_ended", {"why": why})


async def release_identified(
    database: Database, grant: locks.LockGrant, observed: locks.ObservedCapabilities, *, found: str
) -> bool:
    """Free the line of a finished payment after the identification that followed it; False: as above.

    `found`, what came of the identification, goes into the payment's history.
    """
    return await _release(database, grant, observed, "identified", {"found": found})


async def _release(
    database: Database,
    grant: locks.LockGrant,
    observed: locks.ObservedCapabilities,
    event: str,
    detail: dict[str, object],
) -> bool:
    async def work(tx: Transaction) -> bool:
        if not await locks.release(tx, grant, observed):
            return False
        payment = await get(tx, grant.payment_id)
        if payment.state is State.IN_SESSION:
            # Its doubt could not be stored yet; the line must not be free without it.
            doubted = await move(
                tx, payment.id, State.IN_SESSION, Event.OUTCOME_LOST, reason=Reason.WORKER_LOST
            )
            payment = doubted or await get(tx, payment.id)
        await record(tx, payment.id, event, payment.state, {"terminal_address": grant.address, **detail})
        return True

    return await database.write(work)


async def free_line(database: Database, grant: locks.LockGrant, observed: locks.ObservedCapabilities) -> bool:
    """Free a line whose payment is final, or a probe's; False: it is no longer this run's."""
    return await database.write(lambda tx: locks.release(tx, grant, observed))


async def still_mine(database: Database, grant: locks.LockGrant) -> bool:
    """Whether this run still holds the line."""
    return await database.read(lambda tx: locks.is_held(tx, grant))


async def add_evidence(
    database: Database, payment_id: str, evidence: Evidence, result: Result, *, brought_by: str
) -> Payment:
    """Store evidence in whatever state the payment is, and what follows from it; return what is stored.

    `brought_by` names the worker, gateway credential or operator that it comes from.
    A proof settles a doubt, or contradicts a final state. It never touches a line.
    """

    async def work(tx: Transaction) -> Payment:
        await lock_debit_of(tx, payment_id)
        await lock(tx, payment_id)
        return await add(tx, payment_id, evidence, result, brought_by=brought_by)

    return await database.write(work)


async def add(
    tx: Transaction, payment_id: str, evidence: Evidence, result: Result, *, brought_by: str
) -> Payment:
    """Store evidence inside a transaction that locked the debit of a reversal or credit, then the payment.

    Whoever begins doubt either waits for that lock or is seen by it.
    """
    payment = await get(tx, payment_id)
    proof = evidence.proves
    said = {"source": evidence.source, "proves": proof, "brought_by": brought_by}
    detail = _detail(evidence, result)
    await tx.run(
        _INSERT_EVIDENCE,
        payment_id=payment_id,
        source=evidence.source.value,
        proves=None if proof is None else proof.value,
        brought_by=brought_by,
        detail=_stored_detail(evidence, result),
    )
    await record(
        tx,
        payment_id,
        "evidence",
        payment.state,
        {**said, **detail},
    )
    if evidence.conflicts and payment.is_final:
        return await contradict(tx, payment, said)
    if proof is None or payment.state in LIVE_STATES - {State.IN_DOUBT}:
        return payment
    if payment.state is State.IN_DOUBT:
        moved = await move(
            tx,
            payment_id,
            State.IN_DOUBT,
            proof,
            reason=_reason_of(evidence),
            result=result.with_warnings(payment.result.warnings),
            resolved_by=evidence.source,
            proved_by=brought_by,
        )
        assert moved is not None, "the row is locked by this transaction"
        return moved
    if contradicts(payment.state, proof):
        return await contradict(tx, payment, said)
    return payment


def _detail(evidence: Evidence, result: Result) -> dict[str, object]:
    # The result too: a doubt that begins later is settled from this row.
    return {**evidence.detail, **result.to_json()}


def _stored_detail(evidence: Evidence, result: Result) -> str:
    return json_text(_detail(evidence, result))


def _reason_of(evidence: Evidence) -> Reason | None:
    # Only a person can say that nothing was charged without a word of the terminal.
    by_a_person = evidence.source is Source.OPERATOR and evidence.proves is Event.PROVED_ABORTED
    return Reason.OPERATOR if by_a_person else None
