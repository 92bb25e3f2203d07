"""Settings of HiPay's platform: the Cloud API and the merchant."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSource:
    """Sender of order notifications: HTTP Basic, and the key of their signature (`whsec_...`)."""

    username: str
    password: str = field(repr=False)
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceTarget:
    """The API that gets gateway evidence, with its gateway credential."""

    api_url: str
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """The merchant's settings in the back office."""

    #: URL of notifications where the order has no `notify_url`.
    notify_url: str
    passphrase: str = field(repr=False)
    #: Eleven digits.
    mid: str = "00001331069"
    #: Statuses that are notified; None: all.
    statuses: frozenset[int] | None = None
    sends_operation: bool = True
    sends_custom_data: bool = True
