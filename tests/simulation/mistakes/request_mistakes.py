"""Mistakes in the handling of keys, waits, order numbers and refusals."""

from contextlib import AbstractContextManager
from unittest.mock import patch

from api.payments import intake
from api.payments.intake import RequestContext
from api.payments.service import Payments
from shared.storage.db.engine import Database, Transaction
from shared.storage.payments import idempotency, insertion
from shared.storage.payments.idempotency import NamedOperation
from shared.storage.payments.new_payment import NewPayment, Terms
from tests.simulation.mistakes.mistake import Mistake, changed


def key_without_meaning() -> AbstractContextManager[object]:
    """Accept an Idempotency-Key with any operation."""

    async def is_bound(_tx: Transaction, _named: NamedOperation) -> bool:
        return True

    return patch.object(idempotency, "is_bound", is_bound)


def client_never_waits() -> AbstractContextManager[object]:
    """Answer every client as one that does not want to wait."""

    def waits(_self: Payments, _caller: RequestContext) -> float:
        return 0.0

    return patch.object(Payments, "_wait_seconds", waits)


def own_attempt_refused() -> AbstractContextManager[object]:
    """Refuse an order whose own attempt waits, where too many wait."""

    async def nothing(_database: Database, _new: NewPayment, _terms: Terms) -> None:
        return None

    return patch.object(intake, "find_earlier", nothing)


def number_comes_again_at_once() -> AbstractContextManager[object]:
    """Free a succeeded order's number however young it is."""
    leave = changed(insertion._RELEASE_ORDER, (" AND ended_at <=", " AND ended_at + 3600000 >="))
    return patch.object(insertion, "_RELEASE_ORDER", leave)


def guard_behind_the_lookup() -> AbstractContextManager[object]:
    """Ignore an order's earlier attempts where its host has no address."""
    guarded = "CASE WHEN CAST(:terminal_address AS TEXT) IS NULL THEN NULL ELSE :guard_key END,"
    return patch.object(insertion, "_INSERT", changed(insertion._INSERT, (" :guard_key,", guarded)))


#: Found by random histories.
REQUEST_MISTAKES: dict[str, Mistake] = {
    "an Idempotency-Key that names nothing": key_without_meaning,
    "a client that is not kept waiting": client_never_waits,
    "a full queue that refuses its own orders": own_attempt_refused,
    "an order guard behind the name look-up": guard_behind_the_lookup,
    "a number that comes again at once": number_comes_again_at_once,
}
