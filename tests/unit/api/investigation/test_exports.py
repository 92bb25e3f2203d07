"""Places of exports: one of a merchant, few of a process, none for a client that does not read."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.http.logins.errors import TooManyRequests
from api.investigation import exports
from api.investigation.exports import Exports, Format
from shared.payment.payment import Payment
from shared.storage.investigation.export import ExportFilter

HTTP = {"type": "http", "asgi": {"spec_version": "2.3"}}


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Exports:
    async def pages(*_: Any) -> AsyncIterator[list[Payment]]:
        yield []

    monkeypatch.setattr(exports, "pages", pages)
    database: Any = None
    return Exports(database)


async def receive() -> dict[str, Any]:
    await asyncio.Event().wait()
    raise AssertionError("it waits for ever")


def test_of_requests_that_come_together_a_merchant_has_one_export(places: Exports) -> None:
    """A hundred that waited for the same log-in, or with several, would keep everybody else's away."""
    places.answer("mer_0", ExportFilter(), Format.CSV)
    with pytest.raises(TooManyRequests):
        places.answer("mer_0", ExportFilter(), Format.CSV)
    for number in range(1, exports.EXPORTS_AT_ONCE):
        places.answer(f"mer_{number}", ExportFilter(), Format.CSV)
    with pytest.raises(TooManyRequests):
        places.answer("mer_8", ExportFilter(), Format.CSV)


async def test_an_export_that_ended_leaves_its_place(places: Exports) -> None:
    """Also one whose client left."""

    async def send(_: Any) -> None: ...

    async def refuse(_: Any) -> None:
        raise OSError("the client left")

    await places.answer("mer_1", ExportFilter(), Format.CSV)(HTTP, receive, send)
    with pytest.raises(OSError, match="left"):
        await places.answer("mer_1", ExportFilter(), Format.CSV)(HTTP, receive, refuse)

    places.answer("mer_1", ExportFilter(), Format.CSV)


async def test_the_end_of_an_export_comes_when_the_next_one_may_begin(places: Exports) -> None:
    """A client that reads one export after the other was refused for half a minute."""
    begun = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and not message["more_body"]:
            begun.append(places.answer("mer_1", ExportFilter(), Format.JSON_LINES))

    await places.answer("mer_1", ExportFilter(), Format.CSV)(HTTP, receive, send)

    assert len(begun) == 1
    with pytest.raises(TooManyRequests):
        places.answer("mer_1", ExportFilter(), Format.CSV)


async def test_a_client_that_stops_reading_leaves_its_place_to_others(
    places: Exports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A paused pager of two merchants would keep everybody's exports away, for as long as it is paused."""
    monkeypatch.setattr(exports, "STALLED_SECONDS", 0.01)

    async def send(_: Any) -> None:
        await asyncio.Event().wait()

    async with asyncio.timeout(30):
        await places.answer("mer_1", ExportFilter(), Format.CSV)(HTTP, receive, send)

    places.answer("mer_1", ExportFilter(), Format.CSV)
