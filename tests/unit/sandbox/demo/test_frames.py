from sandbox.demo.frames import euros, masked_fields, named_fields

DEBIT = b"CZ0040320CJ012012345678901CA00201CB0044250CD0010CE003978CK003100"


def test_every_field_of_a_frame_gets_its_name_and_codes_get_their_words() -> None:
    """Tag, value, meaning, and what the value says."""
    fields = {field.tag: field for field in named_fields(masked_fields(DEBIT))}

    assert list(fields) == ["CZ", "CJ", "CA", "CB", "CD", "CE", "CK"]
    assert fields["CB"].described == "4250 = 42.50 EUR"
    assert fields["CD"].described == "0 = debit"
    assert fields["CE"].described == "978 = EUR"
    assert fields["CZ"].described == "0320"
    assert fields["CB"].meaning == "amount in cents"


def test_an_answer_says_how_it_ended_and_with_which_card() -> None:
    """Status, AF answer code, application and reading mode are codes."""
    said = {
        field.tag: field.words
        for field in named_fields({"AE": "01", "AF": "04REFUSED", "CC": "00B", "CI": "2", "AC": "184117"})
    }

    assert said == {
        "AE": "not done",
        "AF": "refused",
        "CC": "CB/Visa/Mastercard contactless",
        "CI": "contactless",
        "AC": None,
    }


def test_unknown_tags_and_codes_stay_as_they_are() -> None:
    """A field that no source describes is shown, not explained."""
    [unknown, amount, action] = named_fields({"XX": "1", "CB": "abc", "CD": "9"})

    assert (unknown.meaning, unknown.described) == ("unknown", "1")
    assert (amount.described, action.described) == ("abc", "9")


def test_card_numbers_and_receipts_do_not_come_through() -> None:
    """The terminal's record holds what was on the wire; it is masked before it is shown."""
    fields = masked_fields(b"AE00210AA0164970101234567893ZT005AK000")

    assert fields == {"AE": "10", "AA": "497010******7893", "ZT": "<5 characters>"}


def test_cents_are_shown_as_euros() -> None:
    """Two digits behind the point."""
    assert [euros(cents) for cents in (5, 120, 4250)] == ["0.05 EUR", "1.20 EUR", "42.50 EUR"]
