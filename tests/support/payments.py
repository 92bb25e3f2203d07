"""Payments in the state that a test starts with, made by the storage's own functions."""

import itertools
from collections.abc import Sequence
from typing import Any

from stored.merchants import create_merchant

from shared.payment.evidence import Evidence, Source
from shared.payment.payment import Operation, Payment, Reason, Result, Settlement
from shared.payment.states import Event, State
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments import acceptance, settling, snapshots
from shared.storage.payments.acceptance import accept
from shared.storage.payments.claims import Claimed, claim
from shared.storage.payments.new_payment import (
    Acceptance,
    Accepted,
    Attached,
    Conflict,
    Earlier,
    NewPayment,
    Terms,
)
from shared.storage.payments.queue import QueuedPayment, next_for_terminals
from shared.storage.terminals.locks import LockGrant, ObservedCapabilities

MERCHANT = "merchant"
HOST, PORT = "127.0.0.9", 8888
ADDRESS = f"{HOST}:{PORT}"
WORKER = "worker-1"
#: An hour of replay, ten minutes for credits without a key.
TERMS = Terms(replay_seconds=3600, credit_replay_seconds=600)

_numbers = itertools.count(1)


def new_payment(**changes: Any) -> NewPayment:
    """Return a debit of 10.00 euros on ADDRESS with a fresh id, with `changes`."""
    number = next(_numbers)
    values: dict[str, Any] = {
        "id": f"pay_{number:026d}",
        "merchant_id": MERCHANT,
        "order_id": "order-1",
        "operation": Operation.DEBIT,
        "idempotency_key": None,
        "amount_cents": 1000,
        "currency": "EUR",
        "protocol": "ConcertV3.1",
        "force_authorization": False,
        "host": HOST,
        "port": PORT,
        "terminal_address": ADDRESS,
        "pos_number": "01",
        "profile": "{}",
        "request": "{}",
        "reply_to": "reply.api-1",
        "traceparent": None,
        "deadline_seconds": 30.0,
        "warnings": (),
    }
    return NewPayment(**{**values, **changes})


async def submit(database: Database, **changes: Any) -> Acceptance:
    """Accept a payment as the API does."""
    return await accept(database, new_payment(**changes), TERMS)


async def submit_by_statements(database: Database, **changes: Any) -> Acceptance:
    """Accept a payment as for an unusual one on PostgreSQL, and for each on SQLite."""
    return await acceptance._accept_by_statements(database, new_payment(**changes), TERMS)


def accepted(acceptance: Acceptance) -> str:
    """Return the id of the payment that was stored."""
    assert isinstance(acceptance, Accepted), acceptance
    return acceptance.payment_id


def attached(acceptance: Acceptance) -> Payment:
    """Return the earlier payment that the order was attached to."""
    assert isinstance(acceptance, Attached), acceptance
    return acceptance.payment


def conflict(acceptance: Acceptance | Earlier | None) -> Conflict:
    """Return the conflict that the order was refused with."""
    assert isinstance(acceptance, Conflict), acceptance
    return acceptance


async def queued(database: Database, **changes: Any) -> str:
    """Store a queued payment; return its id."""
    return accepted(await submit(database, **changes))


async def stored(database: Database, payment_id: str) -> Payment:
    """Return a payment as it is stored."""
    payment = await snapshots.payment(database, payment_id)
    assert payment is not None
    return payment


async def in_session(database: Database, **changes: Any) -> Claimed:
    """Store a payment and claim it."""
    return await claimed_now(database, await queued(database, **changes))


async def claimed_now(database: Database, payment_id: str) -> Claimed:
    """Claim a queued payment, as a worker does before it sends a byte."""
    claimed = await try_claim(database, payment_id)
    assert isinstance(claimed, Claimed), claimed
    return claimed


async def try_claim(database: Database, payment_id: str, token: str | None = None) -> Any:
    return await claim(
        database,
        payment_id,
        worker=WORKER,
        token=token or f"token-{next(_numbers)}",
        lease_seconds=335,
    )


async def ended(database: Database, event: Event, result: Result | None = None, **changes: Any) -> Payment:
    """Store a payment whose session ended with `event`."""
    return await settle(database, await in_session(database, **changes), event, result)


async def settle(
    database: Database, claimed: Claimed, event: Event = Event.ANSWERED_DONE, result: Result | None = None
) -> Payment:
    """End a claimed payment's session with `event`."""
    outcome = Settlement(event=event, result=result or Result())
    return await settling.settle(database, claimed.grant, claimed.payment, outcome, ObservedCapabilities())


async def doubted_by_another(database: Database, **changes: Any) -> Claimed:
    """Store a payment whose terminal lock was taken over and whose outcome the new owner does not know."""
    claimed = await in_session(database, **changes)
    await taken_over(database, claimed.grant)
    await lose(database, claimed)
    return claimed


async def succeeded(database: Database, paid_cents: int | None = None, **changes: Any) -> Payment:
    return await ended(database, Event.ANSWERED_DONE, Result(paid_cents=paid_cents), **changes)


async def refused(database: Database, **changes: Any) -> Payment:
    return await ended(database, Event.ANSWERED_REFUSED, Result(error_code="04"), **changes)


async def in_doubt(database: Database, **changes: Any) -> Claimed:
    """Store a payment whose connection was lost; it holds its terminal lock."""
    claimed = await in_session(database, **changes)
    await lose(database, claimed)
    return claimed


async def lose(database: Database, claimed: Claimed) -> Payment:
    lost = Settlement(event=Event.OUTCOME_LOST, reason=Reason.CONNECTION_LOST)
    return await settling.doubt(database, claimed.grant, claimed.payment.id, lost)


async def prove(
    database: Database, payment_id: str, proves: Event | None, result: Result | None = None
) -> Payment:
    """Store evidence of the gateway; `proves` None makes it a hint."""
    return await settling.add_evidence(
        database, payment_id, Evidence(Source.GATEWAY, proves), result or Result(), brought_by="ct_gateway"
    )


async def with_merchant(database: Database) -> None:
    await create_merchant(database, MERCHANT, "A bakery", [])


async def rows(database: Database, sql: str, **parameters: object) -> Sequence[Any]:
    """Read with a statement of the test's own."""
    statement = Statement(sql)
    return await database.read(lambda tx: tx.all(statement, **parameters))


async def change(database: Database, sql: str, **parameters: object) -> int:
    """Write with a statement of the test's own."""
    statement = Statement(sql)

    async def work(tx: Transaction) -> int:
        return await tx.run(statement, **parameters)

    return await database.write(work)


async def history(database: Database, payment_id: str) -> list[tuple[str, State]]:
    """Return the payment's events in order, each with the state after it."""
    found = await rows(
        database, "SELECT event, state FROM payment_events WHERE payment_id = :id ORDER BY id", id=payment_id
    )
    return [(row.event, State(row.state)) for row in found]


async def holder(database: Database, terminal_address: str = ADDRESS) -> str | None:
    """Return the payment that holds the terminal lock."""
    (row,) = await rows(
        database,
        "SELECT held_by FROM terminal_locks WHERE address = :terminal_address",
        terminal_address=terminal_address,
    )
    return None if row.held_by is None else str(row.held_by)


async def next_payment(
    database: Database, terminal_address: str = ADDRESS, *, freed_ms_ago: int = 0
) -> QueuedPayment | None:
    """Return the payment to publish for a terminal that was freed."""
    return (await next_for_terminals(database, {terminal_address: lambda: freed_ms_ago})).get(
        terminal_address
    )


async def taken_over(database: Database, grant: LockGrant) -> None:
    """Take the terminal lock over, as another worker does after its holder's death."""
    changed = await change(
        database,
        "UPDATE terminal_locks SET worker = 'worker-2', epoch = epoch + 1, claim = 'token of worker-2'"
        " WHERE address = :address AND epoch = :epoch",
        address=grant.address,
        epoch=grant.epoch,
    )
    assert changed == 1


async def add_terminal_row(database: Database, merchant_id: str | None, **values: object) -> None:
    """Register terminal `t1` of the merchant at ADDRESS, with `values`, whatever the API would say of it."""
    row = {
        "id": "t1",
        "merchant_id": merchant_id,
        "label": "",
        "host": HOST,
        "port": PORT,
        "terminal_address": ADDRESS,
        "protocol": "ConcertV3.2",
        "profile": "{}",
        "pos_number": "01",
        "created_at": 0,
        **values,
    }
    names = ", ".join(row)
    await change(
        database, f"INSERT INTO terminals ({names}) VALUES ({', '.join(f':{name}' for name in row)})", **row
    )
