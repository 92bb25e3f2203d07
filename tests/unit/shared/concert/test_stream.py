"""One connection may carry several frames; silence and the first field tell where one begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire.concert import DONE, PAN, SHORTEST, frame_of

from shared.concert.framing import ACK, ETX, STX, check_byte_of
from shared.concert.stream import BROKEN_FRAMES_KEPT, AnswerStream

SHORT, LONG = 0.25, 3.0
BROKEN = b"\x15\x02\xff\xfeERREUR 42\x00"
WRAPPED = ACK + STX + DONE + ETX + check_byte_of(DONE)


def new_stream() -> AnswerStream:
    return AnswerStream(short_idle_seconds=SHORT, long_idle_seconds=LONG)


def feed_slowly(stream: AnswerStream, data: bytes, first_silence: float) -> int:
    """Feed it byte by byte; return how many frames began."""
    begun = 0
    for index in range(len(data)):
        begun += stream.feed(data[index : index + 1], 0.0 if index else first_silence)
    return begun


@pytest.mark.parametrize("first", [BROKEN, DONE, WRAPPED, DONE + b"CF030p"])
@pytest.mark.parametrize("second", [SHORTEST, DONE, WRAPPED])
@pytest.mark.parametrize("slowly", [False, True])
def test_a_frame_after_a_decided_one_is_another_frame(first: bytes, second: bytes, slowly: bool) -> None:
    """Noise, a contradiction, half an answer: what follows after a short silence stands alone."""
    stream = new_stream()
    stream.feed(first, 1.0)
    stream.mark_decided()

    assert feed_slowly(stream, second, SHORT) == 1 if slowly else stream.feed(second, SHORT)

    assert stream.frame(ended=True) == frame_of(second)
    assert not stream.is_decided
    assert stream.number == 2


@pytest.mark.parametrize("first", [b"CZ0040320CB0042", b"CZ0040320CB0042500", b"\r\n" + ACK + STX + b"CZ"])
def test_a_frame_after_the_beginning_of_one_needs_a_long_silence(first: bytes) -> None:
    """Mobile links cut segments apart; the beginning is kept for an operator to see."""
    soon, late = new_stream(), new_stream()
    for stream in (soon, late):
        stream.feed(first, 1.0)

    assert not soon.feed(DONE, LONG - 0.1)
    assert late.feed(DONE, LONG)

    assert soon.number == 1
    assert soon.frame(ended=True) == frame_of(first + DONE)
    assert late.frame() == frame_of(DONE)
    assert len(late.broken) == 1


def test_a_field_that_comes_late_belongs_to_its_answer() -> None:
    """It may be the amount that contradicts, or the card that was missing."""
    stream = new_stream()
    stream.feed(b"CZ0040320AE00210", 5.0)
    stream.mark_decided()

    assert not stream.feed(b"CB0042500", 2.0)

    assert not stream.is_decided
    assert stream.frame().fields == {"CZ": "0320", "AE": "10", "CB": "2500"}
    assert stream.number == 1


def test_a_second_frame_without_a_silence_is_a_contradiction() -> None:
    """Two in one breath are one row of fields with two values."""
    stream = new_stream()

    stream.feed(b"CZ0040320AE00201AF00204CZ0040320AE00210", 1.0)

    assert stream.frame().repeated == ("AE",)


@given(st.binary(min_size=1, max_size=40), st.lists(st.integers(1, 9), min_size=1, max_size=9))
def test_noise_after_noise_is_no_news(noise: bytes, sizes: list[int]) -> None:
    """Only a new frame follows an unreadable one."""
    stream = new_stream()
    stream.feed(BROKEN, 1.0)
    stream.mark_decided()

    for size in sizes:
        piece, noise = noise[:size], noise[size:]
        stream.feed(b"?" + piece, SHORT)

    assert stream.is_decided


def test_what_is_kept_of_broken_frames_is_bounded_and_masked() -> None:
    """The fields that are there, and the bytes that are none."""
    stream = new_stream()
    for _ in range(BROKEN_FRAMES_KEPT + 2):
        stream.feed(b"CZ0040320AA016" + PAN.encode() + b"AB004", LONG)

    assert (
        stream.broken
        == [{"fields": {"CZ": "0320", "AA": "497010******7893"}, "unread": "AB004"}] * BROKEN_FRAMES_KEPT
    )
