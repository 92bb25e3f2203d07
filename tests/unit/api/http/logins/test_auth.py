"""The Authorization header."""

import base64

import pytest

from api.http.logins.auth import BasicCredentials, parse_basic
from api.http.logins.errors import Unauthorized


def _basic(pair: bytes) -> str:
    return "Basic " + base64.b64encode(pair).decode()


@pytest.mark.parametrize(
    ("header", "pair"),
    [
        (_basic(b"user:secret"), ("user", "secret")),
        (_basic(b"user:a:b"), ("user", "a:b")),
        (_basic(b":"), ("", "")),
        (_basic("usér:motdepassé".encode()), ("usér", "motdepassé")),
        (_basic(b"user:secret").replace("Basic", "bASIC"), ("user", "secret")),
        (_basic(b"user:secret").replace(" ", "   "), ("user", "secret")),
        (_basic(b"user:secret") + "  ", ("user", "secret")),
    ],
)
def test_credentials_are_read(header: str, pair: tuple[str, str]) -> None:
    """The scheme's case and the spaces do not matter; the password may have colons."""
    assert parse_basic(header) == BasicCredentials(*pair)


@pytest.mark.parametrize(
    ("header", "details"),
    [
        (None, "Authorization header not found"),
        ("", "Authorization header is empty"),
        ("   ", "Authorization header is empty"),
        ("Bearer abc", "Authorization header doesn't rely on HTTP Basic Authentication"),
        ("dXNlcjpzZWNyZXQ=", "Authorization header doesn't rely on HTTP Basic Authentication"),
        ("Basicdxn", "Authorization header doesn't rely on HTTP Basic Authentication"),
        ("Basic", "Invalid authorization header"),
        ("Basic ", "Invalid authorization header"),
        ("Basic ***", "Invalid authorization header"),
        ("Basic dXNlcjpzZWNyZXQ", "Invalid authorization header"),
        ("Basic dXNl cjpzZWNyZXQ=", "Invalid authorization header"),
        ("Basic é", "Invalid authorization header"),
        (_basic(b"no colon"), "Invalid authorization header"),
        (_basic(b"user:\xff"), "Invalid authorization header"),
        (_basic(b"us\0er:secret"), "Invalid authorization header"),
        (_basic(b"user:sec\nret"), "Invalid authorization header"),
    ],
)
def test_each_way_of_getting_it_wrong_has_its_text(header: str | None, details: str) -> None:
    """A 401 with WWW-Authenticate: Basic, and the contract's code, message, description and details."""
    with pytest.raises(Unauthorized) as refused:
        parse_basic(header)

    assert refused.value.headers == {"WWW-Authenticate": "Basic"}
    assert refused.value.body() == {
        "error": {
            "status": 401,
            "code": "connector.api.login.unauthorized",
            "message": "Unauthorized",
            "description": "The login has been rejected.",
            "details": details,
        }
    }


def test_a_password_does_not_show_in_a_representation() -> None:
    """Logs and tracebacks print representations."""
    assert "secret" not in repr(parse_basic(_basic(b"user:secret")))
