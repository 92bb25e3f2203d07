"""Probes: one identification of a terminal, under its terminal lock, as a payment.

A probe holds the lock for seconds and is never resumed: after its worker's death the new owner only releases
it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import NOW_ONCE, Statement
from shared.storage.terminals import locks

#: Age at which results are deleted.
KEPT_SECONDS: Final = 86_400

_INSERT = Statement(
    "INSERT INTO probes (id, merchant_id, terminal_id, terminal_address, protocol, profile, pos_number,"
    " state,"
    " created_at, deadline_at) VALUES (:id, :merchant_id, :terminal_id, :terminal_address, :protocol,"
    " :profile,"
    " :pos_number, 'queued', {now}, {now} + :deadline_ms)"
)
_DELETE_OLD = Statement(
    f"DELETE FROM probes WHERE merchant_id = :merchant_id AND created_at < {NOW_ONCE} - :kept_ms"
)

#: The holder of the probe's terminal lock, under the lock of its row.
_LOCK = Statement(
    "SELECT address, held_by, claim, acquired_at FROM terminal_locks"
    " WHERE address = (SELECT terminal_address FROM probes WHERE id = :id) {for_update}"
)
_ACQUIRE = Statement(
    "UPDATE terminal_locks SET held_by = :id, worker = :worker, epoch = epoch + 1, claim = :token,"
    " acquired_at = {now}, lease_until = {now} + :lease_ms WHERE address = :address AND held_by IS NULL"
    " RETURNING address, epoch, echoes, identifies, identify_first"
)
_START = Statement(
    "UPDATE probes SET state = 'running' WHERE id = :id AND state = 'queued' AND deadline_at > {now}"
    " RETURNING id"
)
_RUNNING = Statement("SELECT terminal_address, protocol, profile, pos_number FROM probes WHERE id = :id")

_END = Statement(
    "UPDATE probes SET state = 'ended', result = :result, round_trip_ms = :round_trip_ms,"
    " detail = :detail, held_by = :held_by, held_since = :held_since, ended_at = {now}"
    " WHERE id = :id AND state <> 'ended' RETURNING id"
)

#: The terminal answered.
_ANSWERED = Statement(
    "UPDATE terminal_locks SET answered_at = {now} WHERE address = :address AND epoch = :epoch AND claim ="
    " :token"
)

_RESULT = Statement(
    "SELECT r.result, r.round_trip_ms, r.detail, r.held_by, r.held_since,"
    " CASE WHEN p.merchant_id = r.merchant_id OR q.merchant_id = r.merchant_id THEN 1 ELSE 0 END AS own"
    " FROM probes r LEFT JOIN payments p ON p.id = r.held_by LEFT JOIN probes q ON q.id = r.held_by"
    " WHERE r.id = :id AND r.state = 'ended'"
)


class ProbeResult(StrEnum):
    """The result of a probe."""

    #: A payment or another probe holds the terminal lock: no packet was sent.
    HELD = "held"
    #: A Concert terminal answered.
    REACHABLE = "reachable"
    #: A Concert terminal answered that it is busy: it shows an amount, or is being used.
    BUSY = "busy"
    #: Something accepts connections there and gave no Concert answer.
    NOT_CONCERT = "not_concert"
    #: No connection.
    UNREACHABLE = "unreachable"
    #: Its worker stopped before the end.
    INTERRUPTED = "interrupted"
    #: No worker started it in time.
    NO_WORKER = "no_worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProbe:
    """A probe to be run, with the terminal's data at its creation."""

    id: str
    merchant_id: str
    terminal_id: str
    terminal_address: str
    protocol: str
    #: JSON of the terminal's profile.
    profile: str
    pos_number: str
    deadline_seconds: float


@dataclass(frozen=True, slots=True)
class StartedProbe:
    """A probe whose terminal lock is granted to this run."""

    grant: locks.LockGrant
    protocol: str
    profile: str
    pos_number: str

    @property
    def known(self) -> bool:
        """Return True if a Concert terminal at this address answered a payment before."""
        return self.grant.echoes != "[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """A probe's result; `held_by` is None if the holder is another merchant's. Times in milliseconds."""

    result: ProbeResult
    round_trip_ms: int | None = None
    detail: str | None = None
    held_by: str | None = None
    held_since: int | None = None


class _NotQueued(Exception):
    """Raised to roll back the acquired lock of a probe that is no longer queued."""


async def create(database: Database, new: NewProbe) -> None:
    """Store a probe to be run. Raises DatabaseUnavailable, CommitUnknown."""

    async def work(tx: Transaction) -> None:
        await locks.create(tx, new.terminal_address)
        await tx.run(_DELETE_OLD, merchant_id=new.merchant_id, kept_ms=KEPT_SECONDS * 1000)
        await tx.run(
            _INSERT,
            id=new.id,
            merchant_id=new.merchant_id,
            terminal_id=new.terminal_id,
            terminal_address=new.terminal_address,
            protocol=new.protocol,
            profile=new.profile,
            pos_number=new.pos_number,
            deadline_ms=int(new.deadline_seconds * 1000),
        )

    await database.write(work)


async def start(
    database: Database, probe_id: str, *, worker: str, token: str, lease_seconds: float
) -> StartedProbe | None:
    """Acquire the probe's terminal lock; None: it is held (the probe ends with that), or the probe has ended.

    Raises DatabaseUnavailable, CommitUnknown: a second call with the same token finds the first one's commit.
    """

    async def work(tx: Transaction) -> StartedProbe | None:
        lock = await tx.one(_LOCK, id=probe_id)
        if lock is None:
            return None
        if (lock.held_by, lock.claim) == (probe_id, token):
            return await _started(tx, probe_id, token)
        if lock.held_by is not None:
            if lock.held_by != probe_id:
                await _end(
                    tx,
                    probe_id,
                    ProbeReport(
                        result=ProbeResult.HELD,
                        held_by=lock.held_by,
                        held_since=lock.acquired_at,
                    ),
                )
            return None
        row = await tx.one(
            _ACQUIRE,
            id=probe_id,
            address=lock.address,
            worker=worker,
            token=token,
            lease_ms=int(lease_seconds * 1000),
        )
        assert row is not None, "the row of the lock is locked by this transaction"
        if await tx.one(_START, id=probe_id) is None:
            raise _NotQueued
        return await _started(tx, probe_id, token)

    try:
        return await database.write(work)
    except _NotQueued:
        return None


async def _started(tx: Transaction, probe_id: str, token: str) -> StartedProbe:
    grant = await locks.granted_with(tx, probe_id, token)
    probe = await tx.one(_RUNNING, id=probe_id)
    assert grant is not None, "the row of the lock is locked by this transaction"
    assert probe is not None, "it is running"
    return StartedProbe(grant, probe.protocol, probe.profile, probe.pos_number)


async def finish(database: Database, started: StartedProbe, found: ProbeReport) -> bool:
    """Store the result and release the terminal lock; False: another worker took it over.

    A missing answer is not stored: only an identification after a finished payment shows that the terminal
    does not answer them. Raises DatabaseUnavailable, CommitUnknown: repeating it changes nothing.
    """
    grant = started.grant
    identified = found.result is ProbeResult.REACHABLE and found.round_trip_ms is not None

    async def work(tx: Transaction) -> bool:
        if found.result is ProbeResult.BUSY or identified:
            await tx.run(_ANSWERED, address=grant.address, epoch=grant.epoch, token=grant.token)
        observed = (
            locks.ObservedCapabilities(identifies=True, identify_first=False)
            if identified
            else locks.ObservedCapabilities()
        )
        released = await locks.release(tx, grant, observed)
        await _end(tx, grant.payment_id, found)
        return released

    return await database.write(work)


async def give_up(database: Database, probe_id: str) -> None:
    """End a probe that no worker started or finished in time; a stored result stays."""
    await database.write(lambda tx: _end(tx, probe_id, ProbeReport(result=ProbeResult.NO_WORKER)))


async def _end(tx: Transaction, probe_id: str, found: ProbeReport) -> None:
    await tx.run(
        _END,
        id=probe_id,
        result=found.result.value,
        round_trip_ms=found.round_trip_ms,
        detail=found.detail,
        held_by=found.held_by,
        held_since=found.held_since,
    )


async def result(database: Database, probe_id: str) -> ProbeReport | None:
    """Return the result as the probe's merchant may see it; None: it has not ended."""
    row = await database.read(lambda tx: tx.one(_RESULT, id=probe_id))
    if row is None:
        return None
    return ProbeReport(
        result=ProbeResult(row.result),
        round_trip_ms=row.round_trip_ms,
        detail=row.detail,
        held_by=row.held_by if row.own else None,
        held_since=row.held_since,
    )
