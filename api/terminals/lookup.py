"""Which terminal a payment goes to, as its merchant registered it, and whose alone an address is."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from shared.runtime.clock import Clock
from shared.storage.db.engine import Database
from shared.storage.terminals import merchants, registry
from shared.storage.terminals.merchants import Terminal

_CACHED_AT_MOST: Final = 50_000

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Terminals:
    """The registered terminals of all merchants; that a line has none is believed for a while, too."""

    def __init__(self, database: Database, clock: Clock, cache_seconds: float) -> None:
        self._database: Final = database
        self._by_line: Final = _TtlCache[tuple[str, str], Terminal | None](clock, cache_seconds)
        self._sole_users: Final = _TtlCache[str, str | None](clock, cache_seconds)

    async def by_id(self, merchant_id: str, terminal_id: str) -> Terminal | None:
        """Return one of the merchant's own terminals. Raises DatabaseUnavailable."""
        return await merchants.terminal_by_id(self._database, merchant_id, terminal_id)

    async def by_line(self, merchant_id: str, terminal_address: str) -> Terminal | None:
        """Return what the merchant registered for this line. Raises DatabaseUnavailable."""
        return await self._by_line.get(
            (merchant_id, terminal_address),
            lambda: merchants.terminal_by_address(self._database, merchant_id, terminal_address),
        )

    async def is_reserved(self, merchant_id: str, terminal_address: str) -> bool:
        """Whether this line is another merchant's alone, by an operator's word. Raises
        DatabaseUnavailable."""
        user = await self._sole_users.get(
            terminal_address, lambda: merchants.sole_user(self._database, terminal_address)
        )
        return user is not None and user != merchant_id

    async def leads_to(self, merchant_id: str, terminal: Terminal, terminal_address: str) -> None:
        """Note where the terminal's host leads to now. Raises DatabaseUnavailable, CommitUnknown."""
        if terminal.terminal_address != terminal_address:
            await registry.follow(self._database, merchant_id, terminal.id, terminal_address)
            self.forget()

    def forget(self) -> None:
        """Ask the database anew: an entry was changed here. Other API processes believe on for a while."""
        self._by_line.clear()
        self._sole_users.clear()


class _TtlCache(Generic[_Key, _Value]):
    """What the database said, believed for so many seconds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock: Final = clock
        self._seconds: Final = seconds
        self._said: Final[OrderedDict[_Key, tuple[float, _Value]]] = OrderedDict()

    async def get(self, key: _Key, ask: Callable[[], Awaitable[_Value]]) -> _Value:
        now = self._clock.monotonic()
        said = self._said.get(key)
        if said is not None and now - said[0] < self._seconds:
            return said[1]
        found = await ask()
        self._said.pop(key, None)
        self._said[key] = (now, found)
        if len(self._said) > _CACHED_AT_MOST:
            self._said.popitem(last=False)
        return found

    def clear(self) -> None:
        self._said.clear()
