"""Merchants in requests and answers of operators."""

from typing import Annotated, Final, Self

from pydantic import AfterValidator, Field

from api.http.models import WHOLE, Omittable, RequestBody, ResponseBody, Time, known
from api.operator.acting import Reason, Reasoned
from api.operator.networks import Networks, shown_networks, stored_networks
from shared.runtime.clock import iso_time
from shared.storage.administration.merchant_register import MerchantSettings, StoredMerchant
from shared.storage.terminals.merchants import UnknownOrders

_HOURS_AT_MOST: Final = 8760
_SECONDS_AT_MOST: Final = 86_400


#: Text with more than blanks.
_NOT_BLANK: Final = r"^[^\u0000]*[^\s\u0000][^\u0000]*$"
Name = Annotated[str, Field(max_length=200, pattern=_NOT_BLANK), AfterValidator(str.strip)]
_GuardHours = Annotated[int, Field(ge=1, le=_HOURS_AT_MOST), WHOLE] | None
_ReplaySeconds = Annotated[int, Field(ge=0, le=_SECONDS_AT_MOST), WHOLE] | None

_NETWORKS: Final = "Networks (CIDR) of its terminals; empty: it drives none outside of `any_public`."
_ANY_PUBLIC: Final = "Its terminals may have any public address. Never a default: it has to be said."
_GUARD: Final = "Hours after which a paid order's number may be used for another payment; null: never."
_REPLAY: Final = "Seconds for which a repeated order gets the stored success; null: the installation's."
_CANCEL: Final = (
    "A `Cancel` of an order that was not paid here is sent to the terminal, which may reverse its newest"
    " other sale of that amount."
)
_CREDIT: Final = "A `Credit` of an order that was not paid here is sent to the terminal."


class NewMerchant(Reasoned):
    """A merchant to create."""

    name: Name = Field(description="For display.", examples=["Boulangerie du Canal"])
    networks: Networks = Field([], description=_NETWORKS, examples=[["127.0.0.0/8"]])
    any_public: bool = Field(False, description=_ANY_PUBLIC)
    guard_hours: _GuardHours = Field(None, description=_GUARD)
    replay_seconds: _ReplaySeconds = Field(None, description=_REPLAY)
    cancel_unknown: bool = Field(False, description=_CANCEL)
    credit_unknown: bool = Field(True, description=_CREDIT)

    def settings(self) -> MerchantSettings:
        """Return what is stored."""
        return MerchantSettings(
            name=self.name,
            networks=stored_networks(self.networks, self.any_public),
            guard_hours=self.guard_hours,
            replay_seconds=self.replay_seconds,
            unknown_orders=UnknownOrders(self.cancel_unknown, self.credit_unknown),
        )


class MerchantChange(Reasoned):
    """Changes of a merchant: what is left out stays as it is."""

    name: Omittable[Name] = Field(None, description="For display.", examples=["Boulangerie du Canal"])
    networks: Omittable[Networks] = Field(None, description=_NETWORKS, examples=[["127.0.0.0/8"]])
    any_public: Omittable[bool] = Field(None, description=_ANY_PUBLIC)
    guard_hours: _GuardHours = Field(None, description=_GUARD)
    replay_seconds: _ReplaySeconds = Field(None, description=_REPLAY)
    cancel_unknown: Omittable[bool] = Field(None, description=_CANCEL)
    credit_unknown: Omittable[bool] = Field(None, description=_CREDIT)

    def apply(self, found: MerchantSettings) -> MerchantSettings:
        """Return the settings with these changes."""
        given = self.model_fields_set
        networks, any_public = shown_networks(found.networks)
        orders = found.unknown_orders
        return MerchantSettings(
            name=found.name if self.name is None else self.name,
            networks=stored_networks(
                networks if self.networks is None else self.networks,
                any_public if self.any_public is None else self.any_public,
            ),
            guard_hours=self.guard_hours if "guard_hours" in given else found.guard_hours,
            replay_seconds=self.replay_seconds if "replay_seconds" in given else found.replay_seconds,
            unknown_orders=UnknownOrders(
                orders.reversals if self.cancel_unknown is None else self.cancel_unknown,
                orders.credits if self.credit_unknown is None else self.credit_unknown,
            ),
        )


class Suspension(RequestBody):
    """The start of a suspension."""

    reason: Reason = Field(
        description="The reason, which the merchant's clients are answered with.",
        examples=["The shop closed."],
    )


class Merchant(ResponseBody):
    """A merchant: the owner of credentials, terminals and payments."""

    id: str
    name: str
    networks: list[str] = Field(description=_NETWORKS)
    any_public: bool = Field(description=_ANY_PUBLIC)
    guard_hours: int | None = Field(description=_GUARD)
    replay_seconds: int | None = Field(description=_REPLAY)
    cancel_unknown: bool = Field(description=_CANCEL)
    credit_unknown: bool = Field(description=_CREDIT)
    created_at: Time
    suspended_at: Omittable[Time] = Field(None, description="Left out: it is not suspended.")
    suspended_because: Omittable[str] = None

    @classmethod
    def of(cls, stored: StoredMerchant) -> Self:
        """Return the merchant as operators see it."""
        settings = stored.settings
        networks, any_public = shown_networks(settings.networks)
        return cls(
            id=stored.id,
            name=settings.name,
            networks=networks,
            any_public=any_public,
            guard_hours=settings.guard_hours,
            replay_seconds=settings.replay_seconds,
            cancel_unknown=settings.unknown_orders.reversals,
            credit_unknown=settings.unknown_orders.credits,
            created_at=iso_time(stored.created_at),
            **known(suspended_at=iso_time(stored.suspended_at), suspended_because=stored.suspended_because),
        )


class MerchantPage(ResponseBody):
    """One page of merchants."""

    merchants: list[Merchant]
    next: Omittable[str] = Field(None, description="The next page's `cursor`; left out on the last page.")
