"""Check of a terminal's identification: it speaks Concert and is free. It charges nothing.

It is asked outside of the workers' terminal lock, hence only where nobody has or waits for the terminal.
"""

import asyncio
from typing import TYPE_CHECKING, Final

from api.terminals.entry import TerminalEntry
from api.terminals.targets import TerminalAddressFinder
from cli.doctor.finding import Finding, Findings, Level
from cli.doctor.network_check import PART, check_terminal, read_place
from shared.concert.profile import Profile
from shared.network.dns import SystemResolver
from shared.runtime.clock import SystemClock
from shared.storage.db.engine import DatabaseUnavailable
from shared.storage.db.opening import open_database
from shared.storage.terminals import status
from terminal_worker.session.connection import ConnectFailed, TcpConnector, UnexpectedBytes
from terminal_worker.session.enquiry import IdentificationResult, Identifier

if TYPE_CHECKING:
    from shared.settings.settings import Settings

#: The operator names the address: no merchant's networks limit it.
_EVERYWHERE: Final = ("0.0.0.0/0", "::/0")
_FINDINGS: Final = {
    IdentificationResult.YES: (Level.OK, "identifies itself as a Concert terminal, and is free.", ""),
    IdentificationResult.BUSY: (
        Level.WARNING,
        "speaks Concert and answers busy.",
        "Somebody uses it, or another system has it: ask again later.",
    ),
    IdentificationResult.SILENT: (
        Level.WARNING,
        "takes the connection and answers no identification.",
        "Some terminals answer none; else set its Concert protocol (caisse) over IP, raw, at this port.",
    ),
}


async def check_identification(settings: "Settings", place: str, *, has_database: bool) -> Findings:
    """Yield whether a terminal accepts a connection, and its answer to an identification.

    One that is paid at is left alone. Without a database, which alone knows that, it is not asked.
    """
    address = await _address(settings, *read_place(place))
    used_by = None
    if has_database and address is not None:
        used_by = await _used_by(settings, address)
    if used_by is not None:
        yield Finding(PART, Level.WARNING, f"{address} was not asked: {used_by}.", "Ask again later.")
        return
    is_there = True
    async for finding in check_terminal(place):
        is_there = finding.level is Level.OK
        yield finding
    if not is_there or address is None:
        return
    if has_database:
        yield await _asked(settings, address)
    else:
        fact = f"{address} was not asked: only the database knows whether it is paid at."
        yield Finding(PART, Level.WARNING, fact, "Look at what is said of the database, and ask again.")


async def _address(settings: "Settings", host: str, port: int) -> str | None:
    """Return `address:port` as the workers name it; None: the host has no address."""
    resolver = SystemResolver(1)
    try:
        finder = TerminalAddressFinder(resolver, settings.name_lookup_timeout_seconds)
        return await finder.find(host, port, _EVERYWHERE)
    finally:
        resolver.close()


async def _used_by(settings: "Settings", address: str) -> str | None:
    """Return who has the terminal or waits for it; None: nobody."""
    database = open_database(
        settings.database_url.get_secret_value(),
        pool_size=1,
        pooler=settings.database_pooler,
        ca_file=settings.database_ca_file,
    )
    try:
        found = (await status.statuses(database, "", [address]))[address]
    except DatabaseUnavailable:
        return "the database does not answer"
    finally:
        await database.close()
    if found.holder is not None:
        return "a payment or a probe has it"
    return f"{found.others_waiting} payments wait for it" if found.others_waiting else None


async def _asked(settings: "Settings", address: str) -> Finding:
    clock = SystemClock()

    async def write_until() -> float:
        return clock.boot() + settings.identification_timeout_seconds

    # A terminal takes a connection at a time: the one before was closed just now.
    await asyncio.sleep(settings.connect_retry_seconds)
    try:
        result = await Identifier(TcpConnector(settings), clock, settings).ask(
            address,
            TerminalEntry.model_fields["protocol"].default,
            settings.pos_number,
            Profile(),
            write_until,
        )
    except UnexpectedBytes as error:
        fix = "It is no Concert terminal, or another service has this port."
        return Finding(PART, Level.PROBLEM, f"{address} writes before it is asked: {error}.", fix)
    except ConnectFailed as error:
        fix = "It takes one connection at a time: close what else is connected to it."
        return Finding(PART, Level.PROBLEM, f"{address} takes no second connection: {error}.", fix)
    level, fact, fix = _FINDINGS[result]
    return Finding(PART, level, f"{address} {fact}", fix)
