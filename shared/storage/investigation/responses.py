"""Responses about payments that merchants' clients were given, as they are stored."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from shared.storage.db.engine import Database
from shared.storage.db.statement import Statement

#: Responses that are shown of one payment, the newest; a client may ask for it for hours.
RESPONSES_AT_MOST: Final = 200

_INSERT = Statement(
    "INSERT INTO responses (payment_id, at, status, code, request, credential, client, request_id,"
    " client_left)"
    " VALUES (:payment_id, {now} - :ms_ago, :status, :code, :request, :credential, :client, :request_id,"
    " :client_left)"
)

_OF_PAYMENT = Statement(
    "SELECT at, status, code, request, credential, client, request_id, client_left FROM responses"
    " WHERE payment_id = :payment_id ORDER BY id DESC LIMIT :most"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A response as it was given, see `ResponseRow`."""

    status: int
    code: str
    request: str
    credential: str
    client: str | None
    request_id: str | None
    client_left: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenResponse(Response):
    """A response that is not stored yet: its payment, and the milliseconds since it was given."""

    payment_id: str
    ms_ago: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse(Response):
    """A stored response; `at` is milliseconds since 1970 UTC."""

    at: int


async def store(database: Database, given: Sequence[GivenResponse]) -> None:
    """Store responses in one transaction. Raises DatabaseUnavailable, CommitUnknown."""
    values = [asdict(one) for one in given]
    await database.write(lambda tx: tx.run_many(_INSERT, values))


async def of_payment(database: Database, payment_id: str) -> list[StoredResponse]:
    """Return the newest responses about a payment, the oldest of them first."""
    rows = await database.read(lambda tx: tx.all(_OF_PAYMENT, payment_id=payment_id, most=RESPONSES_AT_MOST))
    return [
        StoredResponse(**{**row._mapping, "client_left": bool(row.client_left)}) for row in reversed(rows)
    ]
