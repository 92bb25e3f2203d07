"""The API that a verb calls: its options, environment variables and profiles of the configuration file."""

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cli.verbs import MACHINE, TargetOptions

URL_VARIABLE: Final = "CT_URL"
PROFILE_VARIABLE: Final = "CT_PROFILE"
#: Of the user name, and of the secret.
LOGIN_VARIABLES: Final = ("CT_USERNAME", "CT_SECRET")

_KEYS: Final = frozenset({"url", "username", "secret", "secret_file"})


class TargetRefused(Exception):
    """Raised for a profile or option that cannot be used; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Remote:
    """An API over HTTP, and the credential for it."""

    url: str
    username: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Machine:
    """The database of this machine's settings, as an administrator or as a merchant."""

    merchant_id: str | None


Target = Remote | Machine


def config_path(environ: Mapping[str, str]) -> Path:
    """Return the configuration file's path, `~/.config/cloud-terminal/config.toml` by default."""
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "cloud-terminal" / "config.toml"


def choose_target(options: TargetOptions, environ: Mapping[str, str] = os.environ) -> Target:
    """Return the API to call: `--url`, else a profile, else this machine. Raises TargetRefused."""
    name = options.profile or environ.get(PROFILE_VARIABLE)
    url = options.url or (None if options.profile else environ.get(URL_VARIABLE))
    if name == MACHINE and url is None:
        return Machine(options.merchant)
    file = _read_config(config_path(environ))
    if name is None and url is None:
        name = file.get("default")
        if name is None or name == MACHINE:
            return Machine(options.merchant)
    profile = _profile(file, name) if name is not None and name != MACHINE else {}
    url = url or profile.get("url")
    if url is None:
        raise TargetRefused(f"The profile {name} has no url.")
    if options.merchant is not None:
        raise TargetRefused(
            "--as-merchant is for this machine's database: over HTTP use the merchant's credential."
        )
    username = environ.get(LOGIN_VARIABLES[0]) or profile.get("username")
    secret = environ.get(LOGIN_VARIABLES[1]) or _secret(profile)
    if not username or not secret:
        raise TargetRefused(
            f"There is no credential for {url}: name a --profile of {config_path(environ)},"
            f" or set {' and '.join(LOGIN_VARIABLES)}."
        )
    return Remote(_checked_url(url), username, secret)


def _read_config(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        mode = path.stat().st_mode
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TargetRefused(f"{path}: {error.strerror}.") from error
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TargetRefused(f"{path} is not valid TOML: {error}.") from error
    if "secret" in text and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise TargetRefused(f"{path} has secrets and others may read it. Type: chmod 600 {path}")
    return found


def _profile(file: Mapping[str, Any], name: str) -> dict[str, str]:
    profiles = file.get("profiles", {})
    found = profiles.get(name) if isinstance(profiles, dict) else None
    if not isinstance(found, dict):
        known = ", ".join(sorted(profiles)) if isinstance(profiles, dict) and profiles else "none"
        raise TargetRefused(f"There is no profile {name}; known: {known}.")
    unknown = sorted(found.keys() - _KEYS)
    if unknown or not all(isinstance(value, str) for value in found.values()):
        raise TargetRefused(f"The profile {name} may have texts for {', '.join(sorted(_KEYS))} only.")
    return found


def _secret(profile: Mapping[str, str]) -> str | None:
    path = profile.get("secret_file")
    if path is None:
        return profile.get("secret")
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").strip()
    except OSError as error:
        raise TargetRefused(f"{path}: {error.strerror}.") from error


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise TargetRefused(f"{url} is no address of an API: write https://HOST.")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise TargetRefused(f"{url}: the secret would be sent in clear. Use https.")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
