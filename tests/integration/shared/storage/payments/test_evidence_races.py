"""Evidence and the end of a session at once: evidence locks first, doubt reads last."""

from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager
from typing import Any

import pytest
from payments import in_session, lose, prove, settle, stored
from races.crossing import crossed
from races.interleaving import Pause, paused_before, paused_before_commit

from shared.payment.payment import Payment, Settlement
from shared.payment.states import Event, State
from shared.storage.db.engine import Database
from shared.storage.payments import ending, rows, settling
from shared.storage.payments.claims import Claimed
from shared.storage.terminals.locks import ObservedCapabilities

Ending = Callable[[Database, Claimed], Coroutine[Any, Any, Payment]]
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


async def refuse(database: Database, claimed: Claimed) -> Payment:
    return await settle(database, claimed, Event.ANSWERED_REFUSED)


async def refuse_by_statements(database: Database, claimed: Claimed) -> Payment:
    outcome = Settlement(event=Event.ANSWERED_REFUSED)
    return await settling._settle_by_statements(
        database, claimed.grant, claimed.payment, outcome, ObservedCapabilities()
    )


async def _assert_not_lost(database: Database, claimed: Claimed, ending_by: object) -> None:
    payment = await stored(database, claimed.payment.id)
    if ending_by is lose:
        assert payment.state is State.SUCCEEDED
    else:
        assert (payment.state, payment.contradicted) == (State.REFUSED, True)


@pytest.mark.parametrize("ending_by", [lose, refuse])
@pytest.mark.parametrize("where", EVIDENCE_STANDS)
async def test_a_proof_that_is_being_stored_is_not_lost(
    one: Database, two: Database, where: str, ending_by: Ending
) -> None:
    """Doubt, or a refusal, comes while the evidence stands at any of its steps: the proof counts."""
    claimed = await in_session(one)
    proof = prove(one, claimed.payment.id, Event.PROVED_DONE)

    await crossed(two, EVIDENCE_STANDS[where](one), proof, ending_by(two, claimed), waits=None)

    await _assert_not_lost(one, claimed, ending_by)


@pytest.mark.parametrize("ending_by", [lose, refuse_by_statements])
@pytest.mark.parametrize("where", END_STANDS)
async def test_a_proof_that_comes_while_the_session_ends_is_not_lost(
    one: Database, two: Database, where: str, ending_by: Ending
) -> None:
    """The evidence comes while doubt, or a refusal, stands at any of its steps: the proof counts."""
    claimed = await in_session(one)
    proof = prove(two, claimed.payment.id, Event.PROVED_DONE)

    await crossed(two, END_STANDS[where](one), ending_by(one, claimed), proof, waits=None)

    await _assert_not_lost(one, claimed, ending_by)
