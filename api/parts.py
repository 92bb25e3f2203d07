"""What the routes are wired with."""

from dataclasses import dataclass

from api.credentials import Credentials
from api.fair_shares import FairShares
from api.large_work import LargeWork
from api.news import News
from api.paying import Payments
from api.probing import Probing
from api.readiness import Readiness
from api.registering import Registry
from api.terminals import Terminals
from api.webhooks import Webhooks
from shared.settings.settings import Settings
from shared.storage.engine import Database


@dataclass(frozen=True, slots=True)
class Parts:
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
    news: News
    large_work: LargeWork
    webhooks: Webhooks
