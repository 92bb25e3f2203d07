"""Targets of payments: the terminal by its address, or as its merchant registered it.

A terminal that may not be used is found, too: the order's earlier attempt is looked for before anybody is
refused.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import structlog

from api.connector.request import OrderRequest
from api.http.errors import (
    ApiError,
    ForeignTerminal,
    ReservedTerminal,
    TerminalDisabled,
    UnknownTerminal,
    UnsupportedByTerminal,
)
from api.terminals.addresses import LineFinder, OutsideNetworks
from api.terminals.lookup import Terminals
from shared.concert.encode import CannotAsk, check_can_ask
from shared.concert.profile import Profile
from shared.payment.payment import Operation
from shared.storage.terminals.merchants import Credential, Terminal

_log = structlog.get_logger()

#: Returns the finder whose look-ups count as this merchant's.
LineFinders = Callable[[str], LineFinder]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A payment's terminal; `line` is None where its host has no address."""

    host: str
    port: int
    line: str | None
    register_number: str
    #: JSON, see `Profile`.
    profile: str = "{}"
    #: As the order or the terminal's entry wants it.
    force_authorization: bool
    #: Why the merchant may not pay there: an answer only where no earlier attempt of the order is one.
    refusal: ApiError | None = None


class Targets:
    """Finds targets. The host is looked up once, here; whatever is refused, no packet was sent."""

    def __init__(self, lines: LineFinders, terminals: Terminals, register_number: str) -> None:
        """`register_number` is that of terminals without an entry."""
        self._lines: Final = lines
        self._terminals: Final = terminals
        self._register_number: Final = register_number

    async def find(self, order: OrderRequest, credential: Credential) -> Target:
        """Return the order's target. Raises DatabaseAway, CommitUnknown.

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
        line, refusal = await self._line(host, port, credential)
        if line is not None and refusal is None:
            if terminal is None:
                terminal = await self._terminals.by_line(merchant_id, line)
            elif await self._is_disabled(merchant_id, terminal, line):
                refusal = TerminalDisabled()
            else:
                await self._terminals.leads_to(merchant_id, terminal, line)
        target = self._target(order, host, port, line, terminal)
        return target if refusal is None else replace(target, refusal=refusal)

    async def line(self, host: str, port: int, credential: Credential) -> str | None:
        """Return the line that this merchant may use; None where the host has no address.

        Raises ForeignTerminal, ReservedTerminal, DatabaseAway.
        """
        line, refusal = await self._line(host, port, credential)
        if refusal is not None:
            raise refusal
        return line

    async def _line(self, host: str, port: int, credential: Credential) -> tuple[str | None, ApiError | None]:
        """Return where the host leads to, and why this merchant may not use it."""
        assert credential.merchant_id is not None
        try:
            line = await self._lines(credential.merchant_id).find(host, port, credential.networks)
        except OutsideNetworks as error:
            _log.warning("terminal outside the merchant's networks", address=str(error))
            return error.line, ForeignTerminal()
        if line is not None and await self._terminals.is_reserved(credential.merchant_id, line):
            _log.warning("terminal is another merchant's alone", line=line)
            return line, ReservedTerminal()
        return line, None

    async def _is_disabled(self, merchant_id: str, terminal: Terminal, line: str) -> bool:
        """Return whether the entry's host leads now to a terminal that the merchant disabled."""
        at_line = terminal if terminal.line == line else await self._terminals.by_line(merchant_id, line)
        return at_line is not None and at_line.disabled_at is not None

    def _unknown(self, order: OrderRequest) -> Target:
        return Target(
            host="",
            port=0,
            line=None,
            register_number=self._register_number,
            force_authorization=order.force_authorization,
            refusal=UnknownTerminal(),
        )

    def _target(
        self, order: OrderRequest, host: str, port: int, line: str | None, terminal: Terminal | None
    ) -> Target:
        if terminal is None:
            return Target(
                host=host,
                port=port,
                line=line,
                register_number=self._register_number,
                force_authorization=order.force_authorization,
                refusal=_cannot_ask(order.force_authorization, "{}"),
            )
        # Only a debit needs the card's bank: what gives money back asks as its order says.
        wanted = order.operation is Operation.DEBIT and terminal.asks_authorisation(order.amount_cents)
        forced = order.force_authorization or wanted
        disabled = None if terminal.disabled_at is None else TerminalDisabled()
        return Target(
            host=host,
            port=port,
            line=line,
            register_number=terminal.register_number,
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
