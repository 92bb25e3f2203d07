"""What the routes are wired with."""

from dataclasses import dataclass

from api.credentials import Credentials
from api.paying import Payments
from api.readiness import Readiness
from shared.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class Parts:
    """Made by the composition root, kept in the application's state."""

    credentials: Credentials
    payments: Payments
    readiness: Readiness
    settings: Settings
