"""Routes of operators for what drives payments: terminals of all merchants, and workers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import structlog
from fastapi import Path, Query
from pydantic import Field

from api.http.dependencies import Dependencies, Operator, Wired, administrator, operator
from api.http.errors import InvalidQuery, NotFound
from api.http.models import Omittable, RequestBody, ResponseBody, Time, known
from api.http.query import PAGE_DEFAULT, Limit, Text
from api.http.routing import api_router
from api.openapi.components import BODY_ERRORS, error_responses
from api.operator.acting import Reason, actor_of
from shared.runtime.clock import iso_time
from shared.storage.administration import fleet
from shared.storage.administration.fleet import TerminalState
from shared.storage.terminals import drains
from shared.storage.terminals.heartbeats import Heartbeats, RunningWorker

router = api_router("/v1/operator", caller=operator, tag="operator")
administration = api_router("/v1/operator", caller=administrator, tag="operator")

_log = structlog.get_logger()

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
    host: Omittable[str] = Field(None, description="The name of its machine or container.")
    version: Omittable[str] = Field(None, description="Its release.")
    is_alive: bool = Field(description="Its heartbeat was seen within 2.5 seconds.")
    terminals: int = Field(description="The number of terminals that it has now.")
    longest_held_seconds: float = Field(description="The age of its oldest session or doubt.")
    drains: bool = Field(description="An operator has asked it to end: it takes nothing new.")


class Drain(RequestBody):
    """A request that a worker ends."""

    reason: Reason = Field(description="Why; for the audit trail.", examples=["Its machine is replaced."])


class AskedToDrain(ResponseBody):
    """A worker that was asked to end."""

    id: str
    is_new: bool = Field(description="It was not asked before.")


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
    async with opened_heartbeats(dependencies) as heartbeats:
        before = await heartbeats.counters()
        if before:
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        after = await heartbeats.workers()
    held = await fleet.held_locks(dependencies.database)
    drained = await drains.asked_workers(dependencies.database)
    ids = sorted({*after, *(lock.worker for lock in held if lock.worker)})
    return Workers(
        workers=[
            Worker(
                id=worker,
                is_alive=worker in after and after[worker].counter != before.get(worker),
                terminals=sum(lock.worker == worker for lock in held),
                longest_held_seconds=max(
                    (lock.held_ms / 1000 for lock in held if lock.worker == worker), default=0
                ),
                drains=worker in drained,
                **_place(after.get(worker)),
            )
            for worker in ids
        ]
    )


@administration.post(
    "/workers/{worker_id}/drain",
    status_code=202,
    summary="Ask a terminal worker to end",
    response_description="It was asked.",
    responses=error_responses(*BODY_ERRORS, NotFound()),
)
async def drain_worker(
    dependencies: Wired,
    operator: Operator,
    worker_id: Annotated[str, Path(description="The worker's id, as the list shows it.")],
    drain: Drain,
) -> AskedToDrain:
    """Let a worker take nothing new, finish its sessions and end, as at SIGTERM. It looks for this every
    2 seconds."""
    async with opened_heartbeats(dependencies) as heartbeats:
        if await heartbeats.counter(worker_id) is None:
            raise NotFound("There is no terminal worker of this id.")
    is_new = await drains.ask(dependencies.database, worker_id, actor_of(operator, drain.reason))
    if is_new:
        _log.warning("worker asked to drain by an operator", worker_id=worker_id, by=operator.id)
    return AskedToDrain(id=worker_id, is_new=is_new)


def _place(worker: RunningWorker | None) -> dict[str, Any]:
    return {} if worker is None else known(host=worker.host, version=worker.version)


@asynccontextmanager
async def opened_heartbeats(dependencies: Dependencies) -> AsyncIterator[Heartbeats]:
    """Yield the workers' counters, which SQLite has in a file of their own."""
    if dependencies.database.dialect == "postgresql":
        yield Heartbeats(dependencies.database)
        return
    opened = await Heartbeats.open(dependencies.settings.database_url.get_secret_value())
    try:
        yield opened
    finally:
        await opened.close()
