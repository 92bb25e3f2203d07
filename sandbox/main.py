"""Composition root of the sandbox's systems: one process, a port each, one trace."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from sandbox.flow.app import make_app as make_flow
from sandbox.flow.story import Batch
from sandbox.gateway import acquirer, issuer, nepting, preludd
from sandbox.hipay.app import make_app as make_hipay
from sandbox.hipay.settings import EvidenceTarget, Merchant, OrderSource
from sandbox.merchant.app import make_app as make_merchant
from sandbox.pages.app import go_by
from sandbox.pages.render import NavLink
from sandbox.register.app import make_app as make_register
from sandbox.register.cash_register import CashRegister
from sandbox.run.cloud_api import CloudApi
from sandbox.run.places import Places, screen_of
from sandbox.run.shop import Shop
from sandbox.terminal.device.device import Device
from sandbox.terminal.gateway.collection import Schedule
from sandbox.terminal.gateway.link import HttpGateway
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.server.server import VirtualTerminal
from sandbox.terminal.web.app import make_terminal_app
from sandbox.tracing.trace import Trace
from shared.concert.echoes import find_reference
from shared.runtime.clock import SystemClock
from shared.runtime.ids import RandomBytes
from shared.runtime.serving import serving
from shared.settings.settings import SettingsError

#: Marks the sandbox's own terminals at the API; others are never changed.
_LABEL: Final = "Sandbox terminal"
#: Longer than the chain behind the gateway may take.
_HTTP_TIMEOUT_SECONDS: Final = 30.0
#: Open streams end with the trace; other requests may finish.
_DRAIN_SECONDS: Final = 2.0
#: Kept alive and open at the same time: more than the sandbox's systems ever are with each other.
_CONNECTIONS: Final = 200
#: Shorter than the servers keep an idle connection (5 s), so that no request is sent on one that they close.
_IDLE_CONNECTION_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalSetup:
    """Settings of the terminals at their start; their screens and control APIs change them."""

    delay_seconds: float = 3.0
    by_hand: bool = False
    collects: Schedule = field(default_factory=Schedule)


@asynccontextmanager
async def running_sandbox(
    places: Places,
    shop: Shop,
    api_url: str,
    setup: TerminalSetup,
    *,
    shown_host: str | None = None,
    shown_api_url: str | None = None,
    random_bytes: RandomBytes = os.urandom,
    trace: Trace | None = None,
) -> AsyncIterator[Sequence[VirtualTerminal]]:
    """Serve all systems and register them with the API at `api_url`, which may still be starting.

    shown_host: the terminal's host as printed; None: the one on which it listens.
    shown_api_url: the API's URL for browsers; None: `api_url`.
    trace: records the systems' messages; None: a new one.
    Raises SettingsError where the terminal's port is taken, ApiAnswered where the API refuses a request.
    """
    clock = SystemClock()
    trace = trace or Trace(clock)
    navigation = places.navigation(shown_api_url or api_url)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(
            httpx.AsyncClient(
                trust_env=False,
                timeout=_HTTP_TIMEOUT_SECONDS,
                limits=httpx.Limits(max_connections=_CONNECTIONS, keepalive_expiry=_IDLE_CONNECTION_SECONDS),
            )
        )
        api = CloudApi(http, api_url, shop.username, shop.password, shown_url=shown_api_url)
        terminals = [
            VirtualTerminal(
                places.host,
                port,
                device=Device(serial=f"CT-{number:06d}"),
                behaviour=Behaviour(delay_seconds=setup.delay_seconds, amount_decides=True),
                by_hand=setup.by_hand,
                gateway=HttpGateway(http, places.url("preludd")),
                record=trace.record,
                schedule=setup.collects,
            )
            for number, port in enumerate(places.terminal_ports, start=1)
        ]
        for terminal in terminals:
            terminal.shown_host = shown_host
        register = CashRegister(api, clock, trace, random_bytes)
        apps: dict[str, FastAPI] = {
            "issuer": issuer.make_app(clock=clock, trace=trace, random_bytes=random_bytes),
            "acquirer": acquirer.make_app(
                issuer_url=places.url("issuer"), http=http, clock=clock, trace=trace
            ),
            "nepting": nepting.make_app(
                acquirer_url=places.url("acquirer"), http=http, clock=clock, trace=trace
            ),
            "preludd": preludd.make_app(
                nepting_url=places.url("nepting"),
                acquirer_url=places.url("acquirer"),
                hipay_url=places.url("console"),
                http=http,
                clock=clock,
                trace=trace,
                random_bytes=random_bytes,
            ),
            "console": make_hipay(
                orders_from=OrderSource(
                    username=shop.hipay_username,
                    password=shop.hipay_password,
                    secret=shop.hipay_signing_secret,
                ),
                merchant=Merchant(
                    notify_url=f"{places.url('merchant')}/hipay/notifications", passphrase=shop.passphrase
                ),
                evidence_target=EvidenceTarget(
                    api_url=api_url, username=shop.gateway_username, password=shop.gateway_password
                ),
                http=http,
                clock=clock,
                trace=trace,
                navigation=navigation,
            ),
            "merchant": make_merchant(
                passphrase=shop.passphrase, clock=clock, trace=trace, navigation=navigation
            ),
            **_screens(terminals, places, navigation),
            "register": make_register(register, flow_url=places.url("flow"), navigation=navigation),
            "flow": make_flow(api=api, trace=trace, batch_of=batches_of(terminals), navigation=navigation),
        }
        introduced = asyncio.Event()

        async def readyz() -> JSONResponse:
            """Answer 200 once API and shop know each other, 503 before."""
            return JSONResponse({"ready": introduced.is_set()}, 200 if introduced.is_set() else 503)

        apps["screen"].get("/readyz", include_in_schema=False)(readyz)
        for system, app in apps.items():
            go_by(app, (places.host, places.called, shown_host or places.host))
            await stack.enter_async_context(
                serving(app, places.sockets[system], drain_seconds=_DRAIN_SECONDS, lifespan="on")
            )
        for terminal in terminals:
            try:
                await stack.enter_async_context(terminal)
            except OSError as error:
                raise SettingsError(
                    f"The terminal cannot listen on {terminal.address}: {error.strerror}. "
                    "Set --terminal-port to another one (0: free)."
                ) from error
            # Before the servers drain: open streams would hold them up.
            stack.callback(terminal.changes.close)
        stack.callback(register.changes.close)
        stack.callback(trace.close)
        await api.wait_ready()
        await _introduce(api, http, places, terminals)
        introduced.set()
        yield terminals


def terminal_id(place: int) -> str:
    """Return a terminal's id at our API; `place` counts from 0."""
    return f"counter-{place + 1}"


def _screens(
    terminals: Sequence[VirtualTerminal], places: Places, navigation: Sequence[NavLink]
) -> dict[str, FastAPI]:
    """Return the application of each terminal; each page leads to the others."""
    links = [
        NavLink(terminal_id(place), f"{places.url(screen_of(place))}/") for place in range(len(terminals))
    ]
    return {
        screen_of(place): make_terminal_app(
            terminal, navigation=navigation, name=terminal_id(place), terminals=links
        )
        for place, terminal in enumerate(terminals)
    }


def batches_of(terminals: Sequence[VirtualTerminal]) -> Callable[[str], Batch | None]:
    """Return a function from a payment's id to the collection in which a terminal sent it."""

    def batch_of(payment_id: str) -> Batch | None:
        for terminal in terminals:
            for one in terminal.memory.journal:
                if one.batch is not None and find_reference(one.reference or "") == payment_id:
                    return Batch(terminal.device.serial, one.batch)
        return None

    return batch_of


async def _introduce(
    api: CloudApi, http: httpx.AsyncClient, places: Places, terminals: Sequence[VirtualTerminal]
) -> None:
    """Register terminals and webhooks with the API, and the webhooks' secret with the merchant's server."""
    # Earlier starts may have had more.
    await api.remove_terminals(_LABEL, keep={terminal_id(place) for place in range(len(terminals))})
    for place, terminal in enumerate(terminals):
        await api.register_terminal(
            terminal_id(place),
            host=places.called,
            port=terminal.port,
            protocol="ConcertV3.2",
            label=_LABEL,
            shop=terminal.device.merchant_name,
        )
    webhooks_url = f"{places.called_url('merchant')}/webhooks"
    await api.disable_other_webhooks(webhooks_url)
    secret = await api.register_webhooks(webhooks_url)
    (await http.post(f"{places.url('merchant')}/secrets", json={"secret": secret})).raise_for_status()
