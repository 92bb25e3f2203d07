"""Files of an acquirer's or a terminal's figures, as they are written in France and elsewhere."""

import pytest

from cli.totals.csv_file import SumsFile, TransactionsFile, UnreadableFile, read_file
from shared.payment.reconciliation import Sum


@pytest.mark.parametrize(
    ("amount", "cents"),
    [("12.50", 1250), ("12,5", 1250), ("1\u202f234,56", 123456), ("1 234,56 €", 123456), ("7", 700)],
)
def test_an_amount_is_read_as_people_write_it(amount: str, cents: int) -> None:
    """With a comma or a point, and blanks between thousands."""
    file = read_file(f"day;count;amount\n2026-03-05;2;{amount}\n".encode())

    assert isinstance(file, SumsFile)
    assert file.sums == {("2026-03-05",): Sum(2, cents)}


def test_a_file_without_counts_has_single_transactions() -> None:
    """Of a card the last four digits are kept; debit is the usual operation."""
    content = "amount,card,operation,authorisation_number\n4.20,4970 10** **** 0003,,184117\n1.00,,credit,\n"

    file = read_file(b"\xef\xbb\xbf" + content.encode())

    assert isinstance(file, TransactionsFile)
    first, second = file.transactions
    assert (first.name, first.operation, first.cents) == ("line 2", "debit", 420)
    assert (first.card_last_four, first.authorisation_number) == ("0003", "184117")
    assert (second.operation, second.card_last_four) == ("credit", None)


def test_every_bad_row_is_named() -> None:
    """Nothing is compared with half a file."""
    content = "day,operation,count,cents\n5 March,debit,1,1\n2026-03-05,sale,1,1\n2026-03-05,debit,x,1\n"

    with pytest.raises(UnreadableFile) as refused:
        read_file(f"{content}2026-03-05,debit,1,12.5\n2026-03-05,debit,1,-5\n".encode())

    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        f"line {number}" for number in range(2, 7)
    ]


@pytest.mark.parametrize("header", ["day,count", "count,cents", "colour,cents", "amount,cents,day", ""])
def test_a_file_that_cannot_be_compared_is_refused(header: str) -> None:
    """It has no amount or two of them, no group, or a column that nobody knows."""
    with pytest.raises(UnreadableFile):
        read_file(f"{header}\n".encode())
