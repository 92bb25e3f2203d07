"""Name server: it answers, fails, stays silent, and changes its answer."""

import asyncio
from ipaddress import IPv4Address

from tests.simulation.engine.stage import Stage

#: Longer than any look-up waits.
_SILENT_SECONDS = 5.0
#: In the merchants' networks, and nothing listens there.
NOBODY = "127.0.9.9"


class Names:
    """Host names and their addresses at this moment."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._addresses: dict[str, str] = {}
        #: Faults of the next look-ups, for placed histories.
        self.doomed: list[str] = []

    def add(self, host: str, address: str) -> None:
        self._addresses[host] = address

    def change(self) -> None:
        """Let one name lead to another's address, or to one where nothing listens."""
        rng = self._stage.rng
        host = rng.choice(sorted(self._addresses))
        address = rng.choice([*sorted(set(self._addresses.values())), NOBODY])
        self._stage.note("name leads elsewhere", host, address=address)
        self._addresses[host] = address

    async def lookup(self, host: str) -> list[IPv4Address]:
        """Return a name's addresses as the system's resolver does, none for an unknown name."""
        await asyncio.sleep(self._stage.rng.uniform(0.001, 0.1))
        match self._fault():
            case "name server fails":
                raise OSError("temporary failure in name resolution")
            case "name server silent":
                await asyncio.sleep(_SILENT_SECONDS)
                raise OSError("no answer")
            case "name unknown":
                return []
        return [IPv4Address(self._addresses[host])] if host in self._addresses else []

    def _fault(self) -> str | None:
        rng, faults = self._stage.rng, self._stage.faults
        if self.doomed:
            return self.doomed.pop(0)
        if not faults.names or rng.random() >= faults.names:
            return None
        fault = rng.choice(("name server fails", "name server silent", "name unknown"))
        faults.count(fault)
        return fault
