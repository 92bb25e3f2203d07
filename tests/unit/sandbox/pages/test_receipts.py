"""French receipts read in English."""

import pytest

from sandbox.pages.language import Language
from sandbox.pages.receipts import in_english
from sandbox.pages.render import templates

PRINTED = """CARTE BANCAIRE
SANS CONTACT
A0000000421010
Le 29/11/2026 a 15:34:20
BOULANGERIE DU CANAL
ABANDON DEBIT
51 INSUFFICIENT FUNDS
1999403 73282932000074 30004
005 001 000001 C @
NUM AUTO : 184117
MONTANT :
12,50 EUR
TICKET CLIENT
A CONSERVER"""

READ = """BANK CARD
CONTACTLESS
A0000000421010
29/11/2026 at 15:34:20
BOULANGERIE DU CANAL
DEBIT NOT DONE
51 INSUFFICIENT FUNDS
1999403 73282932000074 30004
005 001 000001 C @
AUTHORISATION NO: 184117
AMOUNT:
12.50 EUR
CUSTOMER'S COPY
PLEASE KEEP"""


def test_a_receipt_is_read_line_by_line() -> None:
    """Numbers, names and what the bank said stay."""
    assert in_english(PRINTED) == READ


@pytest.mark.parametrize(("language", "has_english"), [(Language.ENGLISH, True), (Language.FRENCH, False)])
def test_a_page_shows_a_receipt_as_printed_and_an_english_page_its_english(
    language: Language, has_english: bool
) -> None:
    """The French one is what the terminal has sent, and what counts."""
    page = templates("sandbox.pages", language).from_string(
        '{% import "parts.html" as parts %}{{ parts.receipt(text, "read") }}'
    )

    shown = page.render(text=PRINTED)

    assert "Le 29/11/2026 a 15:34:20" in shown
    assert ("29/11/2026 at 15:34:20" in shown) is has_english
