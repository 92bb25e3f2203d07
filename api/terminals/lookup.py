"""Cache of registered terminals by terminal address, and of the merchants with sole use of an address."""

from typing import Final

from shared.runtime.clock import Clock
from shared.runtime.shared_reads import Batches, TtlCache
from shared.storage.db.engine import Database
from shared.storage.terminals import merchants, registry
from shared.storage.terminals.merchants import Terminal
from shared.storage.terminals.status import AtAddress, MerchantAtAddress, at_addresses

_MAX_CACHED: Final = 50_000
#: Addresses that one statement reads.
_BATCH: Final = 200


class Terminals:
    """Registered terminals of all merchants; that an address has none is cached, too.

    Whatever number of orders comes, their addresses take one connection.
    """

    def __init__(self, database: Database, clock: Clock, cache_seconds: float) -> None:
        self._database: Final = database
        self._found: Final = TtlCache[MerchantAtAddress, AtAddress](
            clock, cache_seconds, max_entries=_MAX_CACHED
        )
        self._looks: Final = Batches[MerchantAtAddress, AtAddress](
            lambda asked: at_addresses(database, asked), most=_BATCH
        )

    async def by_id(self, merchant_id: str, terminal_id: str) -> Terminal | None:
        """Return one of the merchant's own terminals. Raises DatabaseUnavailable."""
        return await merchants.terminal_by_id(self._database, merchant_id, terminal_id)

    async def by_address(self, merchant_id: str, terminal_address: str) -> Terminal | None:
        """Return the merchant's terminal at this address. Raises DatabaseUnavailable."""
        return (await self._at_address(merchant_id, terminal_address)).terminal

    async def is_reserved(self, merchant_id: str, terminal_address: str) -> bool:
        """Return whether an operator confirmed another merchant's sole use of this address.

        Raises DatabaseUnavailable.
        """
        user = (await self._at_address(merchant_id, terminal_address)).sole_user
        return user is not None and user != merchant_id

    async def update_address(self, merchant_id: str, terminal: Terminal, terminal_address: str) -> None:
        """Store the current address of the terminal's host. Raises DatabaseUnavailable, CommitUnknown."""
        if terminal.terminal_address != terminal_address:
            await registry.update_address(self._database, merchant_id, terminal.id, terminal_address)
            self.forget()

    def forget(self) -> None:
        """Clear the cache: an entry was changed here. Other API processes keep theirs for its time."""
        self._found.clear()

    async def _at_address(self, merchant_id: str, terminal_address: str) -> AtAddress:
        async def look() -> AtAddress:
            found = await self._looks.get((merchant_id, terminal_address))
            assert found is not None, "every address that is asked for is in the answer"
            return found

        return await self._found.fetch((merchant_id, terminal_address), look)
