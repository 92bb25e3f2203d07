"""Registry of a merchant's terminals: checks entries against its networks, stores, shows, removes them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from api.http.entity_tags import IfMatch
from api.http.errors import ApiError, InvalidRequest, NotFound, PreconditionFailed, or_not_found
from api.http.logins.auth import merchant_of
from api.payments.early_release import ask_for_terminal
from api.payments.errors import TerminalFree
from api.terminals.csv_file import Row, RowError, refused
from api.terminals.entry import TerminalEntry
from api.terminals.errors import (
    ForeignTerminal,
    ReservedTerminal,
    TerminalHeld,
    TerminalLimit,
    TerminalTaken,
)
from api.terminals.lookup import Terminals
from api.terminals.models import Terminal
from api.terminals.targets import Targets
from shared.settings.settings import Settings
from shared.storage.administration.audit_trail import Actor
from shared.storage.db.engine import Database
from shared.storage.terminals import device_replacement, registry, sole_use, status
from shared.storage.terminals.device_replacement import InUse
from shared.storage.terminals.merchants import Credential
from shared.storage.terminals.registry import AddressTaken, Entry, RegisteredTerminal, TooManyTerminals


@dataclass(frozen=True, slots=True)
class LocatedFile:
    """A file's rows with the terminal addresses of their hosts, and the errors of the others."""

    entries: Sequence[Entry]
    #: The rows' numbers, by terminal id.
    numbers: Mapping[str, int]
    errors: Sequence[RowError]


class Imported(NamedTuple):
    """Numbers of terminals that a file created and changed, or would."""

    created: int
    changed: int


class Registry:
    """The registered terminals of one merchant at a time.

    Every method raises DatabaseUnavailable and CommitUnknown.
    """

    def __init__(
        self,
        *,
        database: Database,
        targets: Targets,
        file_targets: Targets,
        terminals: Terminals,
        settings: Settings,
    ) -> None:
        """`file_targets` looks up the hosts of files, apart from those of payments."""
        self._database: Final = database
        self._targets: Final = targets
        self._file_targets: Final = file_targets
        self._terminals: Final = terminals
        self._settings: Final = settings
        self._limit: Final = settings.terminal_limit_per_merchant

    async def put(
        self, terminal_id: str, entry: TerminalEntry, credential: Credential, if_match: IfMatch
    ) -> tuple[Terminal, bool]:
        """Create or change an entry; return the terminal, and whether it is new.

        Raises PreconditionFailed, InvalidRequest, ForeignTerminal, ReservedTerminal, TerminalTaken,
        TerminalLimit.
        """
        seen = await self._seen(terminal_id, credential, if_match)
        stored = await self._located(self._targets, terminal_id, entry, credential)
        try:
            (created,) = await registry.put(
                self._database, merchant_of(credential), [stored], limit=self._limit, seen=seen
            )
        except AddressTaken as error:
            raise _taken(error) from error
        except TooManyTerminals:
            raise TerminalLimit from None
        self._terminals.forget()
        return await self.show(terminal_id, credential), created

    async def locate_rows(
        self, rows: Sequence[Row], errors: Sequence[RowError], credential: Credential
    ) -> LocatedFile:
        """Look up the hosts of a file's rows, in a limited time; `errors` are those found before."""
        slots = asyncio.Semaphore(self._settings.name_lookup_limit_per_merchant)
        deadline = asyncio.get_running_loop().time() + self._settings.import_timeout_seconds

        async def locate(row: Row) -> Entry | RowError:
            try:
                async with asyncio.timeout_at(deadline), slots:
                    return await self._located(self._file_targets, row.terminal_id, row.entry, credential)
            except TimeoutError:
                return RowError(row.number, "host", "was not looked up in the time that a file has")
            except (ForeignTerminal, ReservedTerminal) as error:
                return RowError(row.number, "host", _plain(error))
            except ApiError as error:
                return RowError(row.number, "host", error.message)

        located = await asyncio.gather(*(locate(row) for row in rows))
        entries = [found for found in located if isinstance(found, Entry)]
        unlocated = [found for found in located if isinstance(found, RowError)]
        return LocatedFile(entries, {row.terminal_id: row.number for row in rows}, [*errors, *unlocated])

    async def import_file(self, file: LocatedFile, credential: Credential, *, dry_run: bool) -> Imported:
        """Store every row of a file or none. Raises ImportRefused, TerminalLimit."""
        merchant_id = merchant_of(credential)
        entries, numbers = file.entries, file.numbers
        taken = await registry.occupied_addresses(self._database, merchant_id, entries)
        found = [*file.errors, *_doubled(entries, numbers)]
        found += [
            RowError(numbers[terminal_id], "host", f"is where terminal {other_id} is registered")
            for terminal_id, other_id in taken.items()
        ]
        if found:
            raise refused(found)
        if dry_run:
            known = await registry.known_ids(self._database, merchant_id, entries)
            new = len(entries) - len(known)
            if new and await registry.count(self._database, merchant_id) + new > self._limit:
                raise TerminalLimit
            return Imported(new, len(known))
        try:
            created = await registry.put(self._database, merchant_id, entries, limit=self._limit)
        except TooManyTerminals:
            raise TerminalLimit from None
        except AddressTaken as error:
            number = numbers.get(error.terminal_id, 1)
            raise refused([RowError(number, "host", "was registered by another request")]) from error
        self._terminals.forget()
        return Imported(created.count(True), created.count(False))

    async def show(self, terminal_id: str, credential: Credential) -> Terminal:
        """Return a terminal with its status. Raises NotFound."""
        found = await self.registered(terminal_id, credential)
        (shown,) = await self._shown([found], credential)
        return shown

    async def page(
        self, credential: Credential, *, after: str, limit: int
    ) -> tuple[list[Terminal], str | None]:
        """Return the terminals after the id `after`, and the last one's id where more follow."""
        merchant_id = merchant_of(credential)
        found = await registry.page(self._database, merchant_id, after=after, most=limit + 1)
        shown = await self._shown(found[:limit], credential)
        return shown, found[limit - 1].id if len(found) > limit else None

    async def registered(self, terminal_id: str, credential: Credential) -> RegisteredTerminal:
        """Return an entry. Raises NotFound."""
        return or_not_found(await registry.get(self._database, merchant_of(credential), terminal_id))

    async def _seen(
        self, terminal_id: str, credential: Credential, if_match: IfMatch
    ) -> RegisteredTerminal | None:
        """Return the entry that a client has seen; None: it makes no condition. Raises PreconditionFailed."""
        if not if_match.is_given:
            return None
        found = await registry.get(self._database, merchant_of(credential), terminal_id)
        if found is None:
            raise PreconditionFailed
        (shown,) = await self._shown([found], credential)
        if_match.check(shown)
        return found

    async def remove(self, terminal_id: str, credential: Credential, if_match: IfMatch) -> None:
        """Remove an entry. Raises PreconditionFailed, NotFound."""
        seen = await self._seen(terminal_id, credential, if_match)
        if not await registry.remove(self._database, merchant_of(credential), terminal_id, seen=seen):
            raise NotFound
        self._terminals.forget()

    async def set_disabled(self, terminal_id: str, credential: Credential, *, disabled: bool) -> None:
        """Disable or enable a terminal. Raises NotFound."""
        merchant_id = merchant_of(credential)
        if not await registry.set_disabled(self._database, merchant_id, terminal_id, disabled=disabled):
            raise NotFound
        self._terminals.forget()

    async def replace(self, terminal_id: str, credential: Credential) -> None:
        """Forget the observed capabilities of the device before. Raises NotFound, TerminalHeld."""
        replaced = await device_replacement.replace_device(
            self._database, merchant_of(credential), terminal_id
        )
        if isinstance(replaced, InUse):
            raise TerminalHeld
        if not replaced:
            raise NotFound

    async def release(self, terminal_id: str, credential: Credential) -> str:
        """Ask for the early release of the terminal lock that the merchant's payment in doubt has.

        Return the payment's id. Raises NotFound, TerminalFree, TooEarly, PaymentConflict (not in doubt).
        """
        found = await self.registered(terminal_id, credential)
        statuses = await status.statuses(self._database, found.merchant_id, [found.terminal_address])
        holder = statuses[found.terminal_address].holder
        if holder is None or holder.id is None or holder.state is None:
            raise TerminalFree("No payment of yours holds the terminal.")
        await ask_for_terminal(self._database, self._settings, holder.id, by=f"merchant ({credential.id})")
        return holder.id

    async def confirm_sole_use(self, merchant_id: str, terminal_id: str, *, actor: Actor) -> None:
        """Confirm the sole use that the merchant asked for; may be repeated.

        Raises NotFound where it was not asked for, TerminalTaken where the address is another merchant's
        alone.
        """
        try:
            confirmed = await sole_use.confirm(self._database, merchant_id, terminal_id, actor=actor)
        except AddressTaken as error:
            raise TerminalTaken("The address is another merchant's alone.") from error
        found = None if confirmed else await registry.get(self._database, merchant_id, terminal_id)
        if not confirmed and (found is None or found.sole_use != "confirmed"):
            raise NotFound("The merchant has not asked for the sole use of this terminal's address.")
        self._terminals.forget()

    async def withdraw_sole_use(self, merchant_id: str, terminal_id: str, *, actor: Actor) -> None:
        """Withdraw a request for sole use, or its confirmation. Raises NotFound."""
        if not await sole_use.withdraw(self._database, merchant_id, terminal_id, actor=actor):
            raise NotFound
        self._terminals.forget()

    async def _shown(self, found: Sequence[RegisteredTerminal], credential: Credential) -> list[Terminal]:
        addresses = [terminal.terminal_address for terminal in found]
        statuses = await status.statuses(self._database, merchant_of(credential), addresses)
        return [Terminal.of(terminal, statuses[terminal.terminal_address]) for terminal in found]

    async def _located(
        self, targets: Targets, terminal_id: str, entry: TerminalEntry, credential: Credential
    ) -> Entry:
        """Return the entry with its host's terminal address.

        Raises InvalidRequest, ForeignTerminal, ReservedTerminal.
        """
        terminal_address = await targets.terminal_address(entry.host, entry.port, credential)
        if terminal_address is None:
            raise InvalidRequest("format", "has no address", "host")
        return Entry(
            id=terminal_id,
            label=entry.label,
            shop=entry.shop,
            host=entry.host,
            port=entry.port,
            terminal_address=terminal_address,
            protocol=entry.protocol,
            profile=json.dumps(entry.profile.model_dump(exclude_unset=True), separators=(",", ":")),
            pos_number=entry.pos_number or self._settings.pos_number,
            authorisation=entry.authorisation.policy,
            authorisation_above_cents=entry.authorisation.above_cents,
            sole_use=entry.sole_use,
        )


def _plain(error: ApiError) -> str:
    return error.description.rstrip(".").replace("The terminal", "the terminal", 1)


def _taken(error: AddressTaken) -> TerminalTaken:
    if error.other_id is None:
        return TerminalTaken()
    return TerminalTaken(
        f"Terminal {error.other_id} is registered at this address and port.",
        details={"terminal_id": error.other_id},
    )


def _doubled(entries: Sequence[Entry], numbers: Mapping[str, int]) -> list[RowError]:
    """Return the errors of rows whose terminal address an earlier row of the file has."""
    first: dict[str, int] = {}
    errors = []
    for entry in entries:
        number = numbers[entry.id]
        if first.setdefault(entry.terminal_address, number) != number:
            errors.append(
                RowError(number, "host", f"is the address and port of row {first[entry.terminal_address]}")
            )
    return errors
