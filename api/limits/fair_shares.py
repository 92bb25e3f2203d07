"""Shares of the API that one credential may use, so that a runaway POS leaves room for the others."""

from enum import Enum
from typing import Final

from api.http.login_errors import TooManyRequests
from api.http.middleware import add_headers
from api.limits.token_buckets import Rate, Taken, TokenBuckets
from api.payments.errors import TooManyOrders
from shared.runtime.clock import Clock
from shared.settings.settings import Settings
from shared.storage.terminals.merchants import Credential


class Share(Enum):
    """Calls that are counted together."""

    ORDERS = "orders"
    MANAGEMENT = "management"
    IMPORTS = "imports"
    ENDPOINT_TESTS = "endpoint tests"


class FairShares:
    """A counter of each credential's calls; the answer's headers show what is left."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self._clock: Final = clock
        rates = {
            Share.ORDERS: Rate(settings.order_requests_per_second, settings.order_requests_burst),
            Share.MANAGEMENT: Rate(
                settings.management_requests_per_second, settings.management_requests_burst
            ),
            Share.IMPORTS: Rate(settings.import_requests_per_second, settings.import_requests_burst),
            Share.ENDPOINT_TESTS: Rate(settings.endpoint_tests_per_second, settings.endpoint_tests_burst),
        }
        self._buckets: Final = {share: TokenBuckets(rate) for share, rate in rates.items()}

    def take(self, share: Share, credential: Credential) -> None:
        """Count one call. Raises TooManyRequests."""
        taken = self._take(share, credential)
        if taken.retry_after_seconds is not None:
            raise TooManyRequests(taken.retry_after_seconds)

    def take_order(self, credential: Credential) -> TooManyOrders | None:
        """Count one order; return its refusal, which stands only where the order has no earlier attempt."""
        taken = self._take(Share.ORDERS, credential)
        return None if taken.retry_after_seconds is None else TooManyOrders(taken.retry_after_seconds)

    def _take(self, share: Share, credential: Credential) -> Taken:
        taken = self._buckets[share].take(credential.id, self._clock.monotonic())
        add_headers(taken.headers)
        return taken
