"""Behaviour of customer, bank and terminal in one transaction."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from sandbox.gateway import response_codes


class Customer(StrEnum):
    """Action of customer and bank."""

    APPROVE = "approve"
    REFUSE = "refuse"
    #: The red button.
    ABANDON = "abandon"


class Fault(StrEnum):
    """Fault of the terminal."""

    #: The connection is closed, nothing was charged.
    CLOSE_WITHOUT_ANSWER = "close_without_answer"
    #: The connection is reset, nothing was charged.
    RESET = "reset"
    #: Nothing happens until the terminal's time is over; nothing was charged.
    SILENT = "silent"
    #: The transaction ends as the customer wants, the connection is closed without an answer.
    LOSE_ANSWER = "lose_answer"
    #: The transaction ends as the customer wants, the answer is that of the one before.
    EARLIER_ANSWER = "earlier_answer"
    #: The transaction ends as the customer wants, the answer is noise.
    GARBAGE = "garbage"
    #: The transaction ends as the customer wants, the answer is noise, and the real one comes much later.
    BROKEN_FIRST = "broken_first"
    #: Immediate mode: AE 10 at once, before any card; the customer pays later.
    IMMEDIATE = "immediate"
    #: As with a sale typed by hand on the screen: AE 01 at once, whatever is asked; nothing was charged.
    BUSY = "busy"
    #: The customer does nothing and the terminal gives up: AF 08, nothing was charged.
    WALK_AWAY = "walk_away"
    #: The terminal restarts before the card: every connection is reset, and none is accepted for a while.
    REBOOT = "reboot"


PrivateData = Literal["echo", "none", "own", "own_on_success"]
EnquiryAnswer = Literal["repeats", "copies", "refuses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Behaviour from the request to the end of its answer."""

    customer: Customer = Customer.APPROVE
    #: From the request to the customer's card (or red key, or fault).
    delay_seconds: float = 0.0
    contactless: bool = False
    #: A card of the deck, by its key; None: the terminal's own.
    card: str | None = None
    #: AF of a refusal.
    refusal_code: str = "04"
    #: The bank's answer (ISO 8583, field 39); the bank is asked in any case. Other than 00 it decides AF.
    issuer_code: str | None = None
    #: CF is sent to the gateway; else its records name no payment, and are matched by other facts.
    sends_gateway_reference: bool = True
    #: Amount paid (meal vouchers), where it is less than requested.
    paid_amount_cents: int | None = None
    fault: Fault | None = None
    #: Size of the pieces in which the answer is written; None: one piece.
    piece_bytes: int | None = None
    #: Pause between two pieces.
    piece_pause_seconds: float = 0.0
    #: Text that is written on every new connection, before a request.
    greeting: str = ""
    #: From the noise of Fault.BROKEN_FIRST to the real answer.
    real_after_seconds: float = 20.0
    #: A success lacks CB, and this amount follows a second later.
    late_amount_cents: int | None = None
    #: The answer is written as on a serial line: ACK, STX ... ETX, its check byte, EOT.
    wraps: bool = False
    #: The connection stays open after the answer, until the peer closes it.
    keeps_open: bool = False
    #: Tags left out of the answer, e.g. CJ, CF, CB.
    leaves_out: frozenset[str] = frozenset()
    #: Idle time after which the network forgets a connection: the answer is lost, and neither side is
    #: notified. None: never.
    network_forgets_after_seconds: float | None = None
    #: Time without a listening socket after Fault.REBOOT.
    reboot_seconds: float = 5.0
    #: CB is padded with zeros to 12 digits.
    pads_amount: bool = False
    #: CF: the request's, none, data of its own, or its own on successes only.
    private_data: PrivateData = "echo"
    #: Characters that are missing at the end of the receipt.
    receipt_short_by: int = 0
    #: Lengths count characters instead of bytes; the answer then holds accents.
    counts_characters: bool = False
    #: An enquiry (CD 3) repeats the last transaction, copies the request's fields, or is refused.
    enquiry: EnquiryAnswer = "repeats"
    #: The last two digits of the amount change what happens: see `sandbox.terminal.script.outcomes`.
    amount_decides: bool = False

    @property
    def wanted_code(self) -> str | None:
        """Return the code with which the issuer behind a gateway has to answer; None: its own decision."""
        if self.issuer_code is None and self.customer is Customer.REFUSE:
            return response_codes.REFUSED
        return self.issuer_code
