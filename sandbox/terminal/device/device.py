"""What one virtual terminal is: its merchant, its card, its limits."""

from dataclasses import dataclass
from typing import Final, Literal

from sandbox.cards import DECK

#: The number of the card that is presented where nothing else is said; no bank issued it.
TEST_CARD_NUMBER: Final = DECK[0].pan

DEFAULT_PORT: Final = 8888
REQUEST_IDLE_SECONDS: Final = 0.05

WhenBusy = Literal["answer", "backlog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """The settings of a terminal that stay while it runs."""

    #: CZ of every answer: some terminals answer with their own, whatever the request says.
    version: str = "0320"
    merchant_name: str = "BOULANGERIE DU CANAL"
    merchant_place: str = "75010 PARIS"
    #: CG.
    contract: str = "1999403"
    #: The merchant's rank, as the order's `contract_array` has it.
    rank: str = "001"
    #: Company number, 14 digits.
    siret: str = "73282932000074"
    bank_code: str = "30004"
    serial: str = "CT-000001"
    card_number: str = TEST_CARD_NUMBER
    #: Above this amount in cents an authorisation is asked for, and below it where the request forces one.
    floor_limit_cents: int = 3000
    #: Above this amount in cents a card has to be inserted, where the customer acts by hand.
    contactless_limit_cents: int = 5000
    #: Card number in AA and ticket as it is; real terminals mask it.
    shows_full_card_number: bool = False
    #: AA, AI and CI in answers; HiPay's terminals leave them out.
    sends_card_fields: bool = True
    #: A request while another transaction runs: AE 01 at once, or the connection waits unread for its turn.
    when_busy: WhenBusy = "answer"
    #: A request is whole on a field boundary, with what it needs, and so long without a byte. 0: at once,
    #: for clients that write a request in one piece.
    request_idle_seconds: float = REQUEST_IDLE_SECONDS
    #: A request that is cut or lacks a field is rejected for its format after so long without a byte.
    request_incomplete_seconds: float = 2.0
    #: CR LF must follow a request, else it is rejected for its format.
    requires_line_end: bool = False
    #: Nobody at the terminal: so long the amount is shown, then the transaction is given up.
    terminal_time_seconds: float = 240.0
