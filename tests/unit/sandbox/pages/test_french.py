"""The pages of register and terminal in French are whole."""

import re
from collections import Counter
from importlib.resources import files
from io import BytesIO

import pytest
from jinja2.ext import babel_extract

from sandbox.cards import DECK, Mode
from sandbox.gateway.response_codes import APPROVED, MEANINGS
from sandbox.pages.french import FRENCH, outcomes
from sandbox.pages.french.common import COMMON
from sandbox.pages.french.reasons import REASONS
from sandbox.pages.french.register import REGISTER
from sandbox.pages.french.terminal import TERMINAL
from sandbox.pages.language import Language, translated_reason
from sandbox.pages.render import templates
from sandbox.register.draft import OPEN_PRICE, PRODUCTS
from sandbox.register.sale import Standing
from sandbox.terminal.device import screen
from sandbox.terminal.script.outcomes import OUTCOMES
from shared.concert.fields import ANSWER_CODES, DONE_CODES
from shared.payment.states import State

PACKAGES = ("sandbox.pages", "sandbox.register", "sandbox.terminal.web")
DATA = {
    *(row.meaning for row in OUTCOMES),
    *(card.label for card in DECK),
    *(product.name for product in PRODUCTS),
    OPEN_PRICE[1],
    *(standing.capitalize() for standing in Standing),
    *("Not reversed", "Not refunded"),
    *(state.replace("_", " ") for state in State),
    *Mode,
    *(meaning.upper() for code, meaning in MEANINGS.items() if code != APPROVED),
    *(text.upper() for code, text in ANSWER_CODES.items() if code not in DONE_CODES),
    *(one.message for one in (screen.IDLE, screen.COLLECTING, screen.RESTARTING, screen.woken("0", 1))),
}


def written_texts() -> set[str]:
    """Return the templates' own texts."""
    found: set[str] = set()
    for package in PACKAGES:
        for file in (files(package) / "templates").iterdir():
            content = BytesIO(file.read_bytes())
            for _, _, message, _ in babel_extract(content, ("_",), [], {"newstyle_gettext": "true"}):
                # One with variables is the first of a tuple.
                text = message[0] if isinstance(message, tuple) else message
                found |= {text} if text is not None else set()
    return found


def test_every_text_of_the_templates_is_there_in_french() -> None:
    """None stays English in a French page."""
    assert written_texts() - FRENCH.keys() == set()


def test_every_text_of_the_data_is_there_in_french() -> None:
    """Outcomes, cards, articles, results, states, and the screen's messages."""
    assert DATA - FRENCH.keys() == set()


def test_a_text_has_one_translation() -> None:
    """The parts of the dictionary do not contradict each other."""
    parts = (COMMON, REGISTER, TERMINAL, REASONS, outcomes.OUTCOMES, outcomes.CARDS)
    counts = Counter(text for part in parts for text in part)

    assert [text for text, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("english", FRENCH)
def test_a_translation_keeps_variables_and_markup(english: str) -> None:
    """Else a page would fail, or show a tag as text."""
    kept = re.compile(r"%\(\w+\)s|<[^>]+>")

    assert sorted(kept.findall(english)) == sorted(kept.findall(FRENCH[english]))
    assert FRENCH[english]


def test_amounts_have_a_comma_in_french() -> None:
    """As on the receipts."""
    texts = [templates("sandbox.pages", one).from_string("{{ 123450|money }}").render() for one in Language]

    assert texts == ["1\u00a0234.50\u00a0EUR", "1\u00a0234,50\u00a0EUR"]


def test_a_reason_keeps_the_banks_code() -> None:
    """On the terminal's screen and in its journal; another text stays as it is."""
    french = [translated_reason(text, Language.FRENCH) for text in ("51 INSUFFICIENT FUNDS", "REFUSED", "?")]

    assert french == ["51 PROVISION INSUFFISANTE", "REFUSE", "?"]
    assert translated_reason("51 INSUFFICIENT FUNDS", Language.ENGLISH) == "51 INSUFFICIENT FUNDS"
