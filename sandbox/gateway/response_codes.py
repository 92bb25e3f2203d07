"""Answer codes of ISO 8583 (field 39) with their meanings."""

from typing import Final

APPROVED: Final = "00"
REFUSED: Final = "05"
INVALID_NUMBER: Final = "14"
NO_FUNDS: Final = "51"
EXPIRED: Final = "54"
WRONG_PIN: Final = "55"
OVER_LIMIT: Final = "61"
TOO_MANY_PINS: Final = "75"
UNAVAILABLE: Final = "91"

MEANINGS: Final = {
    APPROVED: "Approved",
    "04": "Card to be retained",
    REFUSED: "Refused without a reason",
    INVALID_NUMBER: "Unknown card number",
    "41": "Card reported lost",
    "43": "Card reported stolen",
    NO_FUNDS: "Insufficient funds",
    EXPIRED: "Card expired",
    WRONG_PIN: "Wrong PIN",
    "57": "Not permitted to this card",
    OVER_LIMIT: "Above the card's limit",
    "62": "Restricted card",
    "65": "Too many payments",
    TOO_MANY_PINS: "Too many wrong PINs",
    UNAVAILABLE: "Issuer not available",
    "96": "Technical problem",
}


def meaning(code: str) -> str:
    """Return the code's meaning; `Refused` for a code that is not listed."""
    return MEANINGS.get(code, "Refused")
