"""Results, doubts and evidence that runs store of their payments."""

from typing import Final

from shared.payment.evidence import PROOF_OF_ANSWER, Evidence, Source, conflicts_with
from shared.payment.payment import Payment, Reason, Result, Settlement
from shared.payment.states import LIVE_STATES, Event, State, apply
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.functions.usual_settlement import settle_usual
from shared.storage.payments.ending import get, lock, lock_debit_of, move, record_conflict
from shared.storage.payments.rows import json_text, record
from shared.storage.terminals import locks

_INSERT_EVIDENCE = Statement(
    "INSERT INTO evidence (payment_id, at, source, proves, brought_by, detail)"
    " VALUES (:payment_id, {now}, :source, :proves, :brought_by, :detail)"
)

#: A run stores the same evidence twice only where the answer to its commit was lost.
_SAME_EVIDENCE = Statement(
    "SELECT id FROM evidence WHERE payment_id = :payment_id AND source = :source"
    " AND COALESCE(proves, '') = COALESCE(CAST(:proves AS TEXT), '') AND detail = :detail LIMIT 1"
)

#: The claim that a payment carries: only the run that claimed it can know that nothing was sent.
_CLAIM_OF = Statement("SELECT state, epoch, worker, resolved_by FROM payments WHERE id = :payment_id")

_OWN_STATES: Final = frozenset({State.IN_SESSION, State.IN_DOUBT})


async def settle(
    database: Database,
    grant: locks.LockGrant,
    payment: Payment,
    settlement: Settlement,
    observed: locks.ObservedCapabilities,
    *,
    keep_lock: bool = False,
) -> Payment:
    """Store the session's settlement and release the lock, in one transaction; return the stored payment.

    `settlement.event` is one of the session's (answered_..., not_sent). `keep_lock` leaves the lock held for
    the steps that follow. Where the lock was taken over, the result is stored as evidence and the lock stays
    its new owner's. Raises DatabaseUnavailable, CommitUnknown: a repetition changes nothing.
    """
    if not keep_lock:
        settled = await settle_usual(database, grant, payment, settlement, observed)
        if settled is not None:
            return settled
    return await _settle_by_statements(database, grant, payment, settlement, observed, keep_lock=keep_lock)


async def _settle_by_statements(
    database: Database,
    grant: locks.LockGrant,
    payment: Payment,
    settlement: Settlement,
    observed: locks.ObservedCapabilities,
    *,
    keep_lock: bool = False,
) -> Payment:

    async def work(tx: Transaction) -> Payment:
        write = locks.keep if keep_lock else locks.release
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
        return await get(tx, payment_id)  # it cannot know whether another run wrote
    if state in _OWN_STATES:
        moved = await move(
            tx, payment_id, state, Event.NOT_SENT, reason=settlement.reason, detail=settlement.detail
        )
        assert moved is not None, "the row is locked by this transaction"
        return moved
    # It was settled meanwhile. That no byte was sent is a proof: it conflicts with a success.
    evidence = Evidence(Source.WORKER, Event.NOT_SENT, settlement.detail)
    return await _add_once(tx, payment_id, evidence, Result(), brought_by=row.worker)


async def _add_once(
    tx: Transaction, payment_id: str, evidence: Evidence, result: Result, *, brought_by: str
) -> Payment:
    """Store a run's evidence unless an earlier commit of its own, whose answer was lost, stored it."""
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
    """Store that the outcome is unknown; the lock stays held. An earlier proof settles it at once."""

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
    """Release the lock of a payment that is in doubt or final; False: it is no longer this run's.

    `why` goes into the payment's history.
    """
    return await _release(database, grant, observed, "hold_ended", {"why": why})


async def end_identification(
    database: Database, grant: locks.LockGrant, observed: locks.ObservedCapabilities, *, found: str
) -> bool:
    """Release the lock of a final payment after the identification that followed it; False: as above.

    `found`, the identification's result, goes into the payment's history.
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
            # Its doubt could not be stored yet; the lock must not be released without it.
            doubted = await move(
                tx, payment.id, State.IN_SESSION, Event.OUTCOME_LOST, reason=Reason.WORKER_LOST
            )
            payment = doubted or await get(tx, payment.id)
        await record(tx, payment.id, event, payment.state, {"terminal_address": grant.address, **detail})
        return True

    return await database.write(work)


async def release_lock(
    database: Database, grant: locks.LockGrant, observed: locks.ObservedCapabilities
) -> bool:
    """Release the lock of a final payment or a probe; False: it is no longer this run's."""
    return await database.write(lambda tx: locks.release(tx, grant, observed))


async def holds_lock(database: Database, grant: locks.LockGrant) -> bool:
    """Return whether this run still holds the terminal lock."""
    return await database.read(lambda tx: locks.is_held(tx, grant))


async def add_evidence(
    database: Database, payment_id: str, evidence: Evidence, result: Result, *, brought_by: str
) -> Payment:
    """Store evidence and its consequences in any state of the payment; return the stored payment.

    `brought_by` names the worker, gateway credential or operator that it comes from.
    A proof settles a doubt or conflicts with a final state. It never touches a terminal lock.
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

    A transaction that begins a doubt waits for that lock or is seen here.
    """
    payment = await get(tx, payment_id)
    proof = evidence.proves
    origin = {"source": evidence.source, "proves": proof, "brought_by": brought_by}
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
        {**origin, **detail},
    )
    if evidence.conflicts and payment.is_final:
        return await record_conflict(tx, payment, origin)
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
    if conflicts_with(payment.state, proof):
        return await record_conflict(tx, payment, origin)
    return payment


def _detail(evidence: Evidence, result: Result) -> dict[str, object]:
    # With the result: a doubt that begins later is settled from this row.
    return {**evidence.detail, **result.to_json()}


def _stored_detail(evidence: Evidence, result: Result) -> str:
    return json_text(_detail(evidence, result))


def _reason_of(evidence: Evidence) -> Reason | None:
    # Only an operator can say that nothing was charged without an answer of the terminal.
    by_operator = evidence.source is Source.OPERATOR and evidence.proves is Event.PROVED_ABORTED
    return Reason.OPERATOR if by_operator else None
