"""The decoder reads what real terminals send, however the network cuts it."""

import pytest
from wire.concert import CREDIT, DEBIT, DEBIT_WITH_RECEIPT, DONE, IDENTIFIED, REJECTED, SHORTEST, frame_of

from shared.concert.decode import Cut, Decoder

WORKED = [DEBIT, DEBIT_WITH_RECEIPT, CREDIT, DONE, IDENTIFIED, REJECTED, SHORTEST]


@pytest.mark.parametrize("data", WORKED)
def test_a_worked_frame_is_read_byte_by_byte_as_in_one_piece(data: bytes) -> None:
    """No cut changes what is read."""
    decoder = Decoder()

    for index in range(len(data)):
        frame = decoder.feed(data[index : index + 1])
        assert frame.error is None

    assert decoder.frame() == frame_of(data)
    assert decoder.frame().at_boundary
    assert decoder.received == data


def test_the_worked_answer_is_read_field_by_field() -> None:
    """Values as sent, in the order of arrival."""
    assert list(frame_of(DONE).fields.items()) == [
        ("CZ", "0300"),
        ("CJ", "789300987456"),
        ("AE", "10"),
        ("CA", "01"),
        ("CB", "2500"),
        ("CC", "001"),
        ("CD", "0"),
        ("CE", "978"),
        ("CG", "1999403"),
        ("AI", "A0000000421010"),
        ("CI", "1"),
    ]


@pytest.mark.parametrize("data", [b"\r\nCZ0040300\r\nAE00210\r\n", b"CZ0040300\nAE00210\r"])
def test_line_breaks_between_fields_are_ignored(data: bytes) -> None:
    """No CR or LF belongs to the protocol; some terminals send them all the same."""
    frame = frame_of(data)

    assert frame.at_boundary
    assert frame.fields == {"CZ": "0300", "AE": "10"}


def test_a_field_without_value_counts_as_left_out() -> None:
    """Length 000 is read, though never sent."""
    assert frame_of(b"CZ0040300CF000AE00210").fields == {"CZ": "0300", "AE": "10"}


def test_a_repeated_tag_with_the_same_value_is_passed_over() -> None:
    """Only another value is a contradiction."""
    frame = frame_of(b"CB0042500AE00210CB0042500")

    assert frame.repeated == ()
    assert frame.fields["CB"] == "2500"


def test_a_repeated_tag_with_another_value_is_flagged() -> None:
    """The first value stays readable."""
    frame = frame_of(b"CB0042500AE00210CB0042501CB0042502")

    assert frame.repeated == ("CB",)
    assert frame.fields["CB"] == "2500"


@pytest.mark.parametrize("tag", [b"ZZ", b"OD", b"AL"])
def test_an_undescribed_tag_may_repeat(tag: bytes) -> None:
    """A maker's list of lines, say: it contradicts nothing, and the first value stays readable."""
    frame = frame_of(b"CZ0040300" + tag + b"001aAE00210" + tag + b"001b")

    assert frame.repeated == ()
    assert frame.fields == {"CZ": "0300", tag.decode(): "a", "AE": "10"}


def test_an_unknown_tag_is_kept() -> None:
    """Makers add fields; they are passed on, not lost."""
    assert frame_of(b"CZ0040300ZZ003abcX9001y").fields == {"CZ": "0300", "ZZ": "abc", "X9": "y"}


def test_lengths_in_characters_are_read_where_bytes_do_not_parse() -> None:
    """Some terminals count characters: the accents take two bytes each."""
    data = "CZ0040300AE00201AF008REFUSÉ É".encode() + b"CB0042500"

    frame = frame_of(data, ended=False)

    assert frame.by_characters
    assert frame.fields == {"CZ": "0300", "AE": "01", "AF": "REFUSÉ É", "CB": "2500"}
    assert frame.at_boundary


def test_lengths_in_bytes_are_preferred() -> None:
    """A text whose length counts its bytes is not read by characters."""
    frame = frame_of("CZ0040300AF010REFUSÉ ÉCB0042500".encode())

    assert not frame.by_characters
    assert frame.fields["AF"] == "REFUSÉ É"


def test_a_last_field_counted_in_characters_is_settled_at_the_end() -> None:
    """While more may come the rest looks like a field's beginning; at the end the other reading counts."""
    data = "CZ0040300AE00201AF019REFUSÉ PAR ÉMETTEUR".encode()

    assert frame_of(data, ended=False).cut == Cut("UR", None, "")
    assert frame_of(data, ended=True).fields["AF"] == "REFUSÉ PAR ÉMETTEUR"


def test_latin_1_is_read_where_the_bytes_are_no_utf_8() -> None:
    """A text is never lost for its encoding."""
    assert frame_of(b"CZ0040300AF006REFUS\xc9").fields["AF"] == "REFUSÉ"


def test_a_receipt_broken_into_lines_that_its_length_does_not_count_is_read() -> None:
    """Base64 with a line break inside, counted or not."""
    counted = b"CZ0040300AE00210AK010TE1O\r\nVE9QCB0042500"
    uncounted = b"CZ0040300AE00210AK008TE1O\r\nVE9QCB0042500"

    assert frame_of(counted).fields["AK"] == "TE1O\r\nVE9Q"
    assert frame_of(uncounted).fields["AK"] == "TE1OVE9Q"
    assert frame_of(uncounted).fields["CB"] == "2500"


@pytest.mark.parametrize(
    ("data", "cut"),
    [
        (b"CZ0040300A", Cut(None, None, "")),
        (b"CZ0040300AE", Cut("AE", None, "")),
        (b"CZ0040300AE00", Cut("AE", None, "")),
        (b"CZ0040300AE002", Cut("AE", 2, "")),
        (b"CZ0040300ZT009CK003100", Cut("ZT", 9, "CK003100")),
    ],
)
def test_a_cut_field_says_what_is_there_of_it(data: bytes, cut: Cut) -> None:
    """So that a session can tell a cut receipt from a cut amount."""
    frame = frame_of(data)

    assert frame.cut == cut
    assert not frame.at_boundary
    assert frame.error is None


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"\x05CZ0040300",
        b"CZ0040300\x07",
        b"cz0040300",
        b"CZ00A",
        b"\xff\xfe",
        "CZ\u0660\u0660\u06640300".encode(),
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ],
)
def test_garbage_is_an_error_that_nothing_mends(data: bytes) -> None:
    """Bytes after it do not make it an answer."""
    decoder = Decoder()

    decoder.feed(data)

    assert decoder.feed(DONE).error is not None
    assert decoder.frame(ended=True).error is not None


def test_more_than_16_kib_is_an_error() -> None:
    """Limits of ours: one byte more than fits, in any number of pieces."""
    field = b"ZT999" + b"x" * 999
    fits = field * 16 + b"ZT315" + b"x" * 315
    assert len(fits) == 16 * 1024

    assert frame_of(fits).error is None
    decoder = Decoder()
    decoder.feed(fits)
    assert decoder.feed(b"C").error == "more than 16384 bytes"
    assert len(decoder.received) == 16 * 1024


def test_more_than_64_fields_are_an_error() -> None:
    """Repeated ones count."""
    assert frame_of(b"CZ0040300" * 64).error is None
    assert frame_of(b"CZ0040300" * 65).error == "more than 64 fields"


def test_nothing_but_line_breaks_is_empty() -> None:
    """A peer that closes after them has sent no answer."""
    assert frame_of(b"\r\n").is_empty
    assert not frame_of(b"CZ").is_empty
