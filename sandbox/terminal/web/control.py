"""The terminal's control API as JSON: script the next payments, present cards, press keys, collect."""

from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from sandbox.cards import Mode, card_of_key
from sandbox.terminal.device.card import CardRead
from sandbox.terminal.device.screen import Key, Stage
from sandbox.terminal.gateway.collection import Collection, TerminalBusy
from sandbox.terminal.script.script import LONGEST_SCRIPT, BadScript, read_script
from sandbox.terminal.server.server import VirtualTerminal
from sandbox.terminal.web.view import journal_of, state_of

LONGEST_DELAY_SECONDS: Final = 3600


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Script(_Body):
    """The body of `POST /script`: a step for each coming payment; `replace` drops queued steps."""

    next: Annotated[list[str | dict[str, Any]], Field(max_length=LONGEST_SCRIPT)]
    replace: bool = False


class CardPresented(_Body):
    """The body of `POST /card`: a card of the deck, by its key."""

    card: str
    mode: Mode = Mode.CONTACT


class KeyPressed(_Body):
    """The body of `POST /key`: a coloured key, or digits of a PIN."""

    key: Literal["green", "yellow", "red"] | Annotated[str, Field(pattern="^[0-9]{1,12}$")]


class Settings(_Body):
    """The body of `POST /settings`; a field that is left out stays."""

    by_hand: bool | None = None
    delay_seconds: Annotated[float, Field(ge=0, le=LONGEST_DELAY_SECONDS)] | None = None
    amount_decides: bool | None = None


class Control:
    """The operations on one terminal."""

    def __init__(self, terminal: VirtualTerminal) -> None:
        self._terminal = terminal

    async def state(self) -> dict[str, Any]:
        """Return screen and settings."""
        return state_of(self._terminal)

    async def journal(self) -> list[dict[str, Any]]:
        """Return the stored transactions, the oldest first."""
        return journal_of(self._terminal)

    async def records(self) -> list[dict[str, Any]]:
        """Return the sessions with their bytes, the oldest first."""
        return [asdict(record) for record in self._terminal.records]

    async def script(self, body: Script) -> dict[str, Any]:
        """Queue the script's steps."""
        try:
            steps = read_script(body.next)
        except BadScript as error:
            raise HTTPException(422, str(error)) from error
        if body.replace:
            self._terminal.forget_script()
        if len(self._terminal.script) + len(steps) > LONGEST_SCRIPT:
            raise HTTPException(409, f"At most {LONGEST_SCRIPT} steps can be queued.")
        self._terminal.queue_script(steps)
        return state_of(self._terminal)

    async def settings(self, body: Settings) -> dict[str, Any]:
        """Change settings from the next payment on."""
        self._terminal.set_up(
            by_hand=body.by_hand, delay_seconds=body.delay_seconds, amount_decides=body.amount_decides
        )
        return state_of(self._terminal)

    async def card(self, body: CardPresented) -> dict[str, Any]:
        """Present a card; 409 unless the terminal waits for one."""
        chosen = card_of_key(body.card)
        if chosen is None:
            raise HTTPException(404, f"The deck has no card {body.card}.")
        if self._terminal.screen.stage is not Stage.CARD:
            raise HTTPException(409, "The terminal waits for no card.")
        self._terminal.present(CardRead(chosen, body.mode))
        return state_of(self._terminal)

    async def key(self, body: KeyPressed) -> dict[str, Any]:
        """Press a key; at a stage where it has no effect nothing happens."""
        press(self._terminal, body.key)
        return state_of(self._terminal)

    async def collect(self) -> Collection:
        """Run a remote collection; 409 during a payment or another collection."""
        try:
            return await self._terminal.collect()
        except TerminalBusy as error:
            raise HTTPException(409, str(error)) from error

    async def reset(self) -> dict[str, Any]:
        """Forget journal, records and script, and give up the transaction on the screen."""
        self._terminal.reset()
        return state_of(self._terminal)


def control_routes(terminal: VirtualTerminal) -> APIRouter:
    """Return the routes of one terminal."""
    router, control = APIRouter(), Control(terminal)
    router.get("/state")(control.state)
    router.get("/journal")(control.journal)
    router.get("/records")(control.records)
    router.post("/script")(control.script)
    router.post("/settings")(control.settings)
    router.post("/card")(control.card)
    router.post("/key")(control.key)
    router.post("/collect")(control.collect)
    router.post("/reset")(control.reset)
    return router


def press(terminal: VirtualTerminal, key: str) -> None:
    """Press a coloured key by its name, or type digits."""
    if key.isdigit():
        for typed in key:
            terminal.type_digit(typed)
    else:
        terminal.press(Key(key))
