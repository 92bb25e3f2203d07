"""Reads and writes JSON text so that every text that was read can be stored and sent again."""

import json
import math
import re
from typing import Any, Final, NoReturn

from api.contract.errors import UnreadableBody

#: Objects and arrays within each other; more is no order but an attack on the reader.
NESTING_LIMIT: Final = 64

# A string without an end takes the rest of the text, so that no text is read twice.
_STRING_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def _read_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


# Made once: json.loads and json.dumps make them anew at every call with options.
_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_read_float)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def read_json(body: bytes, nesting_limit: int = NESTING_LIMIT) -> Any:
    """Return the value of a UTF-8 JSON text; of a duplicate key the last one wins.

    Raises UnreadableBody for what is no JSON (NaN and Infinity are none, nor is a number too large for
    a float) and for more than `nesting_limit` levels.
    """
    if not body.strip():
        raise UnreadableBody("The request has no body.")
    try:
        text = body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise UnreadableBody("The body is not UTF-8.") from None
    if _is_too_deep(text, nesting_limit):
        raise UnreadableBody(f"The body has more than {nesting_limit} levels.")
    try:
        return _DECODER.decode(text)
    except ValueError:
        raise UnreadableBody("The body is not valid JSON.") from None


def write_json(value: object) -> str:
    """Return compact JSON that any database and UTF-8 can carry; raise ValueError for NaN and Infinity.

    Non-ASCII characters are kept. U+0000, which PostgreSQL refuses, and lone surrogates, which UTF-8 refuses,
    stay escaped.
    """
    text = _ENCODER.encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return _LONE_SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
    return text


def without_surrogates(value: Any) -> Any:
    """Return a copy with U+0000 in place of each lone surrogate: forbidden in the same places."""
    match value:
        case str():
            return _LONE_SURROGATE.sub("\0", value)
        case dict():
            return {without_surrogates(name): without_surrogates(part) for name, part in value.items()}
        case list():
            return [without_surrogates(part) for part in value]
        case _:
            return value


def _is_too_deep(text: str, limit: int) -> bool:
    # Nearly every request is settled by the count: it cannot be deeper than it has brackets.
    if text.count("{") + text.count("[") <= limit:
        return False
    depth = 0
    for match in _STRING_OR_BRACKET.finditer(text):
        mark = match[0]
        if mark in ("{", "["):
            depth += 1
            if depth > limit:
                return True
        elif mark in ("}", "]"):
            depth -= 1
    return False
