"""What customer and terminal do in one transaction."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from sandbox.gateway import response_codes


class Customer(StrEnum):
    """What the customer and the card's bank do."""

    APPROVE = "approve"
    REFUSE = "refuse"
    #: The red button.
    ABANDON = "abandon"


class Fault(StrEnum):
    """What the terminal does in place of answering as it should."""

    #: The connection is closed, nothing was charged.
    CLOSE_WITHOUT_ANSWER = "close_without_answer"
    #: The connection is reset, nothing was charged.
    RESET = "reset"
    #: Nobody does anything until the terminal's own time is over; nothing was charged.
    SILENT = "silent"
    #: The transaction ends as the customer wants, the connection is closed without an answer.
    LOSE_ANSWER = "lose_answer"
    #: The transaction ends as the customer wants, the answer is that of the one before.
    EARLIER_ANSWER = "earlier_answer"
    #: The transaction ends as the customer wants, the answer is noise.
    GARBAGE = "garbage"
    #: The transaction ends as the customer wants, the answer is noise, and much later the real one.
    BROKEN_FIRST = "broken_first"
    #: Immediate mode: AE 10 at once, before any card; the customer pays later.
    IMMEDIATE = "immediate"
    #: As with a sale typed by hand on the screen: AE 01 at once, whatever is asked; nothing was charged.
    BUSY = "busy"
    #: The customer does nothing and the terminal gives up by itself: AF 08, nothing was charged.
    WALK_AWAY = "walk_away"
    #: The terminal restarts before the card: every connection is reset and nobody listens for a while.
    REBOOT = "reboot"


PrivateData = Literal["echo", "none", "own", "own_on_success"]
EnquiryAnswer = Literal["repeats", "copies", "refuses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """One transaction, from the request to the end of its answer."""

    customer: Customer = Customer.APPROVE
    #: From the request to the customer's card (or red button, or what goes wrong instead).
    delay_seconds: float = 0.0
    contactless: bool = False
    #: A card of the deck, by its key; None: the terminal's own.
    card: str | None = None
    #: AF of a refusal.
    refusal_code: str = "04"
    #: The bank's answer (ISO 8583, field 39), which then is asked in any case; other than 00 it decides AF.
    issuer_code: str | None = None
    #: CF goes on to the gateway; else its records name no payment, and can be joined by other facts only.
    tells_gateway_reference: bool = True
    #: What is really paid (meal vouchers), where it is less than asked.
    paid_amount_cents: int | None = None
    fault: Fault | None = None
    #: The answer is written in pieces of so many bytes; None: in one.
    piece_bytes: int | None = None
    #: Between two pieces.
    piece_pause_seconds: float = 0.0
    #: What it writes to everybody who connects, before it is asked.
    greeting: str = ""
    #: From the noise of Fault.BROKEN_FIRST to the real answer.
    real_after_seconds: float = 20.0
    #: A success leaves CB out, and a second later this amount follows.
    late_amount_cents: int | None = None
    #: The answer is written as on a serial line: ACK, STX ... ETX, its check byte, EOT.
    wraps: bool = False
    #: The connection stays open after the answer, until the peer closes it.
    keeps_open: bool = False
    #: Tags left out of the answer, e.g. CJ, CF, CB.
    leaves_out: frozenset[str] = frozenset()
    #: The network forgets a connection on which nothing passed for so long: the answer is lost on its way,
    #: and neither side hears of it. None: it forgets nothing.
    network_forgets_after_seconds: float | None = None
    #: How long nobody listens after Fault.REBOOT.
    reboot_seconds: float = 5.0
    #: CB is padded with zeros to 12 digits.
    pads_amount: bool = False
    #: CF: the request's, none, data of its own, or its own on successes only.
    private_data: PrivateData = "echo"
    #: So many characters are missing at the end of the ticket.
    ticket_short_by: int = 0
    #: Lengths count characters instead of bytes; the answer then holds accents.
    counts_characters: bool = False
    #: An enquiry (CD 3) repeats the last transaction, copies the request's fields, or is refused.
    enquiry: EnquiryAnswer = "repeats"
    #: The last two digits of the amount change what happens: see `sandbox.terminal.script.outcomes`.
    amount_decides: bool = False

    @property
    def wanted_code(self) -> str | None:
        """What a bank behind a gateway is told to answer; None: what it would say by itself."""
        if self.issuer_code is None and self.customer is Customer.REFUSE:
            return response_codes.REFUSED
        return self.issuer_code
