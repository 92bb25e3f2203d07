"""Settings of one virtual terminal: its merchant, its card, its limits."""

from dataclasses import dataclass
from typing import Final, Literal

from sandbox.cards import DECK

#: Number of the card that is presented where none is chosen; no bank issued it.
TEST_CARD_NUMBER: Final = DECK[0].pan

DEFAULT_PORT: Final = 8888
REQUEST_IDLE_SECONDS: Final = 0.05

WhenBusy = Literal["answer", "backlog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """Settings that stay while the terminal runs."""

    #: CZ of every answer, whatever the request's is.
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
    #: Above this amount in cents the terminal asks for an authorisation; below it where one is forced.
    floor_limit_cents: int = 3000
    #: Above this amount in cents a card has to be inserted, where the customer acts by hand.
    contactless_limit_cents: int = 5000
    #: AA and receipt hold the whole card number; real terminals mask it.
    shows_full_card_number: bool = False
    #: AA, AI and CI in answers; HiPay's terminals leave them out.
    sends_card_fields: bool = True
    #: A request while another transaction runs is answered AE 01 at once, or waits unread in the backlog.
    when_busy: WhenBusy = "answer"
    #: Silence after which a request with all required fields is taken. 0: at once, for clients that write a
    #: request in one piece.
    request_idle_seconds: float = REQUEST_IDLE_SECONDS
    #: Silence after which a request that is cut or lacks a field is rejected for its format.
    request_incomplete_seconds: float = 2.0
    #: CR LF must follow a request, else it is rejected for its format.
    requires_line_end: bool = False
    #: Time without a customer after which the transaction is given up.
    terminal_time_seconds: float = 240.0
