"""HiPay's platform as one application: the ways in, the Console, and JSON beside it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpx
from fastapi import FastAPI

from sandbox.hipay.console import console_routes
from sandbox.hipay.platform import Platform
from sandbox.hipay.receiving import receiving_routes
from sandbox.hipay.resources import resource_routes
from sandbox.hipay.settings import EvidenceTarget, Merchant, OrderSource
from sandbox.outbox.outbox import RETRY_SECONDS
from sandbox.pages.app import new_app
from sandbox.pages.render import NavLink
from sandbox.tracing.stream import trace_routes
from sandbox.tracing.trace import Trace
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
    """Return HiPay's application, to be served with its lifespan, which ends what is being sent.

    evidence_target: None where there is no cloud API to tell.
    retry_seconds: before each retry of a notification or report; the last one repeats.
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

    app = new_app("HiPay", lifespan=lifespan)
    app.include_router(receiving_routes(platform, orders_from))
    app.include_router(resource_routes(platform))
    app.include_router(console_routes(platform, navigation, trace))
    app.include_router(trace_routes(trace))
    return app
