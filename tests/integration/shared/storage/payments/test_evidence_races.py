"""Evidence and the end of a session at once: evidence locks first, doubt reads last."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any

import pytest
from payments import in_session, lose, prove
from races.interleaving import (
    Pause,
    finished_or_blocked,
    outcome_of,
    paused_before,
    paused_before_commit,
    running,
)

from shared.payment.payment import Payment, Settlement
from shared.payment.states import Event, State
from shared.storage.db.engine import Database
from shared.storage.payments import ending, rows, settling, snapshots
from shared.storage.payments.claims import Claimed
from shared.storage.terminals.locks import ObservedCapabilities

#: Where the one that began first stands while the other runs.
EVIDENCE_STANDS: dict[str, Callable[[Database], AbstractContextManager[Pause]]] = {
    "before its lock": lambda database: paused_before(database, ending._LOCK),
    "before its insert": lambda database: paused_before(database, settling._INSERT_EVIDENCE),
    "before its event": lambda database: paused_before(database, rows._INSERT_EVENT),
    "before its commit": paused_before_commit,
}
END_STANDS: dict[str, Callable[[Database], AbstractContextManager[Pause]]] = {
    "before its update": lambda database: paused_before(database, ending._MOVE),
    "before it reads the proofs": lambda database: paused_before(database, ending._PROOFS),
    "before its commit": paused_before_commit,
}


async def _refuse(database: Database, claimed: Claimed) -> Payment:
    outcome = Settlement(event=Event.ANSWERED_REFUSED)
    return await settling.settle(database, claimed.grant, claimed.payment, outcome, ObservedCapabilities())


async def _refuse_by_statements(database: Database, claimed: Claimed) -> Payment:
    outcome = Settlement(event=Event.ANSWERED_REFUSED)
    return await settling._settle_by_statements(
        database, claimed.grant, claimed.payment, outcome, ObservedCapabilities()
    )


def _assert_not_lost(payment: Payment | None, ending_by: object) -> None:
    assert payment is not None
    if ending_by is lose:
        assert payment.state is State.SUCCEEDED
    else:
        assert (payment.state, payment.contradicted) == (State.REFUSED, True)


@pytest.mark.parametrize("ending_by", [lose, _refuse])
@pytest.mark.parametrize("where", EVIDENCE_STANDS)
async def test_a_proof_that_is_being_stored_is_not_lost(
    postgres_database: Database,
    second_postgres_database: Database,
    where: str,
    ending_by: Callable[[Database, Claimed], Coroutine[Any, Any, Payment]],
) -> None:
    """Doubt, or a refusal, comes while the evidence stands at any of its steps: the proof counts."""
    claimed = await in_session(postgres_database)
    with EVIDENCE_STANDS[where](postgres_database) as pause:
        proof = prove(postgres_database, claimed.payment.id, Event.PROVED_DONE)
        async with running(proof) as evidence:
            await pause.reached()
            async with running(ending_by(second_postgres_database, claimed)) as end:
                await finished_or_blocked(second_postgres_database, end)
                pause.go()
                await outcome_of(evidence)
                await outcome_of(end)

    _assert_not_lost(await snapshots.payment(postgres_database, claimed.payment.id), ending_by)


@pytest.mark.parametrize("ending_by", [lose, _refuse_by_statements])
@pytest.mark.parametrize("where", END_STANDS)
async def test_a_proof_that_comes_while_the_session_ends_is_not_lost(
    postgres_database: Database,
    second_postgres_database: Database,
    where: str,
    ending_by: Callable[[Database, Claimed], Coroutine[Any, Any, Payment]],
) -> None:
    """The evidence comes while doubt, or a refusal, stands at any of its steps: the proof counts."""
    claimed = await in_session(postgres_database)
    with END_STANDS[where](postgres_database) as pause:
        async with running(ending_by(postgres_database, claimed)) as end:
            await pause.reached()
            proof = prove(second_postgres_database, claimed.payment.id, Event.PROVED_DONE)
            async with running(proof) as evidence:
                await finished_or_blocked(second_postgres_database, evidence)
                pause.go()
                await outcome_of(end)
                await outcome_of(evidence)

    _assert_not_lost(await snapshots.payment(postgres_database, claimed.payment.id), ending_by)
