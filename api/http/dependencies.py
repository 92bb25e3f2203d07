"""The objects that the routes are wired with, as one dependency of FastAPI."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.connector.readiness import Readiness
from api.http.auth import Credentials
from api.limits.fair_shares import FairShares
from api.payments.changes import PaymentChanges
from api.payments.service import Payments
from api.terminals.lookup import Terminals
from api.terminals.probes import Probing
from api.terminals.service import Registry
from api.webhooks.service import Webhooks
from shared.runtime.large_work import LargeWork
from shared.settings.settings import Settings
from shared.storage.db.engine import Database


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Made by the composition root, kept in the application's state."""

    credentials: Credentials
    shares: FairShares
    payments: Payments
    readiness: Readiness
    settings: Settings
    registry: Registry
    probing: Probing
    database: Database
    terminals: Terminals
    changes: PaymentChanges
    large_work: LargeWork
    webhooks: Webhooks


async def _dependencies(request: Request) -> Dependencies:
    found: Dependencies = request.app.state.dependencies
    return found


#: A route's parameter: `dependencies: Wired`.
Wired = Annotated[Dependencies, Depends(_dependencies)]
