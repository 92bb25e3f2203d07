"""How HiPay's platform knows the cloud API, and the merchant that it notifies."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSource:
    """Who may send order notifications: HTTP Basic, and the key of their signature (`whsec_...`)."""

    username: str
    password: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceTarget:
    """The API that is told what the gateway reported, with its gateway credential."""

    api_url: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """The merchant's settings in the back office."""

    #: Where notifications go where the order names no `notify_url`.
    notify_url: str
    passphrase: str = field(repr=False)
    #: Eleven digits.
    mid: str = "00001331069"
    #: Statuses that are notified; None: all.
    statuses: frozenset[int] | None = None
    sends_operation: bool = True
    sends_custom_data: bool = True
