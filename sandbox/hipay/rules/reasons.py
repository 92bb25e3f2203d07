"""HiPay's refusal reasons. The choice of a reason by ISO 8583 code is this project's."""

from typing import Final

_WITHOUT_REASON: Final = "4010101"

MESSAGES: Final = {
    _WITHOUT_REASON: "Refusal without explicit reason",
    "4010102": "Issuer not available",
    "4010103": "Insufficient funds",
    "4010201": "Transaction not permitted",
    "4010202": "Invalid card number",
    "4010204": "Card expired",
    "4010302": "Retain card",
    "4010303": "Lost or stolen card",
    "4010304": "Restricted card",
    "4010305": "Limit exceeded",
    "4000004": "Technical problem",
}

_BY_CODE: Final = {
    "91": "4010102",
    "51": "4010103",
    "57": "4010201",
    "14": "4010202",
    "54": "4010204",
    "04": "4010302",
    "07": "4010302",
    "41": "4010303",
    "43": "4010303",
    "62": "4010304",
    "61": "4010305",
    "65": "4010305",
    "96": "4000004",
}


def reason_of(iso_code: str | None) -> tuple[str, str]:
    """Return code and message of a refusal; a code that is not listed has no explicit reason."""
    code = _BY_CODE.get(iso_code or "", _WITHOUT_REASON)
    return code, MESSAGES[code]
