"""JSON reader, writer and answer: every text that was read can be stored and sent again."""

import json
import math
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Any, Final, NoReturn

from fastapi.responses import JSONResponse, Response

from api.http.errors import UnreadableBody

#: Objects and arrays within each other; more is no order but an attack on the reader.
NESTING_LIMIT: Final = 64
#: Values in one body, nested ones included: a basket of 1,000 items has 9,000. Many small ones cost the
#: reader, and whoever shows the body again, far more than the same number of bytes in few.
VALUES_LIMIT: Final = 20_000
#: Digits of one integer: reading and writing them costs their square.
DIGITS_LIMIT: Final = 1_000

# A string without an end takes the rest of the text, so that no text is read twice.
_STRING: Final = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_NO_MARKS: Final = bytes(byte for byte in range(256) if byte not in b"[]{},")
#: By each mark's byte: whether it leads one level in or out.
_STEPS: Final = [(byte in b"[{") - (byte in b"]}") for byte in range(256)]
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def _read_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(text)
    return number


def _read_integer(text: str) -> int:
    if len(text) > DIGITS_LIMIT:
        raise ValueError(text)
    return int(text)


class _NameTwice(ValueError):
    """An object has one name twice: readers disagree on which of its values counts."""


def _read_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) < len(pairs):
        raise _NameTwice
    return read


# Made once: json.loads and json.dumps make them anew at every call with options.
_DECODER: Final = json.JSONDecoder(
    parse_constant=_refuse_constant,
    parse_float=_read_float,
    parse_int=_read_integer,
    object_pairs_hook=_read_object,
)
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def read_json(body: bytes, nesting_limit: int = NESTING_LIMIT) -> Any:
    """Return the value of a UTF-8 JSON text.

    Raises UnreadableBody for what is no JSON (NaN and Infinity are none, nor is a number too large for
    a float), for a name that an object has twice, for more than `nesting_limit` levels, VALUES_LIMIT values
    or DIGITS_LIMIT digits of an integer.
    """
    if not body.strip():
        raise UnreadableBody("The request has no body.")
    try:
        text = body.decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise UnreadableBody("The body is not UTF-8.") from None
    _check_size(text, nesting_limit)
    try:
        return _DECODER.decode(text)
    except _NameTwice:
        raise UnreadableBody("An object of the body has the same name twice.") from None
    except ValueError:
        raise UnreadableBody("The body is not valid JSON.") from None


def write_json(value: object) -> str:
    """Return compact JSON that any database and UTF-8 can carry; raise ValueError for NaN and Infinity.

    Non-ASCII characters are kept. U+0000, which PostgreSQL refuses, and lone surrogates, which UTF-8 refuses,
    stay escaped.
    """
    # Python writes a lone surrogate as JSON does: backslash, u, four digits.
    return _ENCODER.encode(value).encode(errors="backslashreplace").decode()


class JsonResponse(JSONResponse):
    """A JSON answer; texts that UTF-8 cannot carry stay escaped."""

    def render(self, content: Any) -> bytes:
        return write_json(content).encode()


def answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer; texts that UTF-8 cannot carry stay escaped."""
    return Response(write_json(body), status_code=status, headers=headers, media_type="application/json")


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


def _check_size(text: str, nesting_limit: int) -> None:
    """Raise UnreadableBody for too many levels or values, before anything is made of them."""
    # Nearly every request is settled by the counts: it has no more levels or values than brackets and commas.
    brackets = text.count("{") + text.count("[")
    if brackets <= nesting_limit and brackets + text.count(",") < VALUES_LIMIT:
        return
    # Each value is one string at the most, and so is its name.
    if text.count('"') - text.count("\\") > 4 * VALUES_LIMIT:
        raise UnreadableBody(f"The body has more than {VALUES_LIMIT} values.")
    marks = _STRING.sub("", text).encode(errors="replace").translate(None, _NO_MARKS)
    if marks.count(b"{") + marks.count(b"[") + marks.count(b",") >= VALUES_LIMIT:
        raise UnreadableBody(f"The body has more than {VALUES_LIMIT} values.")
    if max(accumulate(map(_STEPS.__getitem__, marks)), default=0) > nesting_limit:
        raise UnreadableBody(f"The body has more than {nesting_limit} levels.")
