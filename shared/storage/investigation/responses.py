"""Responses about payments that merchants' clients were given, as they are stored."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

from shared.storage.db.engine import Database
from shared.storage.db.statement import Dialect, Statement

#: Responses that are shown of one payment, the newest; a client may ask for it for hours.
RESPONSES_AT_MOST: Final = 200

_COLUMNS: Final = "id, payment_id, status, code, request, credential, client, request_id, client_left"

#: Responses as a list of JSON: their columns, and `ms_ago`.
_GIVEN: Final[dict[Dialect, str]] = {
    "postgresql": (
        "json_to_recordset(CAST(:given AS json)) AS given(id text, payment_id text, status integer,"
        " code text, request text, credential text, client text, request_id text, client_left boolean,"
        " ms_ago bigint)"
    ),
    "sqlite": "(SELECT {} FROM json_each(:given)) AS given".format(
        ", ".join(f"json_extract(value, '$.{name}') AS {name}" for name in f"{_COLUMNS}, ms_ago".split(", "))
    ),
}

_INSERT: Final = {
    dialect: Statement(
        f"INSERT INTO responses (at, {_COLUMNS}) SELECT {{now}} - given.ms_ago, {_COLUMNS} FROM {given}"
        # SQLite would read the ON of a join.
        " WHERE 1 = 1 ON CONFLICT (id) DO NOTHING"
    )
    for dialect, given in _GIVEN.items()
}

_OF_PAYMENT = Statement(
    "SELECT at, status, code, request, credential, client, request_id, client_left FROM responses"
    " WHERE payment_id = :payment_id ORDER BY at DESC, id DESC LIMIT :most"
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
    """A response that is not stored yet: its id and payment, and the milliseconds since it was given."""

    id: str
    payment_id: str
    ms_ago: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredResponse(Response):
    """A stored response; `at` is milliseconds since 1970 UTC."""

    at: int


_NAMES: Final = tuple(field.name for field in fields(GivenResponse))


async def store(database: Database, given: Sequence[GivenResponse]) -> None:
    """Store responses in one transaction, each once however often it is tried.

    Raises DatabaseUnavailable, CommitUnknown.
    """
    listed = json.dumps([{name: getattr(one, name) for name in _NAMES} for one in given])
    await database.write_rows(_INSERT[database.dialect], given=listed)


async def of_payment(database: Database, payment_id: str) -> list[StoredResponse]:
    """Return the newest responses about a payment, the oldest of them first."""
    rows = await database.read(lambda tx: tx.all(_OF_PAYMENT, payment_id=payment_id, most=RESPONSES_AT_MOST))
    return [
        StoredResponse(**{**row._mapping, "client_left": bool(row.client_left)}) for row in reversed(rows)
    ]
