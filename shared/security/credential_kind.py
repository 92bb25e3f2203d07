"""What a credential may be used for."""

from enum import StrEnum


class CredentialKind(StrEnum):
    """What a credential is for; `private` and `public` belong to one merchant, the others to none."""

    PRIVATE = "private"
    PUBLIC = "public"
    GATEWAY = "gateway"
    OPERATOR = "operator"
