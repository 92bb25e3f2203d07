"""Credentials in requests and answers of operators."""

from typing import Annotated, Final, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from api.http.errors import Conflict
from api.http.models import NOT_NUL, WHOLE, Choice, Omittable, RequestBody, ResponseBody, Time, known
from api.http.query import read_time
from api.operator.acting import Reason, Reasoned
from shared.runtime.clock import iso_time
from shared.security.credentials import CredentialKind, Role
from shared.storage.administration.credential_register import StoredCredential

#: Long enough to change every till of a chain.
_OVERLAP_AT_MOST: Final = 30 * 86_400
_OVERLAP_DEFAULT: Final = 86_400
_OF_A_MERCHANT: Final = (CredentialKind.PRIVATE, CredentialKind.PUBLIC)


def _milliseconds(given: object) -> object:
    if given is None:
        return None
    at = read_time(given) if isinstance(given, str) else None
    if at is None:
        raise PydanticCustomError("format", "should be a time like 2026-03-05T12:06:58Z")
    return at


_Moment = Annotated[
    int | None,
    BeforeValidator(_milliseconds),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
]
_Label = Annotated[str, Field(max_length=100, pattern=NOT_NUL)]

_KIND: Final = (
    "`private`: makes payments. `public`: for web pages, no payments. `gateway`: reports transactions."
    " `operator`: administers, by its role."
)
_ROLE: Final = (
    "Of an operator. `read`: sees everything. `settle`: decides doubts and replays deliveries, too."
    " `admin`: merchants, credentials and operators, too."
)
_EXPIRES: Final = "From then on it is refused; null: never."


class CredentialRevoked(Conflict):
    """The credential is revoked, which cannot be undone."""

    code = "revoked.credential.conflict"
    description = "The credential is revoked; create another one."
    safe_to_retry = None


class CredentialRotating(Conflict):
    """An earlier secret is still valid; another rotation with an overlap would end it."""

    code = "rotating.credential.conflict"
    description = (
        "Its earlier secret is still valid, until earlier_secret_until. Rotate after that, or create another"
        " credential. An overlap of 0 ends the earlier secret at once: clients that have it are refused."
    )
    safe_to_retry = None


class NewCredential(Reasoned):
    """A credential to create."""

    kind: Choice[CredentialKind] = Field(CredentialKind.PRIVATE, description=_KIND)
    merchant_id: Omittable[Annotated[str, Field(max_length=64, pattern=NOT_NUL)]] = Field(
        None, description="Of a `private` or `public` one; the others belong to no merchant."
    )
    label: _Label = Field(
        "", description="For display: a shop's till, an operator's name.", examples=["till 1"]
    )
    role: Omittable[Choice[Role]] = Field(None, description=_ROLE)
    expires_at: _Moment = Field(None, description=_EXPIRES)

    @model_validator(mode="after")
    def _belongs(self) -> Self:
        needs_merchant, needs_role = self.kind in _OF_A_MERCHANT, self.kind is CredentialKind.OPERATOR
        for name, given, needed in (
            ("merchant_id", self.merchant_id, needs_merchant),
            ("role", self.role, needs_role),
        ):
            if needed and given is None:
                raise PydanticCustomError(
                    "required", "should have required property '{name}'", {"name": name}
                )
            if not needed and given is not None:
                raise PydanticCustomError("not", "should have no {name} with this kind", {"name": name})
        if needs_role and not self.label.strip():
            raise PydanticCustomError("required", "should have a label: the operator's name")
        return self


class CredentialChange(Reasoned):
    """Changes of a credential: what is left out stays as it is."""

    label: Omittable[_Label] = Field(None, description="For display.", examples=["till 1"])
    role: Omittable[Choice[Role]] = Field(None, description=_ROLE)
    expires_at: _Moment = Field(None, description=_EXPIRES)


class Rotation(Reasoned):
    """A new secret, and the time for which the earlier one stays valid beside it."""

    overlap_seconds: Annotated[int, Field(ge=0, le=_OVERLAP_AT_MOST), WHOLE] = Field(
        _OVERLAP_DEFAULT, description="0: the earlier secret ends at once, as after a theft."
    )


class Revocation(RequestBody):
    """The end of a credential."""

    reason: Reason = Field(description="Why; for the audit trail.", examples=["The till was stolen."])


class ManagedCredential(ResponseBody):
    """A credential without its secret, which is stored as a keyed hash only."""

    username: str
    kind: Choice[CredentialKind]
    merchant_id: Omittable[str] = None
    label: str
    role: Omittable[Choice[Role]] = None
    created_at: Time
    used_at: Omittable[Time] = Field(None, description="Its last use, to the minute; left out: never.")
    expires_at: Omittable[Time] = None
    revoked_at: Omittable[Time] = None
    earlier_secret_until: Omittable[Time] = Field(
        None, description="The secret before the last rotation is valid until then."
    )

    @classmethod
    def of(cls, stored: StoredCredential) -> Self:
        """Return the credential as operators see it."""
        return cls.model_validate(cls.fields_of(stored))

    @staticmethod
    def fields_of(stored: StoredCredential) -> dict[str, object]:
        """Return the fields by name."""
        return {
            "username": stored.id,
            "kind": stored.kind,
            "label": stored.label,
            "created_at": iso_time(stored.created_at),
            **known(
                merchant_id=stored.merchant_id,
                role=stored.role,
                used_at=iso_time(stored.used_at),
                expires_at=iso_time(stored.expires_at),
                revoked_at=iso_time(stored.revoked_at),
                earlier_secret_until=iso_time(stored.earlier_until),
            ),
        }


class IssuedCredential(ManagedCredential):
    """A credential with its new secret, which is shown this once."""

    secret: str = Field(description="Not stored: it cannot be shown again.")

    @classmethod
    def with_secret(cls, stored: StoredCredential, secret: str) -> Self:
        """Return the credential as it is shown once."""
        return cls.model_validate({**cls.fields_of(stored), "secret": secret})


class CredentialPage(ResponseBody):
    """One page of credentials."""

    credentials: list[ManagedCredential]
    next: Omittable[str] = Field(None, description="The next page's `cursor`; left out on the last page.")
