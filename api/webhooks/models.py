"""Bodies of requests about a merchant's webhook endpoints, and their answers."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Self

from pydantic import Field

from api.http.models import NOT_NUL, WHOLE, Omittable, OneOf, RequestBody, ResponseBody, Time, known
from shared.network.targets import MAX_URL_LENGTH
from shared.notification.events import PAYMENT_TYPES
from shared.runtime.clock import iso_time
from shared.storage.webhooks.endpoints import RegisteredEndpoint

_LONGEST_OVERLAP_SECONDS: Final = 604_800

_Url = Annotated[str, Field(min_length=1, max_length=MAX_URL_LENGTH, pattern=NOT_NUL)]
_Description = Annotated[str, Field(max_length=200, pattern=NOT_NUL)]
_Types = Annotated[list[Annotated[str, OneOf(type_.value for type_ in PAYMENT_TYPES)]], Field(max_length=50)]

_URL_DESCRIPTION: Final = "Receiver of the events: https, a public address, no user name, no fragment."
_URL_EXAMPLES: Final = ["https://shop.example.com/hooks/payments"]
_DESCRIPTION_DESCRIPTION: Final = "For people."
_TYPES_DESCRIPTION: Final = "The event types that it subscribes to; empty: all of them."
_TYPES_EXAMPLES: Final = [["payment.succeeded", "payment.resolved"]]


class NewWebhookEndpoint(RequestBody):
    """An address that subscribes to events of the merchant's payments."""

    url: _Url = Field(description=_URL_DESCRIPTION, examples=_URL_EXAMPLES)
    description: _Description = Field("", description=_DESCRIPTION_DESCRIPTION, examples=["Accounting"])
    types: _Types = Field([], description=_TYPES_DESCRIPTION, examples=_TYPES_EXAMPLES)


class WebhookEndpointChanges(RequestBody):
    """Changes of an endpoint; what is left out stays."""

    url: Omittable[_Url] = Field(None, description=_URL_DESCRIPTION, examples=_URL_EXAMPLES)
    description: Omittable[_Description] = Field(
        None, description=_DESCRIPTION_DESCRIPTION, examples=["Accounting"]
    )
    types: Omittable[_Types] = Field(None, description=_TYPES_DESCRIPTION, examples=_TYPES_EXAMPLES)
    disabled: Omittable[bool] = Field(
        None,
        description="`true`: it gets no more events, and what waits for it is ended. `false`: it gets the "
        "events from now on.",
        examples=[True],
    )


class SecretRotation(RequestBody):
    """A change of an endpoint's secret."""

    overlap_seconds: Omittable[Annotated[int, Field(ge=0, le=_LONGEST_OVERLAP_SECONDS), WHOLE]] = Field(
        None,
        description="How long the earlier secrets still sign beside the new one; 0 for one that got into "
        "wrong hands. A day unless the installation is set otherwise.",
        examples=[3600],
    )


class WebhookSecret(ResponseBody):
    """A secret that signs now, without the secret itself."""

    created_at: Time
    signs_until: Omittable[Time] = Field(None, description="Left out of the newest.")


class WebhookEndpoint(ResponseBody):
    """A webhook endpoint of the merchant."""

    id: str = Field(description="`whe_` and a ULID.")
    url: str
    description: str
    types: list[str] = Field(description="Empty: all.")
    disabled: bool
    disabled_because: Omittable[str] = Field(
        None, description="`gone`: it answered 410.", json_schema_extra={"enum": ["merchant", "gone"]}
    )
    disabled_at: Omittable[Time] = None
    created_at: Time
    changed_at: Time
    failures: int = Field(ge=0, description="Failed tries in a row.")
    paused_until: Omittable[Time] = Field(
        None, description="Nothing is sent before, because so many tries failed."
    )
    secrets: list[WebhookSecret] = Field(description="Those that sign now, the newest first.")

    @classmethod
    def of(cls, endpoint: RegisteredEndpoint, **more: Any) -> Self:
        """Return a stored endpoint with `more` fields."""
        return cls(
            **known(
                id=endpoint.id,
                url=endpoint.url,
                description=endpoint.description,
                types=list(endpoint.types),
                disabled=endpoint.disabled_at is not None,
                disabled_because=endpoint.disabled_because,
                disabled_at=iso_time(endpoint.disabled_at),
                created_at=iso_time(endpoint.created_at),
                changed_at=iso_time(endpoint.changed_at),
                failures=endpoint.failures,
                paused_until=iso_time(endpoint.paused_until),
                secrets=[
                    WebhookSecret(
                        **known(created_at=iso_time(secret.created_at), signs_until=iso_time(secret.ends_at))
                    )
                    for secret in endpoint.secrets
                ],
                **more,
            )
        )


class CreatedWebhookEndpoint(WebhookEndpoint):
    """A new endpoint with its secret."""

    secret: str = Field(description="`whsec_` and base64; never shown again.")


class WebhookEndpointPage(ResponseBody):
    """One page of endpoints."""

    endpoints: list[WebhookEndpoint]
    next: Omittable[str] = Field(None, description="The next page's `cursor`; left out on the last page.")


class RotatedSecret(ResponseBody):
    """A new secret of an endpoint."""

    id: str
    secret: str = Field(description="`whsec_` and base64; never shown again.")
    earlier_secrets_sign_until: Omittable[Time] = Field(
        None, description="Left out where none signs any more."
    )


class TestSent(ResponseBody):
    """The delivery of a test event."""

    delivery_id: str


def in_order(types: Sequence[str]) -> list[str]:
    """Return the types in the order of the code, each once."""
    return [type_.value for type_ in PAYMENT_TYPES if type_.value in types]
