"""Command `cloud-terminal payments show`."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.remote.output import AsJson, Column, euros, print_facts, print_rows, short_time, shown

if TYPE_CHECKING:
    from cli.remote.output import Row

#: Members of the payment that stand elsewhere, or are too long for a line.
_ELSEWHERE: Final = frozenset({"id", "amount", "currency", "receipt"})


def _time_of(row: "Row") -> str:
    return short_time(row["at"])


_EVENTS: Final = (
    Column("at (UTC)", _time_of),
    Column("event", "event"),
    Column("state", "state"),
    Column("detail", "detail"),
)
_EVIDENCE: Final = (
    Column("at (UTC)", _time_of),
    Column("source", "source"),
    Column("proves", lambda row: row.get("proves") or "(a hint)"),
    Column("detail", "detail"),
)


def show_payment(
    payment: Annotated[str, typer.Argument(help="The payment's id.")],
    as_json: AsJson = False,
) -> None:
    """Show any merchant's payment with its history and evidence."""
    from cli.remote.client import api, path_of

    with api() as server:
        case = server.get(path_of("v1", "operator", "payments", payment))
    print_facts(facts_of(case), as_json=as_json, whole=case)
    if as_json:
        return
    for title, rows, columns in (
        ("History", case.get("events", []), _EVENTS),
        ("Evidence", case["evidence"], _EVIDENCE),
    ):
        print(f"\n{title}")
        print_rows(rows, columns, as_json=False, nothing="none")


def facts_of(case: "Row") -> dict[str, Any]:
    """Return the facts of a payment and its doubt by name, in the order in which people ask for them."""
    facts = facts_of_payment(case["payment"])
    facts |= {"merchant": case["merchant_id"], "terminal": case["terminal_address"]}
    if "in_doubt_seconds" in case:
        facts["in doubt for"] = f"{case['in_doubt_seconds']:.0f} s"
        left = case["decision_in_seconds"]
        facts["may be decided"] = (
            f"charged in {left['charged']:.0f} s, not charged in {left['not_charged']:.0f} s"
        )
    return facts


def facts_of_payment(payment: "Row") -> dict[str, Any]:
    """Return a payment's facts by name."""
    facts: dict[str, Any] = {
        "payment": payment["id"],
        "amount": euros(payment["amount"], payment["currency"]),
    }
    return facts | {name: shown(value) for name, value in payment.items() if name not in _ELSEWHERE}
