"""Wiring of the API's dependencies around its connections, for the composition root and for tests."""

from typing import Protocol

from api.connector.readiness import Readiness
from api.http.dependencies import Dependencies
from api.http.logins.auth import Credentials, LastUses
from api.http.server.given_responses import GivenResponses
from api.investigation.exports import Exports
from api.limits.failed_logins import FailedLogins
from api.limits.fair_shares import FairShares
from api.operator.administration.issuer import Issuer
from api.payments.changes import PaymentChanges
from api.payments.service import Payments
from api.payments.waiters import Waiters
from api.terminals.lookup import Terminals
from api.terminals.probes import Probing
from api.terminals.service import Registry
from api.terminals.targets import Targets, TerminalAddressFinder
from api.webhooks.service import Webhooks
from shared.broker.interfaces import MessagePublisher, ProbePublisher, ReplyListener
from shared.broker.reply_publisher import ReplyPublisher
from shared.metrics.metrics import Metrics
from shared.network.dns import CachingResolver, Lookup
from shared.runtime.clock import Clock
from shared.runtime.ids import RandomBytes
from shared.runtime.resilience import Failpoint, no_failpoint
from shared.runtime.turns import LargeWork
from shared.security.encryption import SecretCipher
from shared.settings.settings import Settings
from shared.storage.db.engine import Database


class Sends(MessagePublisher, ProbePublisher, Protocol):
    """The publisher of an API process."""


def wire(
    *,
    database: Database,
    publisher: Sends,
    replies: ReplyListener,
    waiters: Waiters,
    readiness: Readiness,
    secret_key: bytes,
    clock: Clock,
    metrics: Metrics,
    settings: Settings,
    random_bytes: RandomBytes,
    lookup: Lookup,
    failpoint: Failpoint = no_failpoint,
) -> Dependencies:
    """Return the dependencies. The caller connects `waiters` to the replies, and runs them,
    `payments.admission`, `payments.stored_bytes`, `responses` and `last_uses`."""
    reply_publisher = ReplyPublisher(database, publisher, metrics, clock)
    names = CachingResolver(
        lookup,
        clock,
        limit_each=settings.name_lookup_limit_per_merchant,
        cache_seconds=settings.name_cache_seconds,
    )

    def finder(merchant_id: str) -> TerminalAddressFinder:
        return TerminalAddressFinder(names.lookup_for(merchant_id), settings.name_lookup_timeout_seconds)

    def file_finder(merchant_id: str) -> TerminalAddressFinder:
        """Return the finder for a file: its names wait for each other, within the file's time."""
        return TerminalAddressFinder(
            names.lookup_for(f"import {merchant_id}"), settings.import_timeout_seconds
        )

    shares, last_uses = FairShares(settings, clock), LastUses(database)
    terminals = Terminals(database, clock, settings.credential_cache_seconds)
    targets = Targets(finder, terminals, settings.pos_number)
    payments = Payments(
        database=database,
        publisher=publisher,
        replies=replies,
        reply_publisher=reply_publisher,
        waiters=waiters,
        finders=finder,
        terminals=terminals,
        clock=clock,
        metrics=metrics,
        settings=settings,
        random_bytes=random_bytes,
        failpoint=failpoint,
    )
    registry = Registry(
        database=database,
        targets=targets,
        file_targets=Targets(file_finder, terminals, settings.pos_number),
        terminals=terminals,
        settings=settings,
    )
    probing = Probing(
        database=database,
        registry=registry,
        targets=targets,
        publisher=publisher,
        replies=replies,
        waiters=waiters,
        clock=clock,
        settings=settings,
        random_bytes=random_bytes,
    )
    webhooks = Webhooks(
        database=database,
        cipher=SecretCipher(secret_key),
        clock=clock,
        random_bytes=random_bytes,
        settings=settings,
    )
    return Dependencies(
        credentials=Credentials(
            database,
            secret_key,
            clock,
            settings.credential_cache_seconds,
            shares=shares,
            failed_logins=FailedLogins(
                clock,
                limit_per_address=settings.failed_logins_per_address,
                limit_per_name=settings.failed_logins_per_name,
                longest_pause_seconds=settings.failed_login_pause_seconds,
                exempt=settings.trusted_proxies,
            ),
            last_uses=last_uses,
        ),
        shares=shares,
        payments=payments,
        readiness=readiness,
        settings=settings,
        registry=registry,
        probing=probing,
        database=database,
        terminals=terminals,
        changes=PaymentChanges(reply_publisher, metrics),
        large_work=LargeWork(),
        webhooks=webhooks,
        metrics=metrics,
        responses=GivenResponses(database, clock, random_bytes),
        exports=Exports(database),
        issuer=Issuer(secret_key, clock, random_bytes),
        last_uses=last_uses,
    )
