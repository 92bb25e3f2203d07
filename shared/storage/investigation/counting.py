"""Totals' view of a payment: its time, and what it counts for, as SQL over a row of `payments`."""

from typing import Final

_AT: Final = (
    "CASE WHEN {0}doubted_at IS NULL THEN COALESCE({0}ended_at, {0}claimed_at, {0}created_at)"
    " ELSE {0}claimed_at END"
)
#: Payments whose outcome is known and undisputed, open, or contradicted by a proof: each is one of them.
_DONE: Final = "state = 'succeeded' AND NOT contradicted"
_OPEN: Final = "state IN ('in_session', 'in_doubt') AND NOT contradicted"
_CENTS: Final = "COALESCE(paid_cents, amount_cents)"
_KINDS: Final = {"": _DONE, "open_": _OPEN, "contradicted_": "contradicted"}

#: Names of the counts and sums.
MEASURES: Final = tuple(f"{prefix}{measure}" for prefix in _KINDS for measure in ("count", "cents"))


def time_of(row: str = "") -> str:
    """Return the time of the terminal's transaction: its end.

    The end of a doubt comes later, so such a payment has the time of its claim, a few minutes before at the
    most. `row` is a row's name with a dot.
    """
    return _AT.format(row)


def is_counted(row: str = "") -> str:
    """Return the condition of a payment that totals count."""
    return f"({row}contradicted OR {row}state IN ('succeeded', 'in_session', 'in_doubt'))"


def measures() -> str:
    """Return the counts and sums over a group of payments."""
    return ", ".join(
        f"COUNT(CASE WHEN {condition} THEN 1 END) AS {prefix}count,"
        f" COALESCE(SUM(CASE WHEN {condition} THEN {_CENTS} END), 0) AS {prefix}cents"
        for prefix, condition in _KINDS.items()
    )


#: Of payments that were accepted, and whose transaction was, in a time; `:created_from` bounds the search.
IN_TIME: Final = (
    "created_at >= :created_from AND created_at < :ends_at"
    f" AND {time_of()} >= :starts_at AND {time_of()} < :ends_at AND {is_counted()}"
)
