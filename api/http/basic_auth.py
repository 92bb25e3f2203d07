"""Parser of HTTP Basic credentials in the Authorization header."""

import binascii
from dataclasses import dataclass, field

from api.http.errors import (
    HEADER_EMPTY,
    HEADER_INVALID,
    HEADER_NOT_BASIC,
    HEADER_NOT_FOUND,
    Unauthorized,
)


@dataclass(frozen=True, slots=True)
class BasicCredentials:
    """Name and password as the client sent them; not checked yet."""

    username: str
    password: str = field(repr=False)


def parse_basic(header: str | None) -> BasicCredentials:
    """Return the pair; raise Unauthorized with the contract's text for each way of getting it wrong.

    A control character is malformed (RFC 7617); it would also be a text that PostgreSQL refuses.
    """
    if header is None:
        raise Unauthorized(HEADER_NOT_FOUND)
    header = header.strip(" \t")
    if not header:
        raise Unauthorized(HEADER_EMPTY)
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        raise Unauthorized(HEADER_NOT_BASIC)
    try:
        pair = binascii.a2b_base64(token.strip(" ").encode("ascii"), strict_mode=True).decode()
    except ValueError:
        raise Unauthorized(HEADER_INVALID) from None
    username, colon, password = pair.partition(":")
    if not colon or not pair.isprintable():
        raise Unauthorized(HEADER_INVALID)
    return BasicCredentials(username, password)
