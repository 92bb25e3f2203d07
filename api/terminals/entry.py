"""The body that registers a terminal; a row of a terminal file becomes the same body."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from api.connector.schema import DEFAULT_PORT
from api.http.errors import InvalidRequest
from api.http.models import NOT_NUL, WHOLE, Omittable, RequestBody
from api.http.validation import field_errors
from shared.concert.profile import ReceiptBy, RequestEnd
from shared.network.hosts import HostRefused, read_host
from shared.storage.terminals.registry import Authorisation

TERMINAL_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MAX_AMOUNT_CENTS: Final = 999_999_999_999

#: Fields of an answer, ignored in a request: a terminal that was read may be changed and sent back.
READ_ONLY: Final = (
    "changed_at",
    "created_at",
    "disabled",
    "id",
    "last_seen",
    "observed",
    "payments",
    "replaced_at",
    "terminal_address",
)


class TerminalProfile(RequestBody):
    """Capabilities of one terminal; only what differs from the default."""

    sends_authorisation: bool = Field(True, description="Can be sent BB `1`, a request for authorisation.")
    sends_reference: bool = Field(True, description="Is sent CF, the payment's reference.")
    sends_contract: bool = Field(True, description="Is sent CG where the order names one contract.")
    sends_receipt: bool = Field(True, description="Is sent CK, the request for a receipt.")
    sends_application: bool = Field(True, description="Is sent CC where the order names one contract.")
    receipt: Annotated[str, Field(pattern="^[0-9A-Za-z]{3}$")] = Field("100", description="The value of CK.")
    version: Annotated[str, Field(pattern="^[0-9A-Za-z]{4}$")] | None = Field(
        None, description="CZ in place of the protocol's own, e.g. `0300`."
    )
    request_ends_with: RequestEnd = Field("", description="Text after the last field of a request.")
    receipt_by: ReceiptBy = Field(
        "none", description="How the terminal offers to send the receipt; V3.2 only."
    )
    accepts_partial: bool = Field(
        False, description="Is sent BF `1`: an answer with a lower amount has the amount that was paid."
    )
    bare_success: bool = Field(False, description="Answers success without a sign of a card.")
    terminal_time_seconds: Annotated[int, Field(ge=1, le=3600), WHOLE] | None = Field(
        None,
        description="The longest time from reading a request to its end, in seconds. Not below the time that "
        "an answer is waited for (180 by default).",
    )


class TerminalAuthorisation(RequestBody):
    """The debits that ask for an authorisation though their order does not."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [
                {
                    "properties": {
                        "policy": {"enum": ["standard", "always"]},
                        "above_cents": {"type": "null"},
                    }
                },
                {
                    "properties": {"policy": {"enum": ["above"]}, "above_cents": {"type": "integer"}},
                    "required": ["above_cents"],
                },
            ]
        }
    )

    policy: Authorisation = Field(description="`above` asks for amounts above `above_cents`.")
    above_cents: Annotated[int, Field(ge=0, le=_MAX_AMOUNT_CENTS), WHOLE] | None = Field(
        None, validate_default=True, description="With `above`, and only then: in cents."
    )

    @field_validator("above_cents")
    @classmethod
    def _belongs_to_above(cls, above_cents: int | None, info: ValidationInfo) -> int | None:
        policy = info.data.get("policy")
        if policy == "above" and above_cents is None:
            raise PydanticCustomError("required", "should have required property 'above_cents'")
        if policy in ("standard", "always") and above_cents is not None:
            raise PydanticCustomError("not", "belongs to the policy 'above' only")
        return above_cents


def _canonical_host(text: str) -> str:
    try:
        return read_host(text)
    except HostRefused as error:
        raise PydanticCustomError("format", "{problem}", {"problem": str(error)}) from error


def _requested(given: Any) -> Any:
    """Return the boolean that stands for an answer's text; anything else as it is."""
    return given != "none" if given in ("none", "requested", "confirmed") else given


def _complete_schema(schema: dict[str, Any]) -> None:
    """Add the fields that are ignored, and the rule between policy and profile."""
    ignored = {"readOnly": True, "description": "Ignored: a terminal that was read may be sent back."}
    schema["properties"] |= dict.fromkeys(READ_ONLY, ignored)
    schema["anyOf"] = [
        {"properties": {"authorisation": {"properties": {"policy": {"const": "standard"}}}}},
        {"properties": {"profile": {"properties": {"sends_authorisation": {"const": True}}}}},
    ]


class TerminalEntry(RequestBody):
    """A merchant's entry for a terminal; a field that is left out has its default."""

    model_config = ConfigDict(json_schema_extra=_complete_schema)

    host: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_canonical_host)] = Field(
        description="Name or IP address, alone.", examples=["127.0.0.2"]
    )
    port: Annotated[int, Field(ge=1, le=65_535), WHOLE] = Field(DEFAULT_PORT, description="TCP port.")
    label: Annotated[str, Field(max_length=200, pattern=NOT_NUL)] = Field(
        "", description="The terminal's name.", examples=["Front till"]
    )
    shop: Annotated[str, Field(max_length=200, pattern=NOT_NUL)] = Field(
        "", description="The terminal's place.", examples=["Lyon"]
    )
    protocol: Literal["ConcertV3.1", "ConcertV3.2"] = Field(
        "ConcertV3.1", description="Used by probes; an order names its own."
    )
    pos_number: Omittable[Annotated[str, Field(pattern="^[0-9]{2}$")]] = Field(
        None, description="Number of the POS; by default the installation's.", examples=["07"]
    )
    profile: TerminalProfile = Field(
        default_factory=TerminalProfile,
        description="Capabilities of the terminal; only what differs from the default.",
        examples=[{"sends_contract": False}],
    )
    authorisation: TerminalAuthorisation = Field(
        default_factory=lambda: TerminalAuthorisation(policy="standard"),
        description="The debits that ask for an authorisation though their order does not.",
        examples=[{"policy": "above", "above_cents": 3000}],
    )
    sole_use: Annotated[bool, BeforeValidator(_requested)] = Field(
        False,
        description="Whether no other merchant may use this address; effective once an operator has "
        "confirmed it. As an answer has it: `requested` and `confirmed` are true.",
        json_schema_extra={
            "type": ["boolean", "string"],
            "enum": [True, False, "none", "requested", "confirmed"],
        },
    )

    @model_validator(mode="before")
    @classmethod
    def _ignore_read_only(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        return {name: value for name, value in given.items() if name not in READ_ONLY}

    @model_validator(mode="after")
    def _can_be_asked(self) -> Self:
        if self.authorisation.policy != "standard" and not self.profile.sends_authorisation:
            problem = PydanticCustomError("not", "should be true where authorisation is asked for")
            details = InitErrorDetails(type=problem, loc=("profile", "sends_authorisation"), input=False)
            raise ValidationError.from_exception_data("TerminalEntry", [details])
        return self


def entry_problems(
    terminal_id: str, entry: TerminalEntry | None, answer_timeout_seconds: float
) -> list[InvalidRequest]:
    """Return the violations of rules outside the body: of the id, and of the settings."""
    problems = []
    if TERMINAL_ID.fullmatch(terminal_id) is None:
        message = "should be 1 to 64 letters, digits, dots, hyphens or underscores"
        problems.append(InvalidRequest("pattern", message, "id"))
    own_time = None if entry is None else entry.profile.terminal_time_seconds
    if own_time is not None and own_time < answer_timeout_seconds:
        message = f"should be >= {answer_timeout_seconds:g}, the answer time-out"
        problems.append(InvalidRequest("minimum", message, "profile.terminal_time_seconds"))
    return problems


def read_entry(
    terminal_id: str, given: Mapping[str, Any], *, answer_timeout_seconds: float
) -> tuple[TerminalEntry | None, list[InvalidRequest]]:
    """Return the entry, or every problem of it."""
    entry, problems = None, []
    try:
        entry = TerminalEntry.model_validate(given)
    except ValidationError as error:
        problems = field_errors(error.errors())
    problems = [*entry_problems(terminal_id, entry, answer_timeout_seconds), *problems]
    return (None if problems else entry), problems
