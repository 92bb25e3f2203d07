import io

from rich.console import Console

from sandbox.demo.console_table import console_table


def test_the_console_is_shown_with_status_amounts_brand_and_card_and_the_sums() -> None:
    """The oldest first; the Console itself lists the newest first."""
    later = {
        "order_id": "BAGUETTE-7",
        "transaction_reference": "179587711802",
        "status": 118,
        "message": "Captured",
        "authorised_cents": 0,
        "captured_cents": 1250,
        "payment": {"brand": "cb", "masked_pan": "497010******7893"},
    }
    earlier = later | {"order_id": "PICNIC-6", "status": 116, "message": "Authorized", "captured_cents": 0}
    totals = {"count": 2, "authorised_cents": 0, "captured_cents": 1250}
    console = Console(file=io.StringIO(), width=110)

    console.print(console_table([later, earlier], totals))

    assert isinstance(console.file, io.StringIO)
    lines = [line.split() for line in console.file.getvalue().splitlines()]
    first = ["PICNIC-6", "179587711802", "116", "Authorized", "0.00", "0.00", "cb", "497010******7893"]
    second = ["BAGUETTE-7", "179587711802", "118", "Captured", "0.00", "12.50", "cb", "497010******7893"]
    assert lines.index(first) < lines.index(second)
    assert ["sum", "0.00", "12.50"] in lines
