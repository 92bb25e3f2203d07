"""Terminal locks: acquire, keep and release the mutex of a terminal address, inside the transactions of
others.

Rows are locked in the order terminal lock, debit, payment: these come first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from shared.storage.db.engine import Row, Transaction
from shared.storage.db.statement import Statement

#: Create the lock of an address at its first use.
#: ON CONFLICT alone would wait for a transaction that is writing to an existing row.
_CREATE = Statement(
    "INSERT INTO terminal_locks (address) SELECT CAST(:address AS TEXT)"
    " WHERE NOT EXISTS (SELECT 1 FROM terminal_locks WHERE address = :address) ON CONFLICT (address) DO"
    " NOTHING"
)

#: Acquire the free lock of a payment's terminal. On PostgreSQL
#: `ct_claim_v1` tries the same first; nothing else decides whether it is free.
_ACQUIRE = Statement(
    "UPDATE terminal_locks SET held_by = :payment_id, worker = :worker, epoch = epoch + 1, claim = :token,"
    " acquired_at = {now}, lease_until = {now} + :lease_ms"
    " WHERE address = (SELECT terminal_address FROM payments WHERE id = :payment_id) AND held_by IS NULL"
    " RETURNING address, epoch, echoes, identifies, identify_first"
)

#: Release the lock, with observed capabilities; only by the run that acquired it, and once.
_RELEASE = Statement(
    "UPDATE terminal_locks SET held_by = NULL, worker = NULL, claim = NULL, acquired_at = NULL, lease_until ="
    " NULL,"
    " release_for = NULL, release_by = NULL, release_asked_at = NULL, epoch = epoch + 1, {observed}"
    " WHERE address = :address AND epoch = :epoch AND claim = :token RETURNING address"
)

#: Keep the lock, and store observed capabilities.
_KEEP = Statement(
    "UPDATE terminal_locks SET {observed} WHERE address = :address AND epoch = :epoch AND claim = :token"
    " RETURNING address"
)

#: The holder of a payment's terminal lock, under the lock of its row.
_LOCK_OF_PAYMENT = Statement(
    "SELECT held_by, acquired_at FROM terminal_locks WHERE address = (SELECT terminal_address FROM payments"
    " WHERE id = :payment_id)"
    " {for_update}"
)

#: The committed claim of a run. Read after the row of the lock was locked.
_GRANTED_WITH = Statement(
    "SELECT address, epoch, echoes, identifies, identify_first FROM terminal_locks"
    " WHERE held_by = :payment_id AND claim = :token"
)

#: The terminal may show an amount of a payment that does not hold its lock.
_MARK_OF_PAYMENT = Statement(
    "UPDATE terminal_locks SET identify_first = true"
    " WHERE address = (SELECT terminal_address FROM payments WHERE id = :payment_id AND state = :state)"
)

_IS_HELD = Statement(
    "SELECT address FROM terminal_locks WHERE address = :address AND epoch = :epoch AND claim = :token"
)


@dataclass(frozen=True, slots=True)
class LockGrant:
    """A terminal lock granted to a run: every later write of the run names its epoch and token."""

    address: str
    epoch: int
    token: str
    payment_id: str
    #: JSON list of the echoed tags of the terminal's last three complete answers before the grant.
    echoes: str
    #: True if the terminal answers identifications; None: it was never asked.
    identifies: bool | None = None
    #: The session has to begin with an answered identification.
    identify_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedCapabilities:
    """Capabilities of a terminal that a session observed; None leaves the stored value."""

    #: JSON, see `LockGrant.echoes`; set after a complete answer.
    echoes: str | None = None
    identifies: bool | None = None
    identify_first: bool | None = None


async def create(tx: Transaction, address: str) -> None:
    """Create the lock of an address where it is missing."""
    await tx.run(_CREATE, address=address)


async def acquire(
    tx: Transaction, payment_id: str, *, worker: str, token: str, lease_seconds: float
) -> LockGrant | None:
    """Acquire the lock of the payment's terminal for this run; None: it is held."""
    row = await tx.one(
        _ACQUIRE, payment_id=payment_id, worker=worker, token=token, lease_ms=int(lease_seconds * 1000)
    )
    return None if row is None else grant_of(row, token, payment_id)


def grant_of(row: Row, token: str, payment_id: str) -> LockGrant:
    """Return the grant in a row with address, epoch and observed capabilities."""
    identifies = None if row.identifies is None else bool(row.identifies)
    return LockGrant(
        row.address, row.epoch, token, payment_id, row.echoes, identifies, bool(row.identify_first)
    )


async def granted_with(tx: Transaction, payment_id: str, token: str) -> LockGrant | None:
    """Return the committed grant with this run's token; None: there is none."""
    row = await tx.one(_GRANTED_WITH, payment_id=payment_id, token=token)
    return None if row is None else grant_of(row, token, payment_id)


async def release(tx: Transaction, grant: LockGrant, observed: ObservedCapabilities | None = None) -> bool:
    """Release the lock and store observed capabilities; False: the run no longer holds it."""
    return await _write_as_holder(tx, _RELEASE, grant, observed or ObservedCapabilities())


async def keep(tx: Transaction, grant: LockGrant, observed: ObservedCapabilities) -> bool:
    """Keep the lock and store observed capabilities; False: the run no longer holds it."""
    return await _write_as_holder(tx, _KEEP, grant, observed)


async def _write_as_holder(
    tx: Transaction, statement: Statement, grant: LockGrant, observed: ObservedCapabilities
) -> bool:
    row = await tx.one(
        statement,
        address=grant.address,
        epoch=grant.epoch,
        token=grant.token,
        echoes=observed.echoes,
        identifies=observed.identifies,
        identify_first=observed.identify_first,
    )
    return row is not None


async def is_held(tx: Transaction, grant: LockGrant) -> bool:
    """Return True if the run still holds the lock."""
    row = await tx.one(_IS_HELD, address=grant.address, epoch=grant.epoch, token=grant.token)
    return row is not None


async def mark_of_payment(tx: Transaction, payment_id: str, state: str) -> None:
    """Make the next session on the terminal of a payment in this state begin with an identification."""
    await tx.run(_MARK_OF_PAYMENT, payment_id=payment_id, state=state)


async def lock_of_payment(tx: Transaction, payment_id: str) -> tuple[str | None, int | None]:
    """Lock the row of the payment's terminal lock; return its holder and its start (milliseconds)."""
    row = await tx.one(_LOCK_OF_PAYMENT, payment_id=payment_id)
    return (None, None) if row is None else (row.held_by, row.acquired_at)


# A terminal's address changes while the old address is locked, marked or waited for: the device may still
# show an earlier amount, or work on it, so the new address is marked, and its next session begins with an
# identification. The mark stays until one is answered. A terminal that does not answer identifications is
# not marked, since a mark would leave it without payments.

#: True if the device at the earlier address, `old`, may be busy with an earlier payment.
_MAY_BE_BUSY: Final = (
    "(old.held_by IS NOT NULL OR old.identify_first OR EXISTS (SELECT 1 FROM payments waiting"
    " WHERE waiting.terminal_address = old.address AND waiting.merchant_id = :merchant_id"
    " AND waiting.state = 'queued')) AND old.identifies IS NOT FALSE"
)

#: True for a host name, as in the index `payments_by_name`; false for a literal address.
_BY_NAME: Final = "substr(terminal_address, 1, length(host)) <> host"

#: Create the lock of a payment whose host is a name; mark it if the merchant's newest payment with this name
#: and port had another address. One statement for every accepted payment.
_CREATE_BY_NAME = Statement(
    "INSERT INTO terminal_locks (address, identify_first)"
    " SELECT CAST(:terminal_address AS TEXT), moved FROM (SELECT EXISTS (SELECT 1 FROM"
    " (SELECT terminal_address FROM payments WHERE merchant_id = :merchant_id AND host = :host AND port ="
    " :port"
    f" AND {_BY_NAME} ORDER BY created_at DESC, id DESC LIMIT 1) newest"
    " JOIN terminal_locks old ON old.address = newest.terminal_address"
    f" WHERE newest.terminal_address <> :terminal_address AND {_MAY_BE_BUSY}) AS moved) seen"
    " WHERE moved OR NOT EXISTS (SELECT 1 FROM terminal_locks WHERE address = :terminal_address)"
    " ON CONFLICT (address) DO UPDATE SET identify_first = terminal_locks.identify_first OR"
    " excluded.identify_first"
)

#: The same for a registered terminal whose stored address is another one.
_MARK_NEW_ADDRESS = Statement(
    "INSERT INTO terminal_locks (address, identify_first) SELECT CAST(:terminal_address AS TEXT), true"
    " WHERE EXISTS"
    " (SELECT 1 FROM terminals JOIN terminal_locks old ON old.address = terminals.terminal_address"
    " WHERE terminals.merchant_id = :merchant_id AND terminals.id = :id AND terminals.terminal_address <>"
    " :terminal_address"
    f" AND {_MAY_BE_BUSY}) ON CONFLICT (address) DO UPDATE SET identify_first = true"
)


async def create_lock(
    tx: Transaction, *, merchant_id: str, host: str, port: int, terminal_address: str
) -> None:
    """Create the terminal lock of a new payment at its first use; mark it if its host's address changed."""
    if terminal_address.startswith(host):
        await create(tx, terminal_address)  # a literal address does not change
    else:
        await tx.run(
            _CREATE_BY_NAME, merchant_id=merchant_id, host=host, port=port, terminal_address=terminal_address
        )


async def mark_new_address(
    tx: Transaction, *, merchant_id: str, terminal_id: str, terminal_address: str
) -> None:
    """Mark the new address of a registered terminal whose entry still has the earlier one."""
    await tx.run(
        _MARK_NEW_ADDRESS, merchant_id=merchant_id, id=terminal_id, terminal_address=terminal_address
    )


class LockTokens:
    """The tokens of this process's running payments and probes; `DoubtLeases` knows those of its leases.

    A lock of this worker with another token has no owner: the run that acquired it ended with an error.
    """

    def __init__(self) -> None:
        self._in_use: set[str] = set()

    @contextmanager
    def in_use(self, token: str) -> Iterator[None]:
        """Keep the token while the block runs; begin before the claim with this token is sent."""
        self._in_use.add(token)
        try:
            yield
        finally:
            self._in_use.discard(token)

    def now(self) -> frozenset[str]:
        """Return the tokens in use at this moment."""
        return frozenset(self._in_use)
