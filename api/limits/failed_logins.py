"""Failed log-ins, slowed by pauses of the address they come from and of the name they give.

A client whose name and secret were right before does not pause: failures on purpose, from a merchant's
address or with its name, keep none of its POS from paying. Secrets are random and cannot be guessed; the
pauses limit the noise, and the database's work.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog

from shared.network.client_addresses import counting_key
from shared.network.hosts import Network
from shared.runtime.clock import Clock

_log = structlog.get_logger()

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

#: Names, addresses and right secrets that are kept; of more, the least recent ones are dropped.
_REMEMBERED: Final = 10_000
#: So many longest pauses without a failure, and the failures are forgotten.
_FORGOTTEN_AFTER_PAUSES: Final = 10
_LOGGED_NAME_LENGTH: Final = 64
#: A pause doubles with each failure; more doublings than any longest pause needs.
_DOUBLINGS: Final = 30


class MustPause(Exception):
    """The name or the address has failed too often."""

    def __init__(self, seconds: int, limit: int) -> None:
        super().__init__(seconds, limit)
        self.seconds = seconds
        #: Failures without a pause.
        self.limit = limit


@dataclass(slots=True)
class _Failures:
    number: int
    last_at: float
    paused_until: float


class FailedLogins:
    """A counter of this process's failures; `exempt` are proxies, which stand for many clients."""

    def __init__(
        self,
        clock: Clock,
        *,
        limit_per_address: int,
        limit_per_name: int,
        longest_pause_seconds: float,
        exempt: tuple[Network, ...],
    ) -> None:
        self._clock: Final = clock
        self._limits: Final = {"address": limit_per_address, "name": limit_per_name}
        self._longest_pause_seconds: Final = longest_pause_seconds
        self._exempt: Final = exempt
        #: By kind and text: ("address", ...), ("name", ...).
        self._failures: Final[OrderedDict[tuple[str, str], _Failures]] = OrderedDict()
        #: The hash of the secret that was right for a name.
        self._right: Final[OrderedDict[str, str]] = OrderedDict()

    def check(self, name: str, given_hash: str, client: str | None) -> None:
        """Raise MustPause where the log-in is not checked yet; for known and unknown names alike."""
        if self._right.get(name) == given_hash:
            return
        now = self._clock.monotonic()
        pauses = [
            (self._failures[key].paused_until - now, self._limits[key[0]])
            for key in self._keys(name, client)
            if key in self._failures
        ]
        left, limit = max(pauses, default=(0.0, 0))
        if left > 0:
            raise MustPause(math.ceil(left), limit)

    def failed(self, name: str, client: str | None) -> None:
        """Count a failure, and log it."""
        now = self._clock.monotonic()
        for key in self._keys(name, client):
            self._count(key, now)
        _log.warning("log-in failed", name=_logged(name), client=client)

    def succeeded(self, name: str, given_hash: str) -> None:
        _remember(self._right, name, given_hash)

    def _count(self, key: tuple[str, str], now: float) -> None:
        earlier = self._failures.get(key)
        forgotten = now - _FORGOTTEN_AFTER_PAUSES * self._longest_pause_seconds
        number = 1 if earlier is None or earlier.last_at < forgotten else earlier.number + 1
        too_many = number - self._limits[key[0]]
        pause = 0.0 if too_many < 0 else min(self._longest_pause_seconds, 2.0 ** min(too_many, _DOUBLINGS))
        _remember(self._failures, key, _Failures(number, now, now + pause))

    def _keys(self, name: str, client: str | None) -> list[tuple[str, str]]:
        address = counting_key(client, self._exempt)
        keys = [("name", name[:200])]
        return keys if address is None else [*keys, ("address", address)]


def _remember(remembered: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    remembered.pop(key, None)
    remembered[key] = value
    if len(remembered) > _REMEMBERED:
        remembered.popitem(last=False)


def _logged(name: str) -> str:
    """Return a name of bounded length; a header has printable characters only."""
    return name if len(name) <= _LOGGED_NAME_LENGTH else name[:_LOGGED_NAME_LENGTH] + "..."
