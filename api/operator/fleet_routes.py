"""Routes of operators for what drives payments: terminals of all merchants, and workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Final

from fastapi import Query
from pydantic import Field

from api.http.dependencies import Dependencies, Wired, operator
from api.http.errors import InvalidQuery
from api.http.models import Omittable, ResponseBody, Time, known
from api.http.query import PAGE_DEFAULT, Limit, Text
from api.http.routing import api_router
from api.openapi.components import error_responses
from shared.runtime.clock import iso_time
from shared.storage.administration import fleet
from shared.storage.administration.fleet import TerminalState
from shared.storage.terminals.heartbeats import Heartbeats

router = api_router("/v1/operator", caller=operator, tag="operator")

#: Longer than a worker's heartbeat.
_LOOK_AGAIN_SECONDS: Final = 2.5


class OperatorsTerminal(ResponseBody):
    """A terminal of any merchant."""

    merchant_id: str
    id: str
    label: str
    shop: str
    terminal_address: str = Field(description="`address:port`.")
    disabled_at: Omittable[Time] = None
    held_by: Omittable[str] = Field(None, description="The payment or probe that has the terminal now.")
    held_since: Omittable[Time] = None
    worker: Omittable[str] = Field(None, description="The worker that runs it.")
    last_answer_at: Omittable[Time] = Field(None, description="The last complete answer.")
    last_probe: Omittable[str] = Field(None, description="The result of the last probe.")
    identify_first: bool = Field(
        description="It may still show an earlier amount: the next session begins with an identification."
    )
    rated: int = Field(description="The number of its newest ended payments that the rate is of, at most 50.")
    succeeded: int = Field(description="How many of these succeeded.")

    @classmethod
    def of(cls, state: TerminalState) -> "OperatorsTerminal":
        """Return the terminal as operators see it."""
        return cls(
            merchant_id=state.merchant_id,
            id=state.id,
            label=state.label,
            shop=state.shop,
            terminal_address=state.terminal_address,
            identify_first=state.identify_first,
            rated=state.rated,
            succeeded=state.succeeded,
            **known(
                disabled_at=iso_time(state.disabled_at),
                held_by=state.held_by,
                held_since=iso_time(state.acquired_at) if state.held_by else None,
                worker=state.worker if state.held_by else None,
                last_answer_at=iso_time(state.answered_at),
                last_probe=state.probed,
            ),
        )


class OperatorsTerminalPage(ResponseBody):
    """One page of terminals."""

    terminals: list[OperatorsTerminal]
    next: Omittable[str] = Field(None, description="The next page's `after`; left out on the last page.")


class Worker(ResponseBody):
    """A terminal worker that has not ended by itself."""

    id: str
    is_alive: bool = Field(description="Its heartbeat was seen within 2.5 seconds.")
    terminals: int = Field(description="The number of terminals that it has now.")
    longest_held_seconds: float = Field(description="The age of its oldest session or doubt.")


class Workers(ResponseBody):
    """All terminal workers."""

    workers: list[Worker]


@router.get(
    "/terminals",
    summary="List terminals of all merchants with their state",
    response_description="One page.",
    responses=error_responses(InvalidQuery("limit")),
)
async def list_all_terminals(
    dependencies: Wired,
    merchant: Annotated[Text, Query(description="Of this merchant only.")] = None,
    after: Annotated[Text, Query(description="The start of the page: an earlier page's `next`.")] = None,
    limit: Limit = PAGE_DEFAULT,
) -> OperatorsTerminalPage:
    """Return terminals by merchant and id: who has each since when, its last answer and probe, and how many
    of its newest payments succeeded."""
    place = None
    if after is not None:
        merchant_id, _, terminal_id = after.partition("/")
        place = (merchant_id, terminal_id)
    found, last = await fleet.terminals(dependencies.database, merchant_id=merchant, after=place, limit=limit)
    return OperatorsTerminalPage(
        terminals=[OperatorsTerminal.of(each) for each in found],
        **known(next=None if last is None else "/".join(last)),
    )


@router.get("/workers", summary="List terminal workers, and whether each lives")
async def list_workers(dependencies: Wired) -> Workers:
    """Return the workers after two looks at their heartbeats, 2.5 seconds apart."""
    async with _heartbeats(dependencies) as heartbeats:
        before = await heartbeats.counters()
        if before:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        after = await heartbeats.counters()
    held = await fleet.held_locks(dependencies.database)
    ids = sorted({*after, *(lock.worker for lock in held if lock.worker)})
    return Workers(
        workers=[
            Worker(
                id=worker,
                is_alive=worker in after and after[worker] != before.get(worker),
                terminals=sum(lock.worker == worker for lock in held),
                longest_held_seconds=max(
                    (lock.held_ms / 1000 for lock in held if lock.worker == worker), default=0
                ),
            )
            for worker in ids
        ]
    )


@asynccontextmanager
async def _heartbeats(dependencies: Dependencies) -> AsyncIterator[Heartbeats]:
    """Yield the workers' counters, which SQLite has in a file of their own."""
    if dependencies.database.dialect == "postgresql":
        yield Heartbeats(dependencies.database)
        return
    opened = await Heartbeats.open(dependencies.settings.database_url.get_secret_value())
    try:
        yield opened
    finally:
        await opened.close()
