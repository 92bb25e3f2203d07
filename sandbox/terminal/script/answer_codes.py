"""The answer codes of card issuers (ISO 8583, field 39) that can be scripted, and the AF they become."""

from typing import Final

from sandbox.gateway import response_codes

#: Refusals that the table of outcomes plays, in their order.
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
