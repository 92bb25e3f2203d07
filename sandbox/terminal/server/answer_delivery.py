"""Bytes of an answer, and the pieces in which they are written."""

from collections.abc import Mapping

from sandbox.terminal.script.behaviour import Behaviour
from shared.concert import fields as f
from shared.concert.encode import encode_fields
from shared.concert.framing import ACK, EOT, ETX, STX, check_byte_of

#: Neither a field nor UTF-8.
NOISE = b"\x15\x02\xff\xfeERREUR 42\x00"
#: A manufacturer's own field with accents, so that bytes and characters differ.
_ACCENTED = ("OD", "Terminal prêt, café réglé")


def answer_bytes(answer: Mapping[str, str], behaviour: Behaviour) -> bytes:
    """Return the answer's bytes, with the behaviour's faults and wrapping."""
    body = _body(answer, behaviour)
    return ACK + STX + body + ETX + check_byte_of(body) + EOT if behaviour.wraps else body


def amount_bytes(cents: int) -> bytes:
    """Return the bytes of CB alone."""
    return encode_fields([(f.AMOUNT, f"{cents:02d}")])


def _body(answer: Mapping[str, str], behaviour: Behaviour) -> bytes:
    fields = list(answer.items())
    if behaviour.counts_characters:
        return _count_characters([*fields[:-1], _ACCENTED, *fields[-1:]])
    if behaviour.receipt_short_by and fields and fields[-1][0] == f.RECEIPT:
        receipt = fields[-1][1].encode("ascii")
        kept = receipt[: -behaviour.receipt_short_by]
        return encode_fields(fields[:-1]) + b"ZT%03d%s" % (len(receipt), kept)
    return encode_fields(fields)


def _count_characters(fields: list[tuple[str, str]]) -> bytes:
    return "".join(f"{tag}{len(value):03d}{value}" for tag, value in fields).encode(
        "utf-8", "surrogateescape"
    )


def pieces(data: bytes, behaviour: Behaviour) -> list[bytes]:
    """Return the pieces in which the bytes are written."""
    size = behaviour.piece_bytes
    if size is None or size >= len(data):
        return [data]
    return [data[begin : begin + size] for begin in range(0, len(data), size)]
