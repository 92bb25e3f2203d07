"""Command `cloud-terminal payments show`."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cli.process import printable
from cli.remote.output import (
    AsJson,
    Column,
    euros,
    print_facts,
    print_rows,
    print_with_details,
    short_time,
    shown,
    words_of,
)

if TYPE_CHECKING:
    from cli.remote.output import Row

#: Members of the payment that stand elsewhere, or are too long for a line.
_ELSEWHERE: Final = frozenset({"id", "amount", "currency", "receipt"})


def _time_of(row: "Row") -> str:
    return short_time(row["at"])


#: What names an evidence for machines.
_FOR_MACHINES: Final = frozenset({"fingerprint", "receipt_fingerprint"})
_EVENTS: Final = (Column("at (UTC)", _time_of), Column("event", "event"), Column("state", "state"))
_EVIDENCE: Final = (
    Column("at (UTC)", _time_of),
    Column("source", "source"),
    Column("proves", lambda row: row.get("proves") or "(a hint)"),
    Column("by", "brought_by"),
)
_RESPONSES: Final = (
    Column("at (UTC)", _time_of),
    Column("answer", lambda row: f"{row['status']} {row['code']}"),
    Column("", lambda row: "had left" if row["client_left"] else ""),
)
_DELIVERIES: Final = (
    Column("delivery", "id", is_whole=True),
    Column("type", "type"),
    Column("state", "state"),
    Column("attempts", lambda row: len(row["attempts"]), "right"),
)


def show_payment(
    payment: Annotated[str, typer.Argument(help="The payment's id.")],
    as_json: AsJson = False,
) -> None:
    """Show any merchant's payment: history, evidence, answers that clients were given, receipt."""
    from cli.remote.client import api, path_of

    with api() as server:
        case = server.get(path_of("v1", "operator", "payments", payment))
    print_facts(facts_of(case), as_json=as_json, whole=case)
    if as_json:
        return
    for title, rows, columns, detail in (
        ("History", case.get("events", []), _EVENTS, _happened),
        ("Evidence", case["evidence"], _EVIDENCE, _detail),
        ("Answers that clients were given", case["responses"], _RESPONSES, _asked),
    ):
        print(f"\n{title}")
        print_with_details(rows, columns, detail, as_json=False, nothing="none")
    print("\nDeliveries")
    print_rows(case["deliveries"], _DELIVERIES, as_json=False, nothing="none")
    if "receipt" in case:
        print("\nReceipt")
        for line in case["receipt"].splitlines():
            print(f"    {printable(line)}".rstrip())
    _say_equal_charges(case)


def _happened(row: "Row") -> str:
    if row["event"] == "evidence":
        # Its own table has the rest.
        return words_of({name: row["detail"].get(name) for name in ("source", "proves")})
    return _detail(row)


def _detail(row: "Row") -> str:
    return words_of(row["detail"], hidden=_FOR_MACHINES)


def _asked(row: "Row") -> str:
    client = f" from {row['client']}" if "client" in row else ""
    return printable(f"{row['request']} of {row['credential']}{client}")


def _say_equal_charges(case: "Row") -> None:
    """Say where the same card paid the same amount at the same terminal nearby."""
    equal = case.get("equal_charges", {"payments": []})
    others = [each["id"] for each in equal["payments"] if each["id"] != case["payment"]["id"]]
    if others:
        print(
            f"\nEqual payments nearby: {equal['charged']} charged, {equal['may_have_charged']} may have,"
            f" {equal['given_back']} given back"
        )
        for each in others:
            print(f"    {each}")


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
