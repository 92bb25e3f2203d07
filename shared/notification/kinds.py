"""Who is told of payments; each kind has deliveries and a queue of its own."""

from typing import Final

#: HiPay's platform, by order notifications. It is one target, of the same name.
HIPAY: Final = "hipay"
#: Merchants' endpoints, by webhooks.
MERCHANT: Final = "merchant"

NOTIFICATION_KINDS: Final = (HIPAY, MERCHANT)
