"""Wrapping around a frame: bytes that serial lines, text files and terminals add to a row of fields.

No such byte belongs to Concert over IP, and some terminals and serial converters send them all the same.
Before the frame: ACK, a byte order mark. Around it: STX ... ETX and the check byte (LRC). After it: EOT, NUL,
blanks. Line breaks may stand anywhere outside. An ENQ asks for an answer that is not given over IP: it is no
wrapping.
"""

from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Final

STX: Final = b"\x02"
ETX: Final = b"\x03"
EOT: Final = b"\x04"
ACK: Final = b"\x06"
#: U+FEFF in UTF-8.
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
LINE_BREAKS: Final = b"\r\n"

_BEFORE: Final = (ACK, BYTE_ORDER_MARK, b"\r", b"\n")
AFTER: Final = EOT + b"\x00 " + LINE_BREAKS
#: Where a frame begins: the protocol version is its first field.
_FIRST_TAG: Final = b"CZ"


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """Bytes without their known wrapping."""

    body: bytes
    #: STX has come, and ETX or its check byte not yet.
    is_open: bool = False


def unwrap(data: bytes) -> tuple[Unwrapped, ...]:
    """Return the bytes without the wrapping before and around them, in each possible reading.

    Bytes that may follow a frame (`AFTER`) stay where there is no STX: only the decoder knows where the
    fields end. Only correct wrapping is removed: an ETX with a wrong check byte stays in the body, which then
    is no row of fields.
    """
    rest = _after_beginning(data)
    if not rest.startswith(STX):
        return (Unwrapped(rest),)
    checked = rest[1:]
    # The check byte may look like what follows it, so the ETX is looked for at its only two places. Both fit
    # where two ETX and a NUL end the frame: ETX with the check byte ETX, or a last byte and ETX with NUL.
    last = len(checked.rstrip(AFTER)) - 1
    ends = [
        position
        for position in (last, last - 1)
        if position >= 0 and checked[position : position + 1] == ETX and _is_checked(checked, position)
    ]
    if ends:
        return tuple(Unwrapped(checked[:end]) for end in ends)
    return (Unwrapped(checked.removesuffix(ETX), is_open=True),)


def _is_checked(checked: bytes, etx_at: int) -> bool:
    check_byte, after = checked[etx_at + 1 : etx_at + 2], checked[etx_at + 2 :]
    return check_byte == check_byte_of(checked[:etx_at]) and not after.strip(AFTER)


def check_byte_of(body: bytes) -> bytes:
    """Return the LRC of what stands between STX and ETX: every byte and the ETX itself, exclusive or."""
    return bytes([reduce(xor, body + ETX)])


def begins_frame(data: bytes) -> bool | None:
    """Return whether these bytes begin a frame, wrapped or not; None: there are too few of them."""
    rest = _after_beginning(data).removeprefix(STX).lstrip(LINE_BREAKS)
    if _FIRST_TAG.startswith(rest) and rest != _FIRST_TAG:
        return None
    return rest.startswith(_FIRST_TAG)


def _after_beginning(data: bytes) -> bytes:
    """Drop the bytes that may stand before a frame; a byte order mark that has only begun counts, too."""
    while data:
        for before in _BEFORE:
            if data.startswith(before) or before.startswith(data):
                data = data[len(before) :]
                break
        else:
            return data
    return data
