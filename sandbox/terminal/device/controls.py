"""Controls of a terminal: the screen, cards and keys, and the settings that may change while it runs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from sandbox.pages.app import Changes
from sandbox.terminal.device.card import CardRead
from sandbox.terminal.device.screen import Key, Screen
from sandbox.terminal.device.transaction import Memory
from sandbox.terminal.device.transaction_run import TransactionRun
from sandbox.terminal.script.behaviour import Behaviour
from sandbox.terminal.script.script import BehaviourSelection, ScriptStep
from sandbox.terminal.server.request import Request
from sandbox.terminal.state import TerminalState


class TerminalControls(BehaviourSelection):
    """A terminal as the person in front of it and its control API use it."""

    def __init__(
        self,
        state: TerminalState,
        behaviour: Behaviour | None,
        by_amount: Mapping[int, Behaviour] | None,
        choose: Callable[[Request], Behaviour | None] | None,
    ) -> None:
        super().__init__(behaviour, by_amount, choose)
        self._state = state
        #: The transaction on the screen; None: there is none.
        self._run: TransactionRun | None = None

    @property
    def is_busy(self) -> bool:
        """Return whether a transaction is on the screen."""
        return self._run is not None

    @property
    def memory(self) -> Memory:
        return self._state.memory

    @property
    def screen(self) -> Screen:
        return self._state.screen

    @property
    def changes(self) -> Changes:
        """Return the change counter of screen, script and settings."""
        return self._state.changes

    @property
    def by_hand(self) -> bool:
        """Return whether somebody acts as the customer; a change applies from the next transaction on."""
        return self._state.by_hand

    @property
    def has_gateway(self) -> bool:
        """Return whether a gateway answers authorisations."""
        return self._state.gateway is not None

    @property
    def unsent_completions(self) -> int:
        """Return the count of completions that the gateway has not acknowledged."""
        return len(self._state.completions)

    def present_card(self) -> None:
        """End the transaction on the screen now, as its behaviour says."""
        if self._run is not None:
            self._run.act()

    def present(self, card_read: CardRead) -> None:
        """Present a card; where the customer acts by itself, its PIN follows at once."""
        if self._run is None:
            return
        if self._run.by_hand:
            self._run.present(card_read)
        else:
            self._run.act(card_read)

    def type_digit(self, typed: str) -> None:
        """Type a digit of the PIN."""
        if self._run is not None:
            self._run.type_digit(typed)

    def press(self, key: Key) -> None:
        """Press a coloured key."""
        if self._run is not None:
            self._run.press(key)

    def press_red_button(self) -> None:
        """Abandon the transaction on the screen."""
        if self._run is not None:
            self._run.abandon()

    def set_up(
        self,
        *,
        by_hand: bool | None = None,
        delay_seconds: float | None = None,
        amount_decides: bool | None = None,
    ) -> None:
        """Change settings from the next transaction on; None leaves one unchanged."""
        if delay_seconds is not None:
            self.behaviour = replace(self.behaviour, delay_seconds=delay_seconds)
        if amount_decides is not None:
            self.behaviour = replace(self.behaviour, amount_decides=amount_decides)
        if by_hand is not None:
            self._state.by_hand = by_hand
        self.changes.notify()

    def queue_script(self, steps: Iterable[ScriptStep]) -> None:
        """Queue steps of the script, one for each coming transaction."""
        self.script.extend(steps)
        self.changes.notify()
