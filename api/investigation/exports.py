"""Exports of payments as CSV or JSON lines, streamed page by page."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final

import structlog
from fastapi import Depends, Query
from fastapi.responses import Response, StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from api.http.csv_text import MEDIA_TYPE, csv_lines
from api.http.json_text import write_json
from api.http.logins.errors import TooManyRequests
from api.http.models import Choice, Omittable
from api.http.query import Text, TimeParameter
from shared.payment.payment import Operation, Payment
from shared.payment.states import State
from shared.storage.db.engine import Database
from shared.storage.investigation.export import COLUMNS, ExportFilter, exported, pages

_log = structlog.get_logger()

#: Exports of a process that run at once; most of the time they wait for their clients.
EXPORTS_AT_ONCE: Final = 8
#: Of these, those that read a page, each with a connection of the pool.
_READING_AT_ONCE: Final = 2
#: The time in which a client takes a page.
STALLED_SECONDS: Final = 60.0
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
    """The exports of this process that run; a merchant, and an operator, has one at a time."""

    def __init__(self, database: Database) -> None:
        self._database: Final = database
        self._running: Final[set[str]] = set()
        self._reading: Final = asyncio.Semaphore(_READING_AT_ONCE)

    def answer(self, owner: str, wanted: ExportFilter, format_: Format) -> Response:
        """Return the streamed answer to a merchant or an operator, by id. Raises TooManyRequests."""
        if owner in self._running or len(self._running) >= EXPORTS_AT_ONCE:
            raise TooManyRequests(_RETRY_SECONDS)
        # In the same step as the look: many requests may have waited for one log-in.
        self._running.add(owner)
        write = _csv if format_ is Format.CSV else _json_lines
        media_type = MEDIA_TYPE if format_ is Format.CSV else "application/x-ndjson"
        return _Export(write(self._pages(wanted)), media_type, partial(self._running.discard, owner))

    async def _pages(self, wanted: ExportFilter) -> AsyncIterator[list[Payment]]:
        found = pages(self._database, wanted)
        while True:
            async with self._reading:
                page = await anext(found, None)
            if page is None:
                return
            yield page


class _Export(StreamingResponse):
    """A streamed export, which ends where its client stops reading: others wait for its place."""

    def __init__(self, parts: AsyncIterator[str], media_type: str, ended: Callable[[], None]) -> None:
        super().__init__(parts, media_type=media_type)
        self._ended: Final = ended

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() as place:
            place.callback(self._ended)

            async def send_in_time(message: Message) -> None:
                if message["type"] == "http.response.body" and not message["more_body"]:
                    # Before the client sees the end: it may ask for its next export at once.
                    place.close()
                async with asyncio.timeout(STALLED_SECONDS):
                    await send(message)

            try:
                await super().__call__(scope, receive, send_in_time)
            except TimeoutError:
                _log.warning("export cut off: its client stopped reading")


async def _csv(found: AsyncIterator[list[Payment]]) -> AsyncIterator[str]:
    yield csv_lines([COLUMNS])
    async for page in found:
        yield csv_lines([[*exported(payment).values()] for payment in page])


async def _json_lines(found: AsyncIterator[list[Payment]]) -> AsyncIterator[str]:
    async for page in found:
        yield "".join(f"{write_json(_known(exported(payment)))}\n" for payment in page)


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
