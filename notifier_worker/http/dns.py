"""From a target's host to checked addresses: one look-up a connection, and every address of it is judged."""

import asyncio
from typing import Final

from notifier_worker.http.errors import NoConnection, TimedOut
from shared.network.dns import Lookup
from shared.network.public_addresses import Address
from shared.network.targets import AddressPolicy, literal


class Resolver:
    """Resolves hosts for connections; nothing is remembered, so that a change of address is seen."""

    def __init__(self, lookup: Lookup, policy: AddressPolicy, timeout_seconds: float) -> None:
        self._lookup: Final = lookup
        self._policy: Final = policy
        self._timeout_seconds: Final = timeout_seconds

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """Return the host's addresses in the resolver's order, all of them checked for this port.

        Raises TargetRefused (one address that is not allowed is enough), NoConnection (name_unresolved),
        TimedOut (name_timeout).
        """
        address = literal(host)
        addresses = await self._looked_up(host) if address is None else (address,)
        if not addresses:
            raise NoConnection("name_unresolved", "The host's name has no address.")
        for found in addresses:
            self._policy.check_address(found, host, port)
        return addresses

    async def _looked_up(self, host: str) -> tuple[Address, ...]:
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return tuple(await self._lookup(host))
        except TimeoutError as error:
            raise TimedOut("name_timeout", "The look-up of the host's name took too long.") from error
        except (OSError, UnicodeError) as error:
            raise NoConnection("name_unresolved", "The host's name cannot be looked up.") from error
