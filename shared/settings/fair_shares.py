"""Fair shares: limits of one credential, merchant, address or login name."""

from typing import ClassVar

from shared.settings.fields import Group, count, per_second, seconds


class FairShareSettings(Group):
    """Limits that protect clients from each other; each API process counts calls and log-ins by itself."""

    title: ClassVar[str] = "Fair shares"

    order_requests_per_second: float = per_second(
        200,
        "Orders of one credential in the long run, at each API process; more are answered with 429. Hundreds "
        "of POS with one credential stay far below, one that repeats in a loop does not.",
    )
    order_requests_burst: int = count(
        1000, "Orders of one credential at once: all POS of a chain after an outage."
    )
    management_requests_per_second: float = per_second(
        300, "Other requests of one credential: hundreds of POS may poll their payments once a second."
    )
    management_requests_burst: int = count(3000, "The same at once.")
    import_requests_per_second: float = per_second(
        0.2,
        "Files of terminals that one credential imports or checks: each may need thousands of DNS look-ups.",
    )
    import_requests_burst: int = count(30, "The same at once: a file for each of a region's shops.")
    endpoint_tests_per_second: float = per_second(
        1, "Test events that one credential sends to its webhook endpoints: each is an outgoing request."
    )
    endpoint_tests_burst: int = count(60, "The same at once: every endpoint that a merchant may have.")
    terminal_limit_per_merchant: int = count(
        10_000, "Terminals that one merchant may register: more than the largest chain has."
    )
    open_payment_limit_per_merchant: int = count(
        10_000,
        "Payments of one merchant that are queued, in session or in doubt; more are answered with 429. A"
        " doubt "
        "may stay open until an operator settles it: so many show that nobody does.",
    )
    stored_megabytes_per_day: int = count(
        5000,
        "Megabytes of orders that one merchant may store a day (UTC): a million usual orders, or 20,000 of "
        "the largest; more are answered with 429. Counted by all API processes together, every 10 s.",
    )
    failed_logins_per_address: int = count(
        30,
        "Failed log-ins of one address (a /64 of IPv6) before it has to pause; a shop's POS share one. "
        "Addresses of `CLOUD_TERMINAL_TRUSTED_PROXIES` are not counted.",
    )
    failed_logins_per_name: int = count(
        100, "Failed log-ins with one name, from any address, before it has to pause."
    )
    failed_login_pause_seconds: float = seconds(
        60,
        "The longest pause after failed log-ins; the first is a second, and it doubles. Ten times as long "
        "without a failure resets the count. A secret that was right before never has to pause.",
    )
