"""What a peer sent, read field by field however the network cut it."""

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

MAX_FRAME_BYTES: Final = 16 * 1024
MAX_FRAME_FIELDS: Final = 64
#: Tag and length.
HEADER_LENGTH: Final = 5

#: No CR or LF belongs to the protocol, and some peers send them all the same.
LINE_BREAKS: Final = "\r\n"


@dataclass(frozen=True, slots=True)
class Cut:
    """A field that has begun and not ended: what is there of it, and how much is missing."""

    #: None where not even the tag is whole.
    tag: str | None
    #: None where the length is not whole.
    length: int | None
    value: str


@dataclass(frozen=True, slots=True)
class Frame:
    """All that came so far, as fields. Values are text: UTF-8 where it is, else Latin-1."""

    #: First value of each tag, in the order of arrival; a field without a value counts as left out.
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: Tags that came again with another value: a contradiction.
    repeated: tuple[str, ...] = ()
    #: The field in which the bytes end; None on a field boundary.
    cut: Cut | None = None
    #: Why the bytes are no row of fields; nothing that follows can mend it.
    error: str | None = None
    #: Lengths count characters, not bytes.
    by_characters: bool = False

    @property
    def at_boundary(self) -> bool:
        return self.cut is None and self.error is None

    @property
    def is_empty(self) -> bool:
        """Nothing came but line breaks."""
        return not self.fields and self.at_boundary


class Decoder:
    """Takes bytes as they come; `feed` never raises, whatever they are.

    Lengths count bytes. Where the bytes do not parse, two other readings of the same stream are tried: by
    characters of UTF-8, and without line breaks (a ticket's base64 broken into lines that its length does
    not count).
    """

    def __init__(self, *, max_bytes: int = MAX_FRAME_BYTES, max_fields: int = MAX_FRAME_FIELDS) -> None:
        self._max_bytes = max_bytes
        self._received = bytearray()
        self._is_too_long = False
        self._by_bytes = _Row(max_fields)
        self._by_characters = _Row(max_fields)
        self._without_breaks = _Row(max_fields)
        self._reads_otherwise = False
        self._utf8 = codecs.getincrementaldecoder("utf-8")()

    @property
    def received(self) -> bytes:
        """Every byte that was fed, up to the limit."""
        return bytes(self._received)

    def feed(self, data: bytes) -> Frame:
        """Take the next bytes, any number of them, and return the frame as it stands."""
        room = self._max_bytes - len(self._received)
        if len(data) > room:
            self._is_too_long = True
            data = data[:room]
        self._received += data
        self._by_bytes.feed(data.decode("latin-1"))
        if self._reads_otherwise:
            self._feed_other_readings(data)
        return self.frame()

    def frame(self, *, ended: bool = False) -> Frame:
        """Return the frame as it stands; `ended` says that nothing more is expected.

        Only then is a stream whose bytes end inside a field given its other readings: before, the rest of the
        field may still be on its way.
        """
        if self._is_too_long:
            return Frame(error=f"more than {self._max_bytes} bytes")
        by_bytes = self._by_bytes.frame(_text_of_bytes)
        if by_bytes.at_boundary or (by_bytes.error is None and not ended):
            return by_bytes
        if not self._reads_otherwise:
            self._reads_otherwise = True
            self._feed_other_readings(bytes(self._received))
        readings = (
            self._by_characters.frame(str, by_characters=True),
            self._without_breaks.frame(_text_of_bytes),
        )
        for reading in readings:
            if reading.at_boundary and not reading.is_empty:
                return reading
        if by_bytes.error is None:
            return by_bytes
        return next((reading for reading in readings if reading.error is None), by_bytes)

    def _feed_other_readings(self, data: bytes) -> None:
        self._without_breaks.feed(data.decode("latin-1").translate(_NO_LINE_BREAKS))
        try:
            self._by_characters.feed(self._utf8.decode(data))
        except UnicodeDecodeError:
            self._by_characters.error = "not UTF-8"


class _Row:
    """One reading of a stream of characters as a row of fields."""

    __slots__ = ("count", "error", "fields", "max_fields", "pending", "repeated")

    def __init__(self, max_fields: int) -> None:
        self.max_fields = max_fields
        self.fields: dict[str, str] = {}
        self.repeated: list[str] = []
        #: What has begun and not ended.
        self.pending = ""
        self.error: str | None = None
        self.count = 0

    def feed(self, text: str) -> None:
        text = self.pending + text
        position = 0
        while self.error is None:
            while position < len(text) and text[position] in LINE_BREAKS:
                position += 1
            header = _HEADER.match(text, position)
            if header is None:
                self.error = _fault_in_beginning(text[position : position + HEADER_LENGTH])
                break
            begin = header.end()
            end = begin + int(header[2])
            if end > len(text):
                break
            self._add(header[1], text[begin:end])
            position = end
        self.pending = text[position:]

    def _add(self, tag: str, value: str) -> None:
        self.count += 1
        if self.count > self.max_fields:
            self.error = f"more than {self.max_fields} fields"
        elif value and self.fields.setdefault(tag, value) != value and tag not in self.repeated:
            self.repeated.append(tag)

    def frame(self, to_text: Callable[[str], str], *, by_characters: bool = False) -> Frame:
        return Frame(
            fields=MappingProxyType({tag: to_text(value) for tag, value in self.fields.items()}),
            repeated=tuple(self.repeated),
            cut=self._cut(to_text),
            error=self.error,
            by_characters=by_characters,
        )

    def _cut(self, to_text: Callable[[str], str]) -> Cut | None:
        if not self.pending or self.error is not None:
            return None
        header = self.pending[:HEADER_LENGTH]
        return Cut(
            tag=header[:2] if len(header) >= 2 else None,
            length=int(header[2:]) if len(header) == HEADER_LENGTH else None,
            value=to_text(self.pending[HEADER_LENGTH:]),
        )


_NO_LINE_BREAKS: Final = dict.fromkeys(map(ord, LINE_BREAKS))
#: A tag is two capitals, the second may be a digit; a length is three digits.
_HEADER: Final = re.compile("([A-Z][A-Z0-9])([0-9]{3})")
_BEGINNING_OF_HEADER: Final = re.compile("([A-Z]([A-Z0-9][0-9]{0,2})?)?")


def _fault_in_beginning(text: str) -> str | None:
    """Say what keeps this, too short for a tag and length, from becoming one."""
    return None if _BEGINNING_OF_HEADER.fullmatch(text) else "not a field where one should begin"


def _text_of_bytes(value: str) -> str:
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return value
