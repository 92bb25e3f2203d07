"""Table of scripted outcomes, by the last two digits of an amount, or by name.

Source of `docs/sandbox/outcomes.md`, `cloud-terminal sandbox outcomes`, `--behaviour`, the control API's
`POST /script`, and of a virtual terminal's behaviour for such an amount.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from sandbox.gateway import response_codes
from sandbox.terminal.script.behaviour import Behaviour, Customer, Fault

#: Issuers' answer codes (ISO 8583, field 39) in the table, in their order.
REFUSALS: Final = (
    "04",
    "05",
    response_codes.INVALID_NUMBER,
    "41",
    "43",
    response_codes.NO_FUNDS,
    response_codes.EXPIRED,
    response_codes.WRONG_PIN,
    "57",
    response_codes.OVER_LIMIT,
    "62",
    "65",
    response_codes.TOO_MANY_PINS,
    response_codes.UNAVAILABLE,
    "96",
)
#: AF 05, forbidden; all others are AF 04, refused.
_FORBIDDEN: Final = frozenset({"41", "43", "57", "62"})


def answer_code_of(code: str) -> str:
    """Return the first two digits of AF for a refusal."""
    return "05" if code in _FORBIDDEN else "04"


class UnknownOutcome(ValueError):
    """Raised for a name or a number that is not in the table."""


@dataclass(frozen=True, slots=True)
class ScriptedOutcome:
    """One row of the table."""

    name: str
    #: The last two digits of the amount in cents; None: by name only.
    ending: str | None
    meaning: str
    #: The card is charged.
    charged: bool
    #: Fields that differ from the terminal's usual behaviour.
    changes: Mapping[str, Any] = field(default_factory=dict)

    def applied_to(self, usual: Behaviour) -> Behaviour:
        """Return the usual behaviour with this row's changes."""
        return replace(usual, **self.changes)


def _row(
    name: str, ending: str | None, meaning: str, *, charged: bool = True, **changes: Any
) -> ScriptedOutcome:
    return ScriptedOutcome(name, ending, meaning, charged, changes)


def _in_a_sentence(words: str) -> str:
    return words if words.startswith("PIN") else words[0].lower() + words[1:]


def _refused(code: str) -> ScriptedOutcome:
    return _row(
        f"refused_{code}",
        code,
        f"refused by the bank, code {code}: {_in_a_sentence(response_codes.meaning(code))}",
        charged=False,
        customer=Customer.REFUSE,
        issuer_code=code,
    )


OUTCOMES: Final = (
    _row("usual", "00", "what the terminal is set to: without options the customer pays and it is approved"),
    *(_refused(code) for code in REFUSALS),
    _row("slow", "21", "the customer takes 30 seconds, then pays", delay_seconds=30.0),
    _row(
        "abandoned",
        "22",
        "the customer presses the red key (AF 06)",
        charged=False,
        customer=Customer.ABANDON,
    ),
    _row(
        "busy",
        "23",
        "busy with a sale typed by hand: AE 01 at once, without a reason",
        charged=False,
        fault=Fault.BUSY,
    ),
    _row(
        "silent",
        "24",
        "no answer until the terminal's own time is over (240 s), then it closes",
        charged=False,
        fault=Fault.SILENT,
    ),
    _row(
        "late_success",
        "26",
        "the customer pays after 200 seconds, when a client has given up",
        delay_seconds=200.0,
    ),
    _row(
        "walked_away",
        "27",
        "the customer does nothing for 20 seconds and the terminal gives up (AF 08)",
        charged=False,
        fault=Fault.WALK_AWAY,
        delay_seconds=20.0,
    ),
    _row(
        "partial",
        "28",
        "only 1.00 is paid, as with meal vouchers: CB is lower than asked",
        paid_amount_cents=100,
    ),
    _row(
        "byte_by_byte",
        "31",
        "the answer comes in pieces of one byte, 2 ms apart",
        piece_bytes=1,
        piece_pause_seconds=0.002,
    ),
    _row(
        "paused",
        "32",
        "the answer pauses for 400 ms after every 300 bytes",
        piece_bytes=300,
        piece_pause_seconds=0.4,
    ),
    _row(
        "lost_answer",
        "33",
        "approved, then the connection drops without an answer",
        fault=Fault.LOSE_ANSWER,
    ),
    _row(
        "closed",
        "34",
        "the connection is closed without an answer",
        charged=False,
        fault=Fault.CLOSE_WITHOUT_ANSWER,
    ),
    _row("reset", "36", "the connection is reset without an answer", charged=False, fault=Fault.RESET),
    _row("noise", "37", "approved, and the answer is noise", fault=Fault.GARBAGE),
    _row(
        "earlier_answer",
        "38",
        "approved, and the answer is the previous transaction's",
        fault=Fault.EARLIER_ANSWER,
    ),
    _row(
        "immediate",
        "39",
        "immediate mode: AE 10 at once, before any card; the customer pays later",
        fault=Fault.IMMEDIATE,
    ),
    _row(
        "reboot",
        "46",
        "the terminal restarts before the card and accepts no connection for 5 seconds",
        charged=False,
        fault=Fault.REBOOT,
    ),
    _row(
        "forgotten_connection",
        "47",
        "approved after 31 seconds, when the network has forgotten the connection: no answer, no end",
        delay_seconds=31.0,
        network_forgets_after_seconds=30.0,
    ),
    _row(
        "gateway_without_reference",
        "48",
        "approved, and CF is not sent to the gateway: its records name no payment",
        sends_gateway_reference=False,
    ),
    _row(
        "broken_first",
        "49",
        "approved, the answer is noise, and 20 seconds later the real one comes on the same connection",
        fault=Fault.BROKEN_FIRST,
    ),
    _row(
        "greets",
        None,
        "the terminal writes before the request: a client that reads it sends no request",
        charged=False,
        greeting="READY\r\n",
        fault=Fault.BUSY,
    ),
    _row(
        "wrapped", None, "the answer comes as on a serial line: ACK, STX ... ETX, check byte, EOT", wraps=True
    ),
    _row(
        "late_amount",
        None,
        "CB is left out of a success, and a second later another amount comes: 999.99",
        late_amount_cents=99_999,
    ),
    _row("stays_open", None, "the connection stays open after the answer", keeps_open=True),
    _row("without_reference", None, "CF is left out of the answer", leaves_out=frozenset({"CF"})),
    _row("without_software_id", None, "CJ is left out of the answer", leaves_out=frozenset({"CJ"})),
    _row(
        "own_reference", None, "CF holds the terminal's own data on successes", private_data="own_on_success"
    ),
    _row("padded_amount", None, "CB is padded with zeros to 12 digits", pads_amount=True),
    _row("short_receipt", None, "the receipt ends one character short of its length", receipt_short_by=1),
    _row("counts_characters", None, "lengths count characters, not bytes", counts_characters=True),
    _row("copying_enquiry", None, "an enquiry's answer copies the request's fields", enquiry="copies"),
    _row("refused_enquiry", None, "an enquiry is refused", enquiry="refuses"),
)

_BY_ENDING: Final = {row.ending: row for row in OUTCOMES if row.ending is not None}
_BY_NAME: Final = {row.name: row for row in OUTCOMES}


def outcome_named(name: str) -> ScriptedOutcome:
    """Return the row of a name, or of two digits (`51` as well as `refused_51`). Raises UnknownOutcome."""
    row = _BY_NAME.get(name) or _BY_ENDING.get(name)
    if row is None:
        raise UnknownOutcome(f"no outcome {name!r}; there are {', '.join(_BY_NAME)}")
    return row


def outcome_of_amount(amount_cents: int) -> ScriptedOutcome | None:
    """Return the row of an amount's last two digits, or None."""
    return _BY_ENDING.get(f"{amount_cents % 100:02d}")
