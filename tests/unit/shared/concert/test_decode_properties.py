"""Properties of codec and parsed: round trips, any cut, any garbage."""

from hypothesis import given
from hypothesis import strategies as st
from wire.concert import DONE, request

from shared.concert.decode import Decoder, Frame
from shared.concert.decoded_answer import AnswerMeaning
from shared.concert.encode import encode_fields, encode_operation, operation_fields
from shared.concert.enquiry import interpret_enquiry
from shared.concert.interpret import interpret_frame
from shared.concert.profile import Profile
from shared.concert.stream import Complete, Unreadable, Wait, check_completeness
from shared.payment.payment import Operation

TAGS = st.from_regex(r"\A[A-Z][A-Z0-9]\Z")
VALUES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
ROWS = st.dictionaries(TAGS, VALUES, min_size=1, max_size=20)
PIECES = st.lists(st.integers(1, 40), min_size=1, max_size=30)
#: Bytes that look like an answer for a while: worked fields, broken lengths, noise, line breaks.
NEARLY = st.lists(
    st.one_of(
        st.sampled_from(
            [
                b"CZ0040300",
                b"AE00210",
                b"AE00201",
                b"AF00204",
                b"CB0042500",
                b"CB002",
                b"ZT999",
                b"AK",
                b"\r\n",
            ]
        ),
        st.binary(max_size=8),
        st.sampled_from(["AF003É", "AF002É", "ÉZ"]).map(str.encode),
    ),
    max_size=12,
).map(b"".join)


def feed_in_pieces(data: bytes, sizes: list[int]) -> Decoder:
    decoder = Decoder()
    position = 0
    index = 0
    while position < len(data):
        size = sizes[index % len(sizes)]
        decoder.feed(data[position : position + size])
        position += size
        index += 1
    return decoder


@given(ROWS, PIECES)
def test_fields_come_back_as_they_were_written_however_they_were_cut(
    row: dict[str, str], sizes: list[int]
) -> None:
    """Round trip of any fields through any fragmentation."""
    decoder = feed_in_pieces(encode_fields(list(row.items())), sizes)

    frame = decoder.frame()

    assert frame.at_boundary
    assert frame.fields == row
    assert list(frame.fields) == list(row)


@given(
    st.sampled_from(Operation),
    st.sampled_from(["ConcertV3.1", "ConcertV3.2"]),
    st.integers(1, 999_999_999_999),
    st.booleans(),
    st.builds(
        Profile,
        sends_reference=st.booleans(),
        sends_receipt=st.booleans(),
        accepts_partial=st.booleans(),
        request_ends_with=st.sampled_from(["", "\r\n"]),
    ),
)
def test_every_request_is_read_as_it_was_meant(
    operation: Operation, protocol: str, cents: int, forced: bool, profile: Profile
) -> None:
    """The bytes of any request hold its fields, each within its length."""
    asked = request(operation=operation, protocol=protocol, amount_cents=cents, force_authorization=forced)

    frame = Decoder().feed(encode_operation(asked, profile))

    assert frame.at_boundary
    assert frame.fields == dict(operation_fields(asked, profile))
    assert int(frame.fields["CB"]) == cents


@given(st.one_of(NEARLY, st.binary(max_size=200)), PIECES)
def test_any_garbage_is_a_field_an_error_or_a_need_for_more(data: bytes, sizes: list[int]) -> None:
    """Nothing raises, and any cut of the same bytes is read alike."""
    decoder = feed_in_pieces(data, sizes)

    for ended in (False, True):
        frame = decoder.frame(ended=ended)
        assert (frame.error is not None) + (frame.cut is not None) + frame.at_boundary == 1
    assert decoder.frame(ended=True) == feed_in_pieces(data, [1]).frame(ended=True)
    assert decoder.frame(ended=True) == feed_in_pieces(data, [len(data) + 1]).frame(ended=True)


@given(st.one_of(NEARLY, st.binary(max_size=200)), st.booleans(), st.floats(0, 10))
def test_any_garbage_is_complete_or_not_and_has_a_meaning(data: bytes, closed: bool, idle: float) -> None:
    """Completeness, answer and enquiry are total; a frame in error is never an outcome."""
    frame = feed_in_pieces(data, [7]).frame(ended=closed or idle >= 3)
    sent = dict(operation_fields(request(), Profile()))

    verdict = check_completeness(
        frame, sent=sent, known_echoes=frozenset({"CB"}), peer_closed=closed, idle_seconds=idle
    )
    parsed = interpret_frame(frame, request(), Profile(), first_byte_after_seconds=idle)

    assert isinstance(verdict, Complete | Wait | Unreadable)
    assert not (closed and isinstance(verdict, Wait))
    assert frame.error is None or isinstance(verdict, Unreadable)
    assert frame.error is None or parsed.meaning is AnswerMeaning.IN_DOUBT
    assert interpret_enquiry(frame, request()).grade in ("proof_of_success", "hint", "nothing")


@given(st.integers(0, len(DONE) - 1))
def test_no_answer_cut_in_a_field_counts(length: int) -> None:
    """Every beginning of an answer that ends inside a field waits, and is unreadable once closed."""
    frame: Frame = Decoder().feed(DONE[:length])
    sent = {"CB": "2500"}

    if not frame.at_boundary:
        open_verdict = check_completeness(
            frame, sent=sent, known_echoes=frozenset(), peer_closed=False, idle_seconds=5
        )
        closed_verdict = check_completeness(
            frame, sent=sent, known_echoes=frozenset(), peer_closed=True, idle_seconds=0
        )
        assert isinstance(open_verdict, Wait)
        assert isinstance(closed_verdict, Unreadable)
