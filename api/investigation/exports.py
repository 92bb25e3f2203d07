"""Exports of payments as CSV or JSON lines, streamed page by page."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any, Final

from fastapi import Depends, Query
from fastapi.responses import Response, StreamingResponse

from api.http.csv_text import MEDIA_TYPE, csv_lines
from api.http.json_text import write_json
from api.http.login_errors import TooManyRequests
from api.http.models import Choice, Omittable
from api.http.query import Text, TimeParameter
from shared.payment.payment import Operation
from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.investigation.export import COLUMNS, ExportFilter, exported, pages

#: Exports of a process that run at once; each has a connection of the pool while it reads a page.
EXPORTS_AT_ONCE: Final = 2
_RETRY_SECONDS: Final = 30


class Format(StrEnum):
    """The form of an export."""

    CSV = "csv"
    JSON_LINES = "jsonl"


FormatParameter = Annotated[
    Choice[Format], Query(alias="format", description="CSV, or one JSON object a line.")
]


async def _filter(
    terminal_address: Annotated[Text, Query(description="On this `address:port` only.")] = None,
    state: Annotated[Omittable[Choice[State]], Query(description="In this state only.")] = None,
    operation: Annotated[Omittable[Choice[Operation]], Query(description="Of this operation only.")] = None,
    created_from: Annotated[TimeParameter, Query(description="Accepted at this time or later.")] = None,
    created_to: Annotated[TimeParameter, Query(description="Accepted before this time.")] = None,
) -> ExportFilter:
    return ExportFilter(
        terminal_address=terminal_address,
        state=state,
        operation=operation,
        created_from=created_from,
        created_before=created_to,
    )


#: The parameters of an export, of any merchant.
Exported = Annotated[ExportFilter, Depends(_filter)]

RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The payments, the oldest first. An answer that is cut off is not whole.",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    }
}


class Exports:
    """The exports of this process that run; a credential has one at a time."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database
        self._running: Final[set[str]] = set()

    def answer(self, credential_id: str, wanted: ExportFilter, format_: Format) -> Response:
        """Return the streamed answer. Raises TooManyRequests."""
        if credential_id in self._running or len(self._running) >= EXPORTS_AT_ONCE:
            raise TooManyRequests(_RETRY_SECONDS)
        write = _csv if format_ is Format.CSV else _json_lines
        media_type = MEDIA_TYPE if format_ is Format.CSV else "application/x-ndjson"
        return StreamingResponse(
            self._parts(credential_id, write(self._database, wanted)), media_type=media_type
        )

    async def _parts(self, credential_id: str, parts: AsyncIterator[str]) -> AsyncIterator[str]:
        with self._counted(credential_id):
            async for part in parts:
                yield part

    @contextmanager
    def _counted(self, credential_id: str) -> Iterator[None]:
        self._running.add(credential_id)
        try:
            yield
        finally:
            self._running.discard(credential_id)


async def _csv(database: Database, wanted: ExportFilter) -> AsyncIterator[str]:
    yield csv_lines([COLUMNS])
    async for page in pages(database, wanted):
        yield csv_lines([[*exported(payment).values()] for payment in page])


async def _json_lines(database: Database, wanted: ExportFilter) -> AsyncIterator[str]:
    async for page in pages(database, wanted):
        yield "".join(f"{write_json(_known(exported(payment)))}\n" for payment in page)


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
