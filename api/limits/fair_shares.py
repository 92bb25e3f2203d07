"""Shares of the API that one credential may use, so that a runaway POS leaves room for the others.

Each process counts by itself, in token buckets. A bucket holds `burst` tokens at most and is filled by
`per_second`; each call takes one. It is kept as one number, the moment at which it will be full again.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Final

from api.http.logins.errors import TooManyRequests
from api.http.server.middleware import add_headers
from api.payments.errors import TooManyOrders
from shared.runtime.clock import Clock
from shared.settings.settings import Settings
from shared.storage.terminals.merchants import Credential

#: The bucket that was used longest ago is forgotten, which fills it: it is most likely full.
_BUCKETS_AT_MOST: Final = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """Calls that may come in the long run, and at once."""

    per_second: float
    burst: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Result of taking a token."""

    limit: int
    remaining: int
    #: Until the bucket is full again.
    reset_seconds: int
    #: Until there is a token again; None: one was taken.
    retry_after_seconds: int | None

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every answer of a limited route."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_seconds),
        }


class TokenBuckets:
    """A bucket of the same rate for each key."""

    def __init__(self, rate: Rate, *, most: int = _BUCKETS_AT_MOST) -> None:
        self._rate: Final = rate
        self._most: Final = most
        self._full_at: Final[OrderedDict[str, float]] = OrderedDict()

    def take(self, key: str, now: float) -> Taken:
        """Take a token of this key's bucket if there is one. `now`: seconds of a monotonic clock."""
        rate = self._rate
        missing = max(0.0, self._full_at.pop(key, now) - now) * rate.per_second
        lacks = missing + 1 - rate.burst
        # A hair's breadth of a token is rounding.
        is_taken = lacks <= 1e-6
        if is_taken:
            missing += 1
        self._full_at[key] = now + missing / rate.per_second
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return Taken(
            limit=rate.burst,
            remaining=max(0, math.floor(rate.burst - missing + 1e-6)),
            reset_seconds=math.ceil(missing / rate.per_second - 1e-6),
            retry_after_seconds=None if is_taken else max(1, math.ceil(lacks / rate.per_second)),
        )


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
