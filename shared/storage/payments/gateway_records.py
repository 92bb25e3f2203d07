"""Records of payments that a gateway reports, each stored once."""

from dataclasses import dataclass

from shared.payment.evidence import Evidence
from shared.payment.payment import Payment, Result
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import settling
from shared.storage.payments.ending import get, lock, lock_debit_of

#: Of two reports of one record at once, the later one waits here, then reads the earlier one's content.
_INSERT = Statement(
    "INSERT INTO gateway_records (source, record_id, payment_id, content, at)"
    " VALUES (:source, :record_id, :payment_id, :content, {now})"
    " ON CONFLICT (source, record_id) DO NOTHING RETURNING record_id"
)

_STORED = Statement(
    "SELECT payment_id, content FROM gateway_records WHERE source = :source AND record_id = :record_id"
)


@dataclass(frozen=True, slots=True)
class Record:
    """One report; `content` is masked JSON text, equal for equal reports."""

    source: str
    record_id: str
    payment_id: str
    content: str


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A stored report: the payment now, and `before` it; `is_new` is false for a repeated report."""

    payment: Payment
    before: Payment
    is_new: bool


class RecordUsed(Exception):
    """Raised for a record id that another report used."""


async def store(
    database: Database, record: Record, evidence: Evidence, result: Result, *, brought_by: str
) -> StoredRecord:
    """Store a record as evidence, once; repeating it changes nothing.

    `brought_by` is the credential that reports it. The payment must be known to exist. Raises RecordUsed,
    DatabaseUnavailable, CommitUnknown (report it again).
    """

    async def work(tx: Transaction) -> StoredRecord:
        inserted = await tx.one(
            _INSERT,
            source=record.source,
            record_id=record.record_id,
            payment_id=record.payment_id,
            content=record.content,
        )
        if inserted is None:
            await _check_same(tx, record)
            payment = await get(tx, record.payment_id)
            return StoredRecord(payment, payment, is_new=False)
        await lock_debit_of(tx, record.payment_id)
        await lock(tx, record.payment_id)
        before = await get(tx, record.payment_id)
        payment = await settling.add(tx, record.payment_id, evidence, result, brought_by=brought_by)
        return StoredRecord(payment, before, is_new=True)

    return await database.write(work)


async def _check_same(tx: Transaction, record: Record) -> None:
    stored = await tx.one(_STORED, source=record.source, record_id=record.record_id)
    assert stored is not None, "the insert conflicted with it"
    if (stored.payment_id, stored.content) != (record.payment_id, record.content):
        raise RecordUsed
