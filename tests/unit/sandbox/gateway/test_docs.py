"""The deck in the docs is the deck."""

import re
from pathlib import Path

from sandbox.cards import DECK

_PAGE = Path(__file__).parents[4] / "docs/sandbox/gateway.md"


def test_the_docs_list_every_card_of_the_deck() -> None:
    """Key and number of each, in order."""
    listed = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| ([0-9]+) \|", _PAGE.read_text(), re.MULTILINE)

    assert listed == [(card.key, card.pan) for card in DECK]
