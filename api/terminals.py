"""Which profile a merchant's terminal has: the registered one, else the default of its protocol."""

from collections import OrderedDict
from typing import Final

from shared.clock import Clock
from shared.storage import merchants
from shared.storage.engine import Database
from shared.storage.merchants import Terminal

_CACHED_AT_MOST: Final = 50_000


class Terminals:
    """The registered terminals of all merchants; that a line has none is believed for a while, too."""

    def __init__(self, database: Database, clock: Clock, cache_seconds: float) -> None:
        self._database: Final = database
        self._clock: Final = clock
        self._cache_seconds: Final = cache_seconds
        self._by_line: Final[OrderedDict[tuple[str, str], tuple[float, Terminal | None]]] = OrderedDict()

    async def by_id(self, merchant_id: str, terminal_id: str) -> Terminal | None:
        """Return one of the merchant's own terminals. Raises DatabaseAway."""
        return await merchants.terminal_by_id(self._database, merchant_id, terminal_id)

    async def by_line(self, merchant_id: str, line: str) -> Terminal | None:
        """Return what the merchant registered for this line. Raises DatabaseAway."""
        now = self._clock.monotonic()
        cached = self._by_line.get((merchant_id, line))
        if cached is not None and now - cached[0] < self._cache_seconds:
            return cached[1]
        found = await merchants.terminal_by_line(self._database, merchant_id, line)
        self._by_line.pop((merchant_id, line), None)
        self._by_line[merchant_id, line] = (now, found)
        if len(self._by_line) > _CACHED_AT_MOST:
            self._by_line.popitem(last=False)
        return found
