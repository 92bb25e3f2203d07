"""A terminal as a merchant registers it: checked member by member, every problem named."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.connector.schema import DEFAULT_PORT, PROTOCOLS
from api.http.errors import InvalidRequest
from shared.concert.profile import Profile, ProfileError
from shared.network.hosts import HostRefused, read_host
from shared.storage.terminals.registry import Authorisation

TERMINAL_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REGISTER_NUMBER: Final = re.compile(r"[0-9]{2}")
_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")
_LONGEST_TEXT: Final = 200
_LONGEST_HOST: Final = 255
_LARGEST_AMOUNT: Final = 999_999_999_999
_POLICIES: Final[tuple[Authorisation, ...]] = ("standard", "always", "above")

#: Members of an answer, passed over in a request: what was read may be changed and sent back.
READ_ONLY: Final = frozenset(
    {
        "id",
        "terminal_address",
        "disabled",
        "created_at",
        "changed_at",
        "replaced_at",
        "last_seen",
        "observed",
        "payments",
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one member; `keyword` is that of the contract's validation errors."""

    path: str
    keyword: str
    message: str

    def error(self) -> InvalidRequest:
        return InvalidRequest(self.keyword, self.message, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalEntry:
    """A checked entry, its host in its one spelling; where that leads to is not known yet."""

    id: str
    label: str
    shop: str
    host: str
    port: int
    protocol: str
    pos_number: str
    #: Only what was given.
    profile: Mapping[str, Any]
    authorisation: Authorisation
    authorisation_above_cents: int | None
    sole_use: bool


def read_entry(
    terminal_id: str, given: Any, *, pos_number: str, answer_timeout_seconds: float
) -> tuple[TerminalEntry | None, list[Problem]]:
    """Return the entry, or what is wrong with it.

    `pos_number` stands in where none is given; no terminal's own time is below the answer time-out.
    """
    if not isinstance(given, dict):
        return None, [Problem("", "type", "should be object")]
    reader = _Reader(given)
    if TERMINAL_ID.fullmatch(terminal_id) is None:
        reader.refuse("id", "pattern", "should be 1 to 64 letters, digits, dots, hyphens or underscores")
    values: dict[str, Any] = {
        "id": terminal_id,
        "label": reader.text("label", ""),
        "shop": reader.text("shop", ""),
        "host": reader.host(),
        "port": reader.integer("port", DEFAULT_PORT, 1, 65_535),
        "protocol": reader.choice("protocol", PROTOCOLS[0], PROTOCOLS),
        "pos_number": reader.text("pos_number", pos_number),
        "sole_use": reader.boolean("sole_use"),
    }
    if "pos_number" in given and _REGISTER_NUMBER.fullmatch(values["pos_number"]) is None:
        reader.refuse("pos_number", "pattern", "should be 2 digits")
    profile = reader.profile(answer_timeout_seconds)
    policy, above_cents = reader.authorisation()
    if policy != "standard" and profile.get("sends_authorisation") is False:
        reader.refuse("profile.sends_authorisation", "not", "should be true where authorisation is asked for")
    reader.refuse_unknown()
    if reader.problems:
        return None, reader.problems
    return (
        TerminalEntry(**values, profile=profile, authorisation=policy, authorisation_above_cents=above_cents),
        [],
    )


class _Reader:
    """Reads members one by one; what is wrong is noted, and a default goes on in its place."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given
        self._known = set(READ_ONLY)
        self.problems: list[Problem] = []

    def refuse(self, path: str, keyword: str, message: str) -> None:
        self.problems.append(Problem(path, keyword, message))

    def _has_problem(self, path: str) -> bool:
        return any(problem.path == path for problem in self.problems)

    def refuse_unknown(self) -> None:
        self._refuse_unknown(self._given, self._known, "")

    def _refuse_unknown(self, given: Mapping[str, Any], known: Collection[str], prefix: str) -> None:
        """Name the first one only: there may be thousands."""
        name = next((name for name in given if name not in known), None)
        if name is not None:
            self._refuse_name(prefix + name)

    def _refuse_name(self, path: str) -> None:
        self.refuse(path, "additionalProperties", "should NOT have additional properties")

    def _member(self, name: str, default: Any) -> Any:
        self._known.add(name)
        return self._given.get(name, default)

    def text(self, name: str, default: str, *, longest: int = _LONGEST_TEXT) -> str:
        value = self._member(name, default)
        if not isinstance(value, str):
            self.refuse(name, "type", "should be string")
        elif len(value) > longest:
            self.refuse(name, "maxLength", f"should NOT be longer than {longest} characters")
        elif _UNSTORABLE.search(value):
            self.refuse(name, "pattern", "should NOT contain U+0000 or a lone surrogate")
        else:
            return value
        return default

    def host(self) -> str:
        """Return the host in its one spelling."""
        value = self.text("host", "", longest=_LONGEST_HOST)
        if "host" not in self._given:
            self.refuse("host", "required", "should have required property 'host'")
        elif not value and not self._has_problem("host"):
            self.refuse("host", "minLength", "should NOT be shorter than 1 characters")
        elif value:
            try:
                return read_host(value)
            except HostRefused as error:
                self.refuse("host", "format", str(error))
        return ""

    def choice(self, name: str, default: str, choices: tuple[str, ...]) -> str:
        value = self._member(name, default)
        if value in choices:
            return str(value)
        self.refuse(name, "enum", f"should be one of {', '.join(choices)}")
        return default

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        value = _whole(self._member(name, default))
        if self._is_integer(name, value, least, most):
            return int(value)
        return default

    def boolean(self, name: str) -> bool:
        value = self._member(name, False)
        # As an answer has it: `none`, `requested`, `confirmed`.
        if isinstance(value, str) and value in ("none", "requested", "confirmed"):
            return value != "none"
        if not isinstance(value, bool):
            self.refuse(name, "type", "should be boolean")
            return False
        return value

    def profile(self, answer_timeout_seconds: float) -> dict[str, Any]:
        given = self._member("profile", {})
        if not isinstance(given, dict):
            self.refuse("profile", "type", "should be object")
            return {}
        given = {name: _whole(value) for name, value in given.items()}
        try:
            own_time = Profile.from_dict(given).terminal_time_seconds
        except ProfileError as error:
            self.refuse(f"profile.{error.key}", "profile", error.problem)
            return {}
        if own_time is not None and own_time < answer_timeout_seconds:
            least = f"should be >= {answer_timeout_seconds:g}, the answer time-out"
            self.refuse("profile.terminal_time_seconds", "minimum", least)
            return {}
        return given

    def authorisation(self) -> tuple[Authorisation, int | None]:
        given = self._member("authorisation", {"policy": "standard"})
        if not isinstance(given, dict):
            self.refuse("authorisation", "type", "should be object")
            return "standard", None
        self._refuse_unknown(given, ("policy", "above_cents"), "authorisation.")
        policy, above = given.get("policy"), _whole(given.get("above_cents"))
        if policy not in _POLICIES:
            self.refuse("authorisation.policy", "enum", f"should be one of {', '.join(_POLICIES)}")
            return "standard", None
        if policy != "above":
            if above is not None:
                self.refuse("authorisation.above_cents", "not", "belongs to the policy 'above' only")
            return policy, None
        if above is None:
            missing = "should have required property 'above_cents'"
            self.refuse("authorisation.above_cents", "required", missing)
        elif self._is_integer("authorisation.above_cents", above, 0, _LARGEST_AMOUNT):
            return policy, int(above)
        return "standard", None

    def _is_integer(self, path: str, value: Any, least: int, most: int) -> bool:
        if not isinstance(value, int) or isinstance(value, bool):
            self.refuse(path, "type", "should be integer")
        elif value < least:
            self.refuse(path, "minimum", f"should be >= {least}")
        elif value > most:
            self.refuse(path, "maximum", f"should be <= {most}")
        else:
            return True
        return False


def _whole(value: Any) -> Any:
    """Return 100 for 100.0, as everywhere in the contract; anything else as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
