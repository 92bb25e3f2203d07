"""The profile of one terminal: the optional fields that it accepts, and its behaviour."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

RequestEnd = Literal["", "\r\n"]
ReceiptBy = Literal["none", "sms", "email", "all"]

#: Keys whose value may be null: the default is meant.
_OPTIONAL: Final = frozenset({"version", "terminal_time_seconds"})


class ProfileError(ValueError):
    """Raised for a profile that has an unknown key or an ill-typed value; `key` names it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"profile.{key}: {problem}")
        self.key = key
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One terminal's profile. The default sends CF and CK `100`; the rest only where an order asks for it."""

    #: BB `1` can be sent where an authorisation is asked for; without it such a request cannot be made.
    sends_authorisation: bool = True
    #: CF carries our payment reference.
    sends_reference: bool = True
    #: CG is sent where the order's contract_array has exactly one entry.
    sends_contract: bool = True
    #: CK asks for a receipt.
    sends_receipt: bool = True
    #: CC is sent where the order's contract_array has exactly one entry.
    sends_application: bool = True
    #: The value of CK: `100` customer receipt, `000` none; some terminals want `120` or `121`.
    receipt: str = "100"
    #: CZ in place of the one that the order's protocol stands for, e.g. `0300`.
    version: str | None = None
    #: What follows the last field; some terminals reject a request that CR LF does not follow.
    request_ends_with: RequestEnd = ""
    #: Where the terminal offers to send the receipt (BH, BI; V3.2 only).
    receipt_by: ReceiptBy = "none"
    #: BF `1` is sent, and a lower amount in the answer is what was really paid (meal vouchers).
    accepts_partial: bool = False
    #: This terminal's 'done' needs no sign of a card.
    bare_success: bool = False
    #: The longest time from reading a request to its end, PIN and authorisation included; seconds. None: the
    #: usual one of the settings, which it can only lengthen.
    terminal_time_seconds: int | None = None

    def __post_init__(self) -> None:
        _check_text("receipt", self.receipt, length=3)
        if self.version is not None:
            _check_text("version", self.version, length=4)
        _check_choice("request_ends_with", self.request_ends_with, get_args(RequestEnd))
        _check_choice("receipt_by", self.receipt_by, get_args(ReceiptBy))
        if self.terminal_time_seconds is not None and not 1 <= self.terminal_time_seconds <= 3600:
            raise ProfileError("terminal_time_seconds", "should be from 1 to 3600")

    def to_dict(self) -> dict[str, Any]:
        """Return the input of `from_dict`, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> "Profile":
        """Return the profile; keys that are left out have their defaults. Raises ProfileError."""
        types = {field.name: field.type for field in fields(cls)}
        for key, value in given.items():
            if key not in types:
                raise ProfileError(key, "is not a key of a profile")
            _check_type(key, types[key], value)
        return cls(**given)


def terminal_time_of(profile: str) -> int | None:
    """Return the terminal's own time by a stored profile (JSON); None: the usual one.

    A profile that cannot be read has none: its payment was never written.
    """
    try:
        return Profile.from_dict(json.loads(profile)).terminal_time_seconds
    except ValueError:  # no JSON, or no profile
        return None


def _check_type(key: str, expected: object, value: object) -> None:
    match expected, value:
        case type() as kind, _ if kind is bool:
            fits, word = isinstance(value, bool), "boolean"
        case _, None if key in _OPTIONAL:
            return
        case _ if key == "terminal_time_seconds":
            fits, word = isinstance(value, int) and not isinstance(value, bool), "integer"
        case _:
            fits, word = isinstance(value, str), "string"
    if not fits:
        raise ProfileError(key, f"should be {word}")


def _check_text(key: str, value: str, *, length: int) -> None:
    if len(value) != length or not value.isascii() or not value.isalnum():
        raise ProfileError(key, f"should be {length} letters or digits")


def _check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ProfileError(key, f"should be one of {', '.join(map(repr, choices))}")
