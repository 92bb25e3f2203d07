"""HiPay's platform as an application: receivers, Console, JSON."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from sandbox.hipay.console import console_pages, console_routes
from sandbox.hipay.platform import Platform
from sandbox.hipay.receiving import receiving_routes
from sandbox.hipay.resources import resource_routes
from sandbox.hipay.settings import EvidenceTarget, Merchant, OrderSource
from sandbox.outbox.outbox import RETRY_SECONDS
from sandbox.pages.app import new_app
from sandbox.pages.problems import show_problems
from sandbox.pages.render import NavLink
from sandbox.tracing.trace import Trace, trace_routes
from shared.runtime.clock import Clock


def make_app(
    *,
    orders_from: OrderSource,
    merchant: Merchant,
    evidence_target: EvidenceTarget | None,
    http: httpx.AsyncClient,
    clock: Clock,
    trace: Trace,
    navigation: Sequence[NavLink] = (),
    retry_seconds: Sequence[float] = RETRY_SECONDS,
) -> FastAPI:
    """Return HiPay's application; its lifespan cancels unfinished deliveries at the end.

    evidence_target: the API that gets gateway evidence; None: no API does.
    retry_seconds: pause before each retry of a notification or report; the last one repeats.
    """
    platform = Platform(
        merchant=merchant,
        evidence_target=evidence_target,
        http=http,
        clock=clock,
        trace=trace,
        retry_seconds=retry_seconds,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with platform.notifications, platform.evidence:
            yield

    app, pages = new_app("HiPay", lifespan=lifespan), console_pages(navigation, trace)
    show_problems(app, pages)
    app.include_router(receiving_routes(platform, orders_from))
    app.include_router(resource_routes(platform))
    app.include_router(console_routes(platform, pages))
    app.include_router(trace_routes(trace))
    return app
