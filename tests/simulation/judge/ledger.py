"""Ledger of the terminals: every request written to them or read by them, and every card charged.

Some mistakes are seen at once, when bytes are written; they are kept as `violations` for the judge.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from shared.concert import fields as f
from shared.concert.decode import Decoder
from shared.concert.fields import Action

if TYPE_CHECKING:
    from tests.simulation.model.network import Wire

#: Longest time of a statement here.
_STATEMENT_SECONDS: Final = 1.0

OPERATIONS: Final = frozenset({Action.DEBIT, Action.CREDIT, Action.REVERSAL})


@dataclass(eq=False)
class Written:
    """One request on its way to a terminal."""

    wire: "Wire"
    action: str
    payment_id: str | None
    at: float
    #: The terminal has it, not only its connection.
    is_read: bool = False
    #: The terminal has ended it, or will never begin it.
    is_over: bool = False
    #: Its worker has the terminal's whole answer, one that leaves nothing open.
    is_answered: bool = False

    @property
    def is_operation(self) -> bool:
        return self.action in OPERATIONS


@dataclass(frozen=True)
class Charge:
    payment_id: str
    action: str
    amount_cents: int
    at: float


@dataclass
class Ledger:
    """Truth about the money. `link_seconds`: longest time of a request on its way."""

    link_seconds: float
    #: Holder of a terminal lock as it is stored at this moment.
    holder: Callable[[str], str | None]
    #: True for a terminal that left the identification after a finished payment unanswered.
    is_excused: Callable[[str], bool]
    #: Time of the last takeover of a terminal lock; the new owner asks nothing for the seconds below.
    taken_over_at: Callable[[str], float | None]
    new_owner_waits_seconds: float
    written: list[Written] = field(default_factory=list)
    charges: list[Charge] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    #: Whether an operator decided a payment's doubt against the facts: its terminal is released early then.
    is_decided_wrongly: Callable[[str | None], bool] = lambda _: False
    #: Whether somebody asked for the terminal of a payment in doubt early.
    is_asked_for_early: Callable[[str | None], bool] = lambda _: False
    #: Least seconds from such a payment's write to the next operation.
    early_seconds: float = math.inf
    #: Called with a payment whose card was charged.
    on_charged: Callable[[str], None] = lambda _: None
    #: Operations that a terminal read after all of their time; counted, not judged.
    read_late: int = 0

    def wrote(self, wire: "Wire", data: bytes, at: float) -> Written:
        frame = Decoder().feed(data)
        action = frame.fields.get(f.ACTION, "")
        note = Written(wire, action, frame.fields.get(f.PRIVATE_DATA), at)
        self._check(note)
        self.written.append(note)
        return note

    def _check(self, new: Written) -> None:
        if new.is_operation and self.holder(new.wire.terminal.terminal_address) != new.payment_id:
            self._wrong(f"written without the terminal lock: {_text(new)}")
        for old in self.written:
            if old.wire.terminal is not new.wire.terminal:
                continue
            if new.is_operation and old.is_operation and old.payment_id == new.payment_id:
                self._wrong(f"written twice: {new.payment_id}")
            # A terminal that has read a request answers 'busy' to others by itself.
            if new.at - old.at >= self._live_seconds(old) and (old.is_read or self._may_be_unread(new, old)):
                continue
            # The new owner asks, or has released the terminal early, which then identifies itself first.
            beside_silent = self._is_silent_now(old) and self._may_ask(new)
            if old.wire is not new.wire and old.wire.is_live and not beside_silent:
                self._wrong(f"two connections at once: {_text(old)} and {_text(new)}")
            is_freed = self.is_decided_wrongly(old.payment_id) or self._is_released_early(new, old)
            if old.is_operation and not old.is_over and not is_freed:
                foreign = old.wire.process is not new.wire.process
                too_early = foreign and new.action == Action.DUPLICATE and not self._may_ask(new)
                if new.is_operation or too_early:
                    self._wrong(f"two sessions at once: {_text(old)} and {_text(new)}")

    def _live_seconds(self, note: Written) -> float:
        """Return the longest time from a request's write to its end in seconds."""
        return self.link_seconds + note.wire.terminal.kind.own_seconds

    def _is_released_early(self, new: Written, old: Written) -> bool:
        """Return whether an operation follows an early release, at a terminal that has read the older one.

        It answered the identification before; to this it answers 'busy' by itself.
        """
        asked = self.is_asked_for_early(old.payment_id) and new.at - old.at >= self.early_seconds
        return new.is_operation and old.is_read and asked

    def _is_silent_now(self, old: Written) -> bool:
        """Return whether an operation's worker lost the lock since: it may only listen on.

        One that was paused before its write may wake and write shortly after the takeover, inside its write
        window: the new owner waits for that, and writes nothing meanwhile.
        """
        taken_at = self.taken_over_at(old.wire.terminal.terminal_address)
        return old.is_operation and taken_at is not None and old.at < taken_at + self._taker_waits()

    def _may_ask(self, new: Written) -> bool:
        """Return whether a new owner's enquiry comes after the last write of the dead worker."""
        taken_at = self.taken_over_at(new.wire.terminal.terminal_address)
        return taken_at is not None and new.at >= taken_at + self._taker_waits()

    def _taker_waits(self) -> float:
        # The new owner counts from before its statement was sent.
        return self.new_owner_waits_seconds - _STATEMENT_SECONDS

    def _may_be_unread(self, new: Written, old: Written) -> bool:
        """Return whether a request is allowed although an older one, whose time is over, may be unread.

        An operation at a terminal that identifies itself came after an answer, to that or to an enquiry:
        what was sent before has been read by then, unless the terminal answers such questions aside.
        """
        if not new.is_operation or not old.is_operation:
            return True
        terminal = new.wire.terminal
        return terminal.kind.enquires_aside or self.is_excused(terminal.terminal_address)

    def at_work(self) -> frozenset[str]:
        """Return the payments whose request a terminal has, or still may get."""
        return frozenset(
            note.payment_id
            for note in self.written
            if note.is_operation and not note.is_over and note.payment_id is not None
        )

    def read(self, note: Written, at: float) -> None:
        note.is_read = True
        if note.is_operation and at - note.at >= self._live_seconds(note):
            self.read_late += 1

    def charged(self, note: Written, amount_cents: int, at: float) -> None:
        assert note.payment_id is not None
        self.charges.append(Charge(note.payment_id, note.action, amount_cents, at))
        if sum(charge.payment_id == note.payment_id for charge in self.charges) > 1:
            self._wrong(f"charged twice: {note.payment_id}")
        self.on_charged(note.payment_id)

    def _wrong(self, what: str) -> None:
        self.violations.append(what)


def _text(note: Written) -> str:
    return f"{note.wire.process.name} at {note.at:.3f} CD {note.action} {note.payment_id or ''}"
