"""Probes: one identification of a terminal, whose line is taken for it as for a payment.

A probe holds the line for seconds and is never resumed: where its worker dies, whoever takes the line over
only frees it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.terminals import locks

#: Results are kept this long, for a person who looks back.
KEPT_SECONDS: Final = 86_400

_INSERT = Statement(
    "INSERT INTO probes (id, merchant_id, terminal_id, terminal_address, protocol, profile, pos_number,"
    " state,"
    " created_at, deadline_at) VALUES (:id, :merchant_id, :terminal_id, :terminal_address, :protocol,"
    " :profile,"
    " :pos_number, 'queued', {now}, {now} + :deadline_ms)"
)
_DELETE_OLD = Statement(
    "DELETE FROM probes WHERE merchant_id = :merchant_id AND created_at < {now} - :kept_ms"
)

#: The probe's line. Who holds it is read under its lock.
_LOCK_LINE = Statement(
    "SELECT address, held_by, claim, taken_at FROM terminal_locks"
    " WHERE address = (SELECT terminal_address FROM probes WHERE id = :id) {for_update}"
)
_TAKE_LINE = Statement(
    "UPDATE terminal_locks SET held_by = :id, worker = :worker, epoch = epoch + 1, claim = :token,"
    " taken_at = {now}, lease_until = {now} + :lease_ms WHERE address = :address AND held_by IS NULL"
    " RETURNING address, epoch, echoes, identifies, identify_first"
)
_TAKEN_LINE = Statement(
    "SELECT address, epoch, echoes, identifies, identify_first FROM terminal_locks"
    " WHERE held_by = :id AND claim = :token"
)
_START = Statement(
    "UPDATE probes SET state = 'running' WHERE id = :id AND state = 'queued' AND deadline_at > {now}"
    " RETURNING id"
)
_RUNNING = Statement("SELECT terminal_address, protocol, profile, pos_number FROM probes WHERE id = :id")

_END = Statement(
    "UPDATE probes SET state = 'ended', outcome = :outcome, round_trip_ms = :round_trip_ms,"
    " detail = :detail, held_by = :held_by, held_since = :held_since, ended_at = {now}"
    " WHERE id = :id AND state <> 'ended' RETURNING id"
)

#: The terminal said something: it was seen.
_SEEN = Statement(
    "UPDATE terminal_locks SET answered_at = {now} WHERE address = :address AND epoch = :epoch AND claim ="
    " :token"
)

_RESULT = Statement(
    "SELECT r.outcome, r.round_trip_ms, r.detail, r.held_by, r.held_since,"
    " CASE WHEN p.merchant_id = r.merchant_id OR q.merchant_id = r.merchant_id THEN 1 ELSE 0 END AS own"
    " FROM probes r LEFT JOIN payments p ON p.id = r.held_by LEFT JOIN probes q ON q.id = r.held_by"
    " WHERE r.id = :id AND r.state = 'ended'"
)


class ProbeResult(StrEnum):
    """What a probe found."""

    #: Somebody's payment or probe has the line: no packet was sent.
    HELD = "held"
    #: A Concert terminal answered.
    REACHABLE = "reachable"
    #: A Concert terminal answered that it is busy: it shows an amount, or somebody uses it.
    BUSY = "busy"
    #: Something takes connections there and gave no Concert answer.
    NOT_CONCERT = "not_concert"
    #: No connection.
    UNREACHABLE = "unreachable"
    #: Its worker stopped before the end.
    INTERRUPTED = "interrupted"
    #: Nobody took it in time.
    NO_WORKER = "no_worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProbe:
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
class Taken:
    """The line is this run's, for this identification."""

    grant: locks.LockGrant
    protocol: str
    profile: str
    pos_number: str

    @property
    def known(self) -> bool:
        """A Concert terminal answered a payment on this line before."""
        return self.grant.echoes != "[]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A probe's result; `held_by` is None where another merchant holds the line. Times in milliseconds."""

    outcome: ProbeResult
    round_trip_ms: int | None = None
    detail: str | None = None
    held_by: str | None = None
    held_since: int | None = None


class _NotMine(Exception):
    """Rolls the taking of the line back."""


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


async def take(
    database: Database, probe_id: str, *, worker: str, token: str, lease_seconds: float
) -> Taken | None:
    """Take the probe's line; None: it is held (the probe's result then), or it is no longer to be run.

    Raises DatabaseUnavailable, CommitUnknown: call it again with the same token, it finds an earlier try's
    taking.
    """

    async def work(tx: Transaction) -> Taken | None:
        lock = await tx.one(_LOCK_LINE, id=probe_id)
        if lock is None:
            return None
        if (lock.held_by, lock.claim) == (probe_id, token):
            return await _taken(tx, probe_id, token)
        if lock.held_by is not None:
            if lock.held_by != probe_id:
                await _end(
                    tx,
                    probe_id,
                    Found(
                        outcome=ProbeResult.HELD,
                        held_by=lock.held_by,
                        held_since=lock.taken_at,
                    ),
                )
            return None
        row = await tx.one(
            _TAKE_LINE,
            id=probe_id,
            address=lock.address,
            worker=worker,
            token=token,
            lease_ms=int(lease_seconds * 1000),
        )
        assert row is not None, "the line's row is locked by this transaction"
        if await tx.one(_START, id=probe_id) is None:
            raise _NotMine
        return await _taken(tx, probe_id, token)

    try:
        return await database.write(work)
    except _NotMine:
        return None


async def _taken(tx: Transaction, probe_id: str, token: str) -> Taken:
    terminal_address = await tx.one(_TAKEN_LINE, id=probe_id, token=token)
    probe = await tx.one(_RUNNING, id=probe_id)
    assert terminal_address is not None, "the line's row is locked by this transaction"
    assert probe is not None, "it is running"
    grant = locks.grant_of(terminal_address, token, probe_id)
    return Taken(grant, probe.protocol, probe.profile, probe.pos_number)


async def finish(database: Database, taken: Taken, found: Found) -> bool:
    """Store what was found and free the line; False: somebody took it over.

    A silence teaches nothing: only one that follows a finished payment excuses a line from identification.
    Raises DatabaseUnavailable, CommitUnknown: repeat it, a second time changes nothing.
    """
    grant = taken.grant
    identified = found.outcome is ProbeResult.REACHABLE and found.round_trip_ms is not None

    async def work(tx: Transaction) -> bool:
        if found.outcome is ProbeResult.BUSY or identified:
            await tx.run(_SEEN, address=grant.address, epoch=grant.epoch, token=grant.token)
        observed = (
            locks.ObservedCapabilities(identifies=True, identify_first=False)
            if identified
            else locks.ObservedCapabilities()
        )
        freed = await locks.release(tx, grant, observed)
        await _end(tx, grant.payment_id, found)
        return freed

    return await database.write(work)


async def give_up(database: Database, probe_id: str) -> None:
    """End a probe that nobody took or finished in time; a result that is there stays."""
    await database.write(lambda tx: _end(tx, probe_id, Found(outcome=ProbeResult.NO_WORKER)))


async def _end(tx: Transaction, probe_id: str, found: Found) -> None:
    await tx.run(
        _END,
        id=probe_id,
        outcome=found.outcome.value,
        round_trip_ms=found.round_trip_ms,
        detail=found.detail,
        held_by=found.held_by,
        held_since=found.held_since,
    )


async def result(database: Database, probe_id: str) -> Found | None:
    """Return what was found, as the merchant of the probe may see it; None: not yet."""
    row = await database.read(lambda tx: tx.one(_RESULT, id=probe_id))
    if row is None:
        return None
    return Found(
        outcome=ProbeResult(row.outcome),
        round_trip_ms=row.round_trip_ms,
        detail=row.detail,
        held_by=row.held_by if row.own else None,
        held_since=row.held_since,
    )
