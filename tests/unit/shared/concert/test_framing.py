"""Known wrapping is taken off where what remains is a whole frame, and nothing else is."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wire.concert import DONE, frame_of

from shared.concert.decode import Decoder
from shared.concert.encode import encode_fields
from shared.concert.framing import ACK, BYTE_ORDER_MARK, EOT, ETX, STX, begins_frame, check_byte_of

BARE = frame_of(DONE)
BEFORE = st.lists(st.sampled_from([ACK, BYTE_ORDER_MARK, b"\r", b"\n"]), max_size=4).map(b"".join)
AFTER = st.lists(st.sampled_from([EOT, b"\x00", b" ", b"\r", b"\n"]), max_size=6).map(b"".join)
TAGS = st.from_regex(r"\A[A-Z][A-Z0-9]\Z")
VALUES = st.binary(min_size=1, max_size=40).map(lambda value: value.decode("latin-1"))
ROWS = st.dictionaries(
    TAGS, st.one_of(VALUES, st.sampled_from(["\x03", " ", "\x04\x00"])), min_size=1, max_size=9
)


def checked(body: bytes) -> bytes:
    return STX + body + ETX + check_byte_of(body)


@pytest.mark.parametrize(
    "wrapped",
    [
        ACK + DONE,
        checked(DONE),
        ACK + checked(DONE) + EOT,
        BYTE_ORDER_MARK + DONE,
        DONE + b"\x00",
        DONE + b"  \r\n\x00\x00",
        b"\r\n" + ACK + b"\r\n" + checked(DONE) + b"\r\n" + EOT + b"\r\n",
        DONE + EOT,
    ],
)
def test_a_wrapped_answer_is_read_as_the_bare_one_however_it_is_cut(wrapped: bytes) -> None:
    """In one piece and byte by byte; no beginning of it is an error."""
    decoder = Decoder()
    for index in range(len(wrapped)):
        assert decoder.feed(wrapped[index : index + 1]).error is None

    for frame in (decoder.frame(), decoder.frame(ended=True), frame_of(wrapped)):
        assert frame == BARE


@given(ROWS, BEFORE, AFTER, st.booleans(), st.integers(1, 60))
# The check byte is an ETX, and what follows is the check byte that a body with that ETX would have.
@example({"AA": "A", "CC": "A"}, b"", b"\x00", True, 60)
@example({"AA": "A", "CC": "A"}, b"", b"\x00\x04", True, 1)
# The same bytes at the end, and the first ETX is the last value's.
@example({"AA": "2\x03"}, b"", b"", True, 60)
@example({"AA": "2\x03"}, b"", b"\x00", True, 1)
def test_any_row_of_fields_is_read_through_any_wrapping(
    row: dict[str, str], before: bytes, after: bytes, is_checked: bool, size: int
) -> None:
    """Also where a value or the check byte looks like wrapping."""
    body = encode_fields(list(row.items()))
    data = before + (checked(body) if is_checked else body) + after
    decoder = Decoder()
    for begin in range(0, len(data), size):
        assert decoder.feed(data[begin : begin + size]).error is None

    frame = decoder.frame()

    assert frame.at_boundary
    assert frame.fields == frame_of(body).fields


@given(BEFORE, st.integers(0, len(DONE)))
def test_what_stx_began_waits_for_its_end_and_its_check_byte(before: bytes, length: int) -> None:
    """A frame that is cut is none: neither at its ETX nor on a field boundary before."""
    for data in (DONE[:length], DONE + ETX):
        frame = frame_of(before + STX + data)

        assert not frame.at_boundary
        assert frame.error is None


@given(st.integers(0, 255))
def test_a_wrong_check_byte_is_an_error(check_byte: int) -> None:
    """The bytes arrived otherwise than they were sent."""
    frame = frame_of(STX + DONE + ETX + bytes([check_byte]) + EOT)

    assert (frame.error is None) == (bytes([check_byte]) == check_byte_of(DONE))


@pytest.mark.parametrize(
    "data",
    [
        b"\x05" + DONE,
        b"\x15" + DONE,
        b"\x00" + DONE,
        b" " + DONE,
        EOT + DONE,
        DONE + ACK,
        DONE + b"\x00CZ0040300",
        DONE + ETX,
        STX + DONE + ETX + check_byte_of(DONE) + DONE,
        ACK + b"ok",
        b"\xef\xbb" + DONE,
    ],
)
def test_any_other_byte_around_a_frame_is_an_error(data: bytes) -> None:
    """ENQ and NAK ask for something that nobody answers over IP; two frames are not one."""
    assert frame_of(data).error is not None


def test_a_wrapping_without_a_frame_is_empty() -> None:
    """A terminal that acknowledges and closes has sent no answer."""
    assert frame_of(ACK).is_empty
    assert not frame_of(ACK + STX).is_empty


def test_who_reads_strictly_takes_nothing_off() -> None:
    """A POS's request has no wrapping but line breaks."""
    strict = [ACK + DONE, checked(DONE), DONE + b"\x00", DONE + EOT]

    for data in strict:
        assert Decoder(exact=True).feed(data).error is not None
    assert Decoder(exact=True).feed(DONE + b"\r\n") == BARE


@pytest.mark.parametrize(
    ("data", "begins"),
    [
        (b"", None),
        (b"C", None),
        (ACK + BYTE_ORDER_MARK[:1], None),
        (ACK + STX, None),
        (b"\r\n", None),
        (b"CZ", True),
        (BYTE_ORDER_MARK + ACK + STX + DONE, True),
        (b"CB0042500", False),
        (b"\x15CZ", False),
        (STX + STX, False),
    ],
)
def test_a_frame_begins_with_the_protocol_version_whatever_is_before_it(
    data: bytes, begins: bool | None
) -> None:
    """As early as that is certain."""
    assert begins_frame(data) is begins
