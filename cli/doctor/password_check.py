"""Check of the passwords: those that everybody knows, on servers that others reach.

On loopback the sandbox and tests use them.
"""

from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from cli.doctor.finding import Finding, Level
from shared.settings.fields import variable

if TYPE_CHECKING:
    from shared.settings.settings import Settings

#: Beside those that equal the account's name.
_KNOWN_TO_ALL: Final = frozenset({"admin", "changeme", "guest", "password", "postgres", "rabbitmq", "secret"})
_LOOPBACK: Final = ("localhost", "127.", "::1")
_GUESSED_KEYS: Final = ("changeme", "0123456789", "secret")


def check_passwords(settings: "Settings") -> list[Finding]:
    """Return a problem for each secret of database, broker and installation that anybody would try."""
    addresses = {"database_url": settings.database_url, "amqp_url": settings.amqp_url}
    found = [
        _finding(name, "its password is one that everybody knows")
        for name, address in addresses.items()
        if address is not None and _is_known(address.get_secret_value())
    ]
    key = "" if settings.secret_key is None else settings.secret_key.get_secret_value().lower()
    if key and (len(set(key)) < 8 or key.startswith(_GUESSED_KEYS)):
        found.append(_finding("secret_key", "it can be guessed"))
    return found


def _is_known(address: str) -> bool:
    parts = urlsplit(address)
    password, user = (unquote(part or "").lower() for part in (parts.password, parts.username))
    if (parts.hostname or "localhost").startswith(_LOOPBACK):
        return False
    return password in _KNOWN_TO_ALL or (bool(password) and password == user)


def _finding(name: str, fact: str) -> Finding:
    fix = "Make one with: openssl rand -hex 32"
    return Finding("settings", Level.PROBLEM, f"{variable(name)}: {fact}.", fix)
