"""The condition of a debit that has another one of the same card, amount and terminal near it.

Of the same card are few near each other, whatever the terminal sells; without a card, as in doubt, are few on
a terminal. So each of the two is searched by an index of its own, and only for a debit without a card all of
its terminal's are looked at.
"""

from typing import Final

#: A debit that charged the card, or may have.
_MAY_HAVE_CHARGED: Final = (
    "{0}.operation = 'debit' AND ({0}.state IN ('in_session', 'in_doubt', 'succeeded') OR {0}.contradicted)"
)
#: The condition of the index `payments_without_card`.
WITHOUT_CARD: Final = (
    "masked_card IS NULL AND operation = 'debit'"
    " AND (state IN ('in_session', 'in_doubt', 'succeeded') OR contradicted)"
)
#: COALESCE keeps a database from a search by the merchant, who may have a terminal alone.
_NEAR: Final = (
    "twin.created_at BETWEEN payments.created_at - {within} AND payments.created_at + {within}"
    " AND twin.id <> payments.id AND COALESCE(twin.merchant_id, '') = payments.merchant_id"
    " AND twin.amount_cents = payments.amount_cents"
    f" AND {_MAY_HAVE_CHARGED.format('twin')}"
)
_OF_TERMINAL: Final = "twin.terminal_address = payments.terminal_address"


def _is_there(condition: str) -> str:
    return f"(SELECT twin.id FROM payments twin WHERE {condition} AND {_NEAR} LIMIT 1) IS NOT NULL"


def has_a_twin(within: str) -> str:
    """Return the condition on a row of `payments`; `within` is a parameter, in milliseconds."""
    of_its_card = _is_there(
        "twin.card_last_four = payments.card_last_four AND twin.masked_card = payments.masked_card"
        # Not searched by: a busy terminal has hundreds near each other.
        " AND COALESCE(twin.terminal_address, '') = payments.terminal_address"
    )
    of_its_terminal = _is_there(_OF_TERMINAL)
    without_card = _is_there(f"twin.masked_card IS NULL AND {_OF_TERMINAL}")
    condition = (
        f"{_MAY_HAVE_CHARGED.format('payments')} AND CASE WHEN payments.masked_card IS NULL"
        f" THEN {of_its_terminal} ELSE {of_its_card} OR {without_card} END"
    )
    return condition.replace("{within}", within)
