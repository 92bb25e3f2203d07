"""The list of all metrics, by subject."""

from typing import Final

from shared.metrics.catalogue.broker import BROKER
from shared.metrics.catalogue.database import DATABASE
from shared.metrics.catalogue.http import HTTP
from shared.metrics.catalogue.notifications import NOTIFICATIONS
from shared.metrics.catalogue.payments import PAYMENTS
from shared.metrics.catalogue.process import PROCESS
from shared.metrics.catalogue.terminals import TERMINALS
from shared.metrics.definition import Metric

SUBJECTS: Final[tuple[tuple[str, tuple[Metric, ...]], ...]] = (
    ("Payments", PAYMENTS),
    ("HTTP", HTTP),
    ("Terminals and workers", TERMINALS),
    ("Notifications", NOTIFICATIONS),
    ("RabbitMQ", BROKER),
    ("Database", DATABASE),
    ("Processes", PROCESS),
)
CATALOGUE: Final = tuple(metric for _, metrics in SUBJECTS for metric in metrics)
