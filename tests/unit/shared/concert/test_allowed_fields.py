"""Fields as they are kept: what is known and has its form; of everything else the length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.concert import OTHER_PAYMENT, PAN, PAYMENT

from shared.concert import fields as f
from shared.concert.mask import allowed_fields, fingerprint

_PHONE, _EMAIL = "0612345678", "marie.durand@example.org"


def test_an_ordinary_answer_is_kept_readable() -> None:
    """Amount, codes, application and our reference; the card masked."""
    fields = {
        "CZ": "0320", "AE": "01", "AF": "05DUPONT MARIE", "CB": "2500", "CC": "00B", "CE": "978", "CI": "2",
        "AA": PAN, "AC": "184117", "AI": "A0000000421010", "CG": "1999403", "CF": f"{PAYMENT}§1010000000",
    }  # fmt: skip

    assert allowed_fields(fields) == fields | {"AF": "05", "AA": "497010******7893", "CF": PAYMENT}


@pytest.mark.parametrize("value", [_PHONE, _EMAIL, "Marie Durand", PAN, "2812"])
@pytest.mark.parametrize(
    "tag", ["BH", "BI", "AM", "AN", "AP", "ID", "OD", "AB", "AD", "CH", "AK", "ZT", "CF", "ZZ"]
)
def test_of_free_texts_and_unknown_fields_the_length_is_kept(tag: str, value: str) -> None:
    """Phone, e-mail, name or card: anything that a POS or terminal writes there."""
    assert allowed_fields({tag: value}) == {tag: f"<{len(value)} characters>"}


@given(
    st.sampled_from([*f.TAGS, "ZZ"]),
    st.sampled_from([_EMAIL, "Marie Durand", "+33 6 12 34 56 78", "06 12 34 56 78"]),
)
def test_no_field_keeps_what_does_not_have_its_form(tag: str, value: str) -> None:
    """Also known ones, where a terminal writes something else in them."""
    kept = allowed_fields({tag: value})[tag]

    assert not any(part in kept for part in ("marie", "Marie", "Durand", "12 34"))


@given(st.dictionaries(st.sampled_from([*f.TAGS, "ZZ"]), st.text(max_size=40), max_size=5))
def test_what_was_kept_is_kept_as_it_is(fields: dict[str, str]) -> None:
    """Allowed fields pass through it unchanged."""
    kept = allowed_fields(fields)

    assert allowed_fields(kept) == kept


def test_a_fingerprint_tells_answers_apart_and_nothing_else() -> None:
    """In any order of the fields."""
    one = {"CB": "2500", "CF": PAYMENT}

    assert fingerprint(one) == fingerprint(dict(reversed(one.items())))
    assert fingerprint(one) != fingerprint(one | {"CF": OTHER_PAYMENT})
    assert len(fingerprint(one)) == 64
