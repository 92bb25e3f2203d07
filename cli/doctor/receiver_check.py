"""Checks of receivers: HiPay's and merchants' webhook endpoints take a connection, and prove their names.

They are reached as a notifier worker reaches them, and nothing is sent.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from cli.doctor.finding import Finding, Findings, Level
from notifier_worker.http.client import HttpClient
from notifier_worker.http.errors import CertificateInvalid, NoConnection, PostFailed
from shared.network.dns import SystemResolver
from shared.network.targets import AddressPolicy, TargetRefused
from shared.storage.db.engine import DatabaseUnavailable
from shared.storage.db.opening import open_database
from shared.storage.webhooks import endpoints

if TYPE_CHECKING:
    from shared.settings.settings import Settings

HIPAY: Final = "HiPay"
WEBHOOKS: Final = "webhooks"

_REACH_SECONDS: Final = 10.0
#: Endpoints that are looked at, the oldest first, and so many at once.
_ENDPOINTS_AT_MOST: Final = 200
_AT_ONCE: Final = 20


async def check_hipay(settings: "Settings") -> Findings:
    """Yield whether HiPay's receiver of order notifications can be reached over TLS."""
    if settings.hipay_url is None:
        return
    async with _client(settings, settings.hipay_policy()) as client:
        problem = await _problem(client, settings.hipay_url)
    if problem is None:
        yield Finding(HIPAY, Level.OK, f"{_place(settings.hipay_url)} takes connections.")
    else:
        yield Finding(HIPAY, Level.PROBLEM, f"{_place(settings.hipay_url)}: {problem[0]}", problem[1])


async def check_webhooks(settings: "Settings") -> Findings:
    """Yield the enabled webhook endpoints that cannot be reached over TLS; the database was found well."""
    database = open_database(
        settings.database_url.get_secret_value(),
        pool_size=1,
        pooler=settings.database_pooler,
        ca_file=settings.database_ca_file,
    )
    try:
        found = await endpoints.enabled(database, most=_ENDPOINTS_AT_MOST)
    except DatabaseUnavailable:
        return
    finally:
        await database.close()
    if not found:
        return
    slots = asyncio.Semaphore(_AT_ONCE)
    async with _client(settings, settings.webhook_policy()) as client:

        async def look(url: str) -> tuple[str, str] | None:
            async with slots:
                return await _problem(client, url)

        problems = await asyncio.gather(*(look(one.url) for one in found))
    failed = [(one, problem) for one, problem in zip(found, problems, strict=True) if problem is not None]
    for one, (fact, fix) in failed:
        yield Finding(
            WEBHOOKS, Level.WARNING, f"{one.id} of {one.merchant_id}, {_place(one.url)}: {fact}", fix
        )
    reached = len(found) - len(failed)
    yield Finding(WEBHOOKS, Level.OK, f"{reached} of {len(found)} enabled endpoints take connections.")


def _place(url: str) -> str:
    """Return scheme, host and port: a path may hold a secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


async def _problem(client: HttpClient, url: str) -> tuple[str, str] | None:
    """Return why a receiver cannot be reached, and what to do; None: it can."""
    try:
        await client.reach(url, _REACH_SECONDS)
    except TargetRefused as error:
        return error.text, "Correct the URL, or name its network in the settings (CLOUD_TERMINAL_NOTIFY_...)."
    except CertificateInvalid as error:
        return error.text, "Its owner has to renew the certificate, for the URL's very name."
    except NoConnection as error:
        is_name = error.reason == "name_unresolved"
        return error.text, "Correct the name, or the DNS." if is_name else "Open the route from this machine."
    except PostFailed as error:
        return error.text, "Look for a firewall between, from this machine on."
    return None


@asynccontextmanager
async def _client(settings: "Settings", policy: AddressPolicy) -> AsyncIterator[HttpClient]:
    resolver = SystemResolver(_AT_ONCE)
    try:
        yield HttpClient(policy, resolver, connect_timeout_seconds=settings.notify_connect_timeout_seconds)
    finally:
        resolver.close()
