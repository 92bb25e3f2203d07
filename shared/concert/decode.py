"""The decoder of a peer's bytes: field by field, however the network cut them."""

import codecs
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from shared.concert import fields as f
from shared.concert.framing import AFTER, LINE_BREAKS, Unwrapped, unwrap

MAX_FRAME_BYTES: Final = 16 * 1024
MAX_FRAME_FIELDS: Final = 64
#: Tag and length.
HEADER_LENGTH: Final = 5


@dataclass(frozen=True, slots=True)
class Cut:
    """A field that has begun and not ended."""

    #: None where not even the tag is whole.
    tag: str | None
    #: None where the length is not whole.
    length: int | None
    value: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The fields of all bytes so far. Values are text: UTF-8 where they are, else Latin-1."""

    #: First value of each tag, in the order of arrival; a field without a value counts as left out.
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    #: Described tags that came again with another value: a contradiction. Undescribed tags may repeat.
    repeated: tuple[str, ...] = ()
    #: The field in which the bytes end; None on a field boundary.
    cut: Cut | None = None
    #: The reason why the bytes are no row of fields; nothing that follows can fix it.
    error: str | None = None
    #: Lengths count characters, not bytes.
    by_characters: bool = False

    @property
    def at_boundary(self) -> bool:
        return self.cut is None and self.error is None

    @property
    def is_empty(self) -> bool:
        """True while nothing came but line breaks and what else may stand before a frame."""
        return not self.fields and self.at_boundary


class Decoder:
    """A decoder of a byte stream; `feed` never raises, whatever the bytes are.

    Lengths count bytes. Where the bytes do not parse, known wrapping is taken off (see
    `shared.concert.framing`), and two other readings of the same stream are tried: by characters of UTF-8,
    and without line breaks (a receipt's base64 broken into lines that its length does not count).
    """

    def __init__(
        self,
        *,
        max_bytes: int = MAX_FRAME_BYTES,
        max_fields: int = MAX_FRAME_FIELDS,
        exact: bool = False,
    ) -> None:
        """Make a decoder; `exact` removes nothing, and a value that is no UTF-8 keeps its bytes
        (surrogateescape), so that it can be sent back unchanged."""
        self._max_bytes = max_bytes
        self._max_fields = max_fields
        self._is_exact = exact
        self._after = (LINE_BREAKS if exact else AFTER).decode("latin-1")
        self._to_text = _exact_text if exact else _text_of_bytes
        self._received = bytearray()
        self._is_too_long = False
        self._by_bytes = _Row(max_fields, self._after)

    @property
    def received(self) -> bytes:
        """All bytes that were fed, up to the limit."""
        return bytes(self._received)

    @property
    def rest(self) -> bytes:
        """The bytes after the last whole field, in the plain reading."""
        return self._by_bytes.pending.encode("latin-1")

    def feed(self, data: bytes) -> Frame:
        """Take the next bytes, any number of them, and return the frame as it stands."""
        room = self._max_bytes - len(self._received)
        if len(data) > room:
            self._is_too_long = True
            data = data[:room]
        self._received += data
        self._by_bytes.feed(data.decode("latin-1"))
        return self.frame()

    def frame(self, *, ended: bool = False) -> Frame:
        """Return the frame as it stands; `ended` says that nothing more is expected.

        Only then is a stream whose bytes end inside a field given its other readings: before, the rest of the
        field may still be on its way.
        """
        if self._is_too_long:
            return Frame(error=f"more than {self._max_bytes} bytes")
        plain = self._by_bytes.frame(self._to_text)
        if plain.at_boundary or (plain.error is None and not ended):
            return plain
        if plain.error is None or self._is_exact:
            return self._best_reading(self.received, ended=ended)
        frames = [self._unwrapped_frame(unwrapped, ended=ended) for unwrapped in unwrap(self.received)]
        return next((frame for frame in frames if frame.at_boundary), frames[0])

    def _unwrapped_frame(self, unwrapped: Unwrapped, *, ended: bool) -> Frame:
        frame = self._best_reading(unwrapped.body, ended=ended)
        # What STX began is not whole before its ETX and check byte.
        return replace(frame, cut=_NO_END) if unwrapped.is_open and frame.at_boundary else frame

    def _best_reading(self, body: bytes, *, ended: bool) -> Frame:
        by_bytes = self._row(body.decode("latin-1")).frame(self._to_text)
        if by_bytes.at_boundary or (by_bytes.error is None and not ended):
            return by_bytes
        readings = (self._by_characters(body), self._without_breaks(body))
        for reading in readings:
            if reading.at_boundary and not reading.is_empty:
                return reading
        if by_bytes.error is None:
            return by_bytes
        return next((reading for reading in readings if reading.error is None), by_bytes)

    def _by_characters(self, body: bytes) -> Frame:
        try:
            text = codecs.getincrementaldecoder("utf-8")().decode(body)
        except UnicodeDecodeError:
            return Frame(error="not UTF-8")
        return self._row(text).frame(str, by_characters=True)

    def _without_breaks(self, body: bytes) -> Frame:
        return self._row(body.decode("latin-1").translate(_NO_LINE_BREAKS)).frame(self._to_text)

    def _row(self, text: str) -> "_Row":
        row = _Row(self._max_fields, self._after)
        row.feed(text)
        return row


class _Row:
    """One reading of a stream of characters as a row of fields."""

    __slots__ = ("after", "count", "error", "fields", "max_fields", "pending", "repeated")

    def __init__(self, max_fields: int, after: str) -> None:
        self.max_fields = max_fields
        #: The characters that may follow the last field.
        self.after = after
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
            while position < len(text) and text[position] in _LINE_BREAKS:
                position += 1
            header = _HEADER.match(text, position)
            if header is None:
                if not text[position:].strip(self.after):
                    break
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
        elif value and self.fields.setdefault(tag, value) != value and self._contradicts(tag):
            self.repeated.append(tag)

    def _contradicts(self, tag: str) -> bool:
        return f.is_described(tag) and tag not in self.repeated

    def frame(self, to_text: Callable[[str], str], *, by_characters: bool = False) -> Frame:
        return Frame(
            fields=MappingProxyType({tag: to_text(value) for tag, value in self.fields.items()}),
            repeated=tuple(self.repeated),
            cut=self._cut(to_text),
            error=self.error,
            by_characters=by_characters,
        )

    def _cut(self, to_text: Callable[[str], str]) -> Cut | None:
        if not self.pending.strip(self.after) or self.error is not None:
            return None
        header = self.pending[:HEADER_LENGTH]
        return Cut(
            tag=header[:2] if len(header) >= 2 else None,
            length=int(header[2:]) if len(header) == HEADER_LENGTH else None,
            value=to_text(self.pending[HEADER_LENGTH:]),
        )


_NO_END: Final = Cut(tag=None, length=None, value="")
_LINE_BREAKS: Final = LINE_BREAKS.decode("latin-1")
_NO_LINE_BREAKS: Final = dict.fromkeys(LINE_BREAKS)
#: A tag is two capitals, the second may be a digit; a length is three digits.
_HEADER: Final = re.compile("([A-Z][A-Z0-9])([0-9]{3})")
_BEGINNING_OF_HEADER: Final = re.compile("([A-Z]([A-Z0-9][0-9]{0,2})?)?")


def _fault_in_beginning(text: str) -> str | None:
    """Return what keeps a text that is too short for tag and length from becoming one; None: nothing."""
    return None if _BEGINNING_OF_HEADER.fullmatch(text) else "not a field where one should begin"


def _text_of_bytes(value: str) -> str:
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return value


def _exact_text(value: str) -> str:
    return value.encode("latin-1").decode("utf-8", "surrogateescape")
