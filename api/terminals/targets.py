"""Targets of payments: the terminal by its address, or as its merchant registered it.

A terminal that may not be used is found, too: an earlier attempt of the order is answered before the order is
refused.

A host is looked up once, every address of it is folded and checked, and the lowest one is the terminal's. The
worker connects to that literal address only: nothing is looked up a second time, and two names or spellings
of one terminal have the same terminal address.
"""

import asyncio
import ipaddress
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from api.connector.request import OrderRequest
from api.http.errors import ApiError
from api.terminals.errors import (
    ForeignTerminal,
    ReservedTerminal,
    TerminalDisabled,
    UnknownTerminal,
    UnsupportedByTerminal,
)
from api.terminals.lookup import Terminals
from shared.concert.encode import CannotAsk, check_can_ask
from shared.concert.profile import Profile
from shared.network.dns import Lookup
from shared.network.hosts import PUBLIC, Address, folded, is_drivable, is_public
from shared.payment.payment import Operation
from shared.storage.terminals.merchants import Credential, Terminal


class OutsideNetworks(Exception):
    """One of the host's addresses is outside the merchant's allowed networks; no packet was sent.

    `terminal_address` is the host's, if it is known.
    """

    def __init__(self, address: str, terminal_address: str | None = None) -> None:
        super().__init__(address)
        self.terminal_address: Final = terminal_address


class TerminalAddressFinder:
    """Finds the terminal address of a host and port, within a merchant's allowed networks."""

    def __init__(self, lookup: Lookup, timeout_seconds: float) -> None:
        self._lookup: Final = lookup
        self._timeout_seconds: Final = timeout_seconds

    async def find(self, host: str, port: int, networks: Sequence[str]) -> str | None:
        """Return `address:port` in canonical text (IPv6 in brackets), or None where the host has no address.

        `host` is as `read_host` returns it. `networks` are CIDR texts, or `public` for every public address.
        Raises OutsideNetworks.
        """
        addresses = await self._addresses(host)
        if not addresses:
            return None
        lowest = min(addresses, key=lambda address: (address.version, int(address)))
        terminal_address = f"[{lowest}]:{port}" if lowest.version == 6 else f"{lowest}:{port}"
        try:
            check_allowed(addresses, networks)
        except OutsideNetworks as error:
            raise OutsideNetworks(str(error), terminal_address) from error
        return terminal_address

    async def _addresses(self, host: str) -> set[Address]:
        try:
            return {folded(ipaddress.ip_address(host))}
        except ValueError:
            pass
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return {folded(address) for address in await self._lookup(host)}
        except (OSError, UnicodeError):  # no such name, no answer in time, no name at all
            return set()


def check_allowed(addresses: Iterable[Address], networks: Sequence[str]) -> None:
    """Raise OutsideNetworks unless every address is inside a network, or public where `public` is given.

    A merchant drives nothing outside of its networks, and without any it drives nothing.
    """
    allowed = [ipaddress.ip_network(network) for network in networks if network != PUBLIC]
    for address in addresses:
        inside = any(address in network for network in allowed)
        if not inside and not (PUBLIC in networks and is_public(address)):
            raise OutsideNetworks(str(address))
        if not is_drivable(address):
            raise OutsideNetworks(str(address))


_log = structlog.get_logger()

#: Returns the finder whose look-ups count as this merchant's.
TerminalAddressFinders = Callable[[str], TerminalAddressFinder]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A payment's terminal; `terminal_address` is None where its host has no address."""

    host: str
    port: int
    terminal_address: str | None
    pos_number: str
    #: JSON, see `Profile`.
    profile: str = "{}"
    #: True if the order or the terminal's entry asks for it.
    force_authorization: bool
    #: The error if the merchant may not pay there; answered only if the order has no earlier attempt.
    refusal: ApiError | None = None


class Targets:
    """Finds targets. The host is looked up once, here; no packet is sent."""

    def __init__(self, finders: TerminalAddressFinders, terminals: Terminals, pos_number: str) -> None:
        """`pos_number` is that of terminals without an entry."""
        self._finders: Final = finders
        self._terminals: Final = terminals
        self._pos_number: Final = pos_number

    async def find(self, order: OrderRequest, credential: Credential) -> Target:
        """Return the order's target. Raises DatabaseUnavailable, CommitUnknown.

        Its `refusal` is UnknownTerminal, ForeignTerminal, ReservedTerminal, TerminalDisabled or
        UnsupportedByTerminal.
        """
        merchant_id = credential.merchant_id
        assert merchant_id is not None, "a private credential belongs to a merchant"
        terminal = None
        if order.terminal_id is not None:
            terminal = await self._terminals.by_id(merchant_id, order.terminal_id)
            if terminal is None:
                return self._unknown(order)
            host, port = terminal.host, terminal.port
        else:
            assert order.host is not None
            assert order.port is not None
            host, port = order.host, order.port
        terminal_address, refusal = await self._address(host, port, credential)
        if terminal_address is not None and refusal is None:
            if terminal is None:
                terminal = await self._terminals.by_address(merchant_id, terminal_address)
            elif await self._is_disabled(merchant_id, terminal, terminal_address):
                refusal = TerminalDisabled()
            else:
                await self._terminals.update_address(merchant_id, terminal, terminal_address)
        target = self._target(order, host, port, terminal_address, terminal)
        return target if refusal is None else replace(target, refusal=refusal)

    async def terminal_address(self, host: str, port: int, credential: Credential) -> str | None:
        """Return the terminal address that this merchant may use; None if the host has no address.

        Raises ForeignTerminal, ReservedTerminal, DatabaseUnavailable.
        """
        terminal_address, refusal = await self._address(host, port, credential)
        if refusal is not None:
            raise refusal
        return terminal_address

    async def _address(
        self, host: str, port: int, credential: Credential
    ) -> tuple[str | None, ApiError | None]:
        """Return the host's terminal address, and the error if this merchant may not use it."""
        assert credential.merchant_id is not None
        try:
            terminal_address = await self._finders(credential.merchant_id).find(
                host, port, credential.networks
            )
        except OutsideNetworks as error:
            _log.warning("terminal outside the merchant's networks", address=str(error))
            return error.terminal_address, ForeignTerminal()
        if terminal_address is not None and await self._terminals.is_reserved(
            credential.merchant_id, terminal_address
        ):
            _log.warning("terminal in the sole use of another merchant", terminal_address=terminal_address)
            return terminal_address, ReservedTerminal()
        return terminal_address, None

    async def _is_disabled(self, merchant_id: str, terminal: Terminal, terminal_address: str) -> bool:
        """Return whether the current address of the entry's host is that of a disabled terminal."""
        at_address = (
            terminal
            if terminal.terminal_address == terminal_address
            else await self._terminals.by_address(merchant_id, terminal_address)
        )
        return at_address is not None and at_address.disabled_at is not None

    def _unknown(self, order: OrderRequest) -> Target:
        return Target(
            host="",
            port=0,
            terminal_address=None,
            pos_number=self._pos_number,
            force_authorization=order.force_authorization,
            refusal=UnknownTerminal(),
        )

    def _target(
        self,
        order: OrderRequest,
        host: str,
        port: int,
        terminal_address: str | None,
        terminal: Terminal | None,
    ) -> Target:
        if terminal is None:
            return Target(
                host=host,
                port=port,
                terminal_address=terminal_address,
                pos_number=self._pos_number,
                force_authorization=order.force_authorization,
                refusal=_cannot_ask(order.force_authorization, "{}"),
            )
        # Only a debit asks for an authorisation by policy; a credit asks as its order says.
        by_policy = order.operation is Operation.DEBIT and terminal.asks_authorisation(order.amount_cents)
        forced = order.force_authorization or by_policy
        disabled = None if terminal.disabled_at is None else TerminalDisabled()
        return Target(
            host=host,
            port=port,
            terminal_address=terminal_address,
            pos_number=terminal.pos_number,
            profile=terminal.profile,
            force_authorization=forced,
            refusal=disabled or _cannot_ask(forced, terminal.profile),
        )


def _cannot_ask(force_authorization: bool, profile: str) -> UnsupportedByTerminal | None:
    try:
        check_can_ask(force_authorization=force_authorization, profile=Profile.from_dict(json.loads(profile)))
    except CannotAsk as error:
        return UnsupportedByTerminal(str(error))
    return None
