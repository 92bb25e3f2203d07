"""The API's application in this process, on the settings' database, for whoever may read its secrets.

It has no broker: what it stores is found by the sweeps of the workers, and by the polls of the API processes.
"""

import os
import pwd
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from starlette.types import ASGIApp

from api.app import make_app
from api.connector.readiness import Readiness, database_check
from api.http.logins.errors import WrongCredentialKind
from api.limits.fair_shares import Share
from api.payments.waiters import Waiters
from api.wiring import wire
from cli.installation.db import opened_or_made_database
from shared.broker.errors import NotAccepted
from shared.broker.interfaces import OnReply
from shared.broker.messages import PaymentMessage, ProbeMessage, ReplyMessage
from shared.metrics.metrics import Metrics
from shared.network.dns import SystemResolver
from shared.runtime.clock import SystemClock
from shared.security.credentials import CredentialKind, Role
from shared.security.secret_key import load_secret_key
from shared.settings.settings import Settings
from shared.storage.db.opening import opened_database
from shared.storage.terminals.merchants import Credential, acting_for

PROCESS: Final = "cli"


class UnknownMerchant(Exception):
    """Raised for a merchant id that the database does not have."""


class _NoBroker:
    """Publisher and reply queue that take nothing."""

    name = ""

    async def start(self, on_reply: OnReply) -> None: ...

    async def ready(self) -> str | None:
        return "no broker"

    async def publish_payment(self, message: PaymentMessage, *, traceparent: str | None = None) -> None:
        raise NotAccepted(f"{message.payment_id}, {traceparent}: no broker")

    async def publish_probe(self, message: ProbeMessage, *, traceparent: str | None = None) -> None:
        raise NotAccepted(f"{message.probe_id}, {traceparent}: no broker")

    async def reply(self, reply_to: str, message: ReplyMessage) -> None:
        raise NotAccepted(f"{reply_to}, {message.payment_id}: no broker")


class MachineCredentials:
    """Credentials of whoever runs the command on this machine, without a secret: an administrator's, and a
    merchant's where one is named."""

    def __init__(self, operator: Credential, merchant: Credential | None) -> None:
        self._given: Final = {CredentialKind.OPERATOR: operator, CredentialKind.PRIVATE: merchant}

    async def of_kind(
        self, authorization: str | None, kind: CredentialKind, share: Share | None
    ) -> Credential:
        """Return the credential of this kind. Raises WrongCredentialKind."""
        del authorization, share
        found = self._given.get(kind)
        if found is None:
            raise WrongCredentialKind
        return found


def machine_user() -> str:
    """Return who the audit trail names: `USER@HOST`."""
    user = os.getuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        # A container may run as a user without a name. Variables of the environment could say anything.
        name = str(user)
    return f"{name}@{socket.gethostname()}"


@asynccontextmanager
async def machine_app(
    settings: Settings, merchant_id: str | None, makes_database: bool
) -> AsyncIterator[ASGIApp]:
    """Yield the application. Raises UnknownMerchant, DatabaseUnavailable, SchemaTooOld, SettingsError."""
    clock, metrics = SystemClock(), Metrics(PROCESS)
    lookup = SystemResolver(settings.name_lookup_limit)
    try:
        opened = opened_or_made_database if makes_database else opened_database
        async with opened(settings) as database:
            merchant = None
            if merchant_id is not None:
                merchant = await acting_for(database, merchant_id, machine_user())
                if merchant is None:
                    raise UnknownMerchant(merchant_id)
            no_broker = _NoBroker()
            dependencies = wire(
                database=database,
                publisher=no_broker,
                replies=no_broker,
                waiters=Waiters(database, clock, metrics, settings),
                readiness=Readiness({"database": database_check(database)}, clock),
                secret_key=load_secret_key(settings, os.urandom),
                clock=clock,
                metrics=metrics,
                settings=settings,
                random_bytes=os.urandom,
                lookup=lookup,
            )
            operator = Credential(
                machine_user(), CredentialKind.OPERATOR, None, "", (), label="on the machine", role=Role.ADMIN
            )
            yield make_app(replace(dependencies, credentials=MachineCredentials(operator, merchant)))
    finally:
        lookup.close()
