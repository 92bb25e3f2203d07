"""The time limits of one payment, to the end of a lease in doubt, and the shares of a credential."""

from typing import ClassVar

from shared.settings.fields import Group, count, per_second, seconds


class PaymentLimits(Group):
    """Limits of the request, the queue, the session and the terminal lock."""

    title: ClassVar[str] = "Time limits of a payment"

    name_lookup_timeout_seconds: float = seconds(
        2,
        "DNS look-up of the terminal's host when a payment is accepted; a slow name server must not delay"
        " the "
        "POS.",
    )
    name_lookup_limit: int = count(
        128,
        "Concurrent DNS look-ups of terminals' hosts in an API process, each on a thread of its own; a name "
        "whose servers never answer occupies one for half a minute.",
        most=2000,
    )
    name_lookup_limit_per_merchant: int = count(
        8,
        "Of these, for the payments of one merchant, and as many for its imports; further ones wait.",
        most=1000,
    )
    name_cache_seconds: float = seconds(
        10,
        "How long the address of a terminal's host is cached; the system does not say how long an answer is "
        "valid, and a terminal's mobile link may get a new address.",
    )
    import_timeout_seconds: float = seconds(
        60,
        "DNS look-ups of one imported file of terminals; hosts without a result by then are reported as "
        "errors, and nothing is stored.",
    )
    queue_deadline_seconds: float = seconds(
        30,
        "How long a payment may wait for a worker and its terminal; then it is `expired` and nothing is"
        " sent.",
    )
    connect_timeout_seconds: float = seconds(
        5, "One try to connect to the terminal; a mobile link needs a few seconds to wake up."
    )
    connect_tries: int = count(
        3, "Tries to connect; a retry is safe because nothing has been sent yet.", most=20
    )
    connect_total_seconds: float = seconds(
        10,
        "All tries to connect, an identification included; the rest of the write window is for the claim.",
    )
    connect_retry_seconds: float = seconds(
        0.5, "Pause before the next try after a refused connection; without it all tries would fail at once."
    )
    write_window_seconds: float = seconds(
        15,
        "From before the claim is sent to the request's first byte; later nothing is written, so that a"
        " worker "
        "that takes the terminal over knows when no byte can follow.",
    )
    answer_timeout_seconds: float = seconds(
        180, "From the write to the terminal's complete answer; the customer may take two minutes."
    )
    terminal_own_time_seconds: float = seconds(
        240,
        "The longest time a terminal processes a request, PIN and authorisation included; a terminal's"
        " profile "
        "may set a longer one.",
    )
    idle_end_known_seconds: float = seconds(
        0.25, "Silence that ends an answer with every field that this terminal is known to echo."
    )
    idle_end_seconds: float = seconds(
        3, "Silence that ends any other complete answer; mobile links cut segments 300 ms and more apart."
    )
    busy_answer_seconds: float = seconds(
        2,
        "A bare 'not done' whose first byte comes within this time of the write means busy; later it is a "
        "refusal.",
    )
    orphan_scan_interval_seconds: float = seconds(
        60, "Interval of the scan for payments in session without a terminal lock; there should be none."
    )
    lease_after_doubt_seconds: float = seconds(
        60,
        "How long a terminal in doubt stays locked after its doubt window, so that its last transaction is "
        "still ours when an enquiry asks for it.",
    )
    enquiry_timeout_seconds: float = seconds(
        10,
        "One enquiry about a terminal's last transaction, from the check that the terminal lock is still"
        " this "
        "worker's.",
    )
    identification_timeout_seconds: float = seconds(
        5, "The terminal's answer to an identification, before a payment that needs an idle terminal."
    )
    probe_lease_seconds: float = seconds(20, "How long a probe may lock a terminal.")
    early_release_after_seconds: float = seconds(
        60,
        "Time after the claim or takeover before which an operator may not release a terminal in doubt: a"
        " look "
        "at the terminal before the bytes could arrive proves nothing.",
    )
    operator_after_seconds: float = seconds(
        60,
        "Age of a doubt before which an operator may not settle it: the terminal's worker enquires first.",
    )
    takeover_free_after_seconds: float = seconds(
        20,
        "Time after a takeover before which the terminal is not released: the previous worker may still be"
        " in "
        "its write window.",
    )
    caller_wait_seconds: float = seconds(
        240, "How long a request waits for its payment's result; then it is answered with 504."
    )
    caller_wait_in_doubt_seconds: float = seconds(
        45, "Age at which an in-doubt payment is returned to the waiting request."
    )
    proxy_timeout_seconds: float = seconds(
        250,
        "The time-out of the proxy in front of the API; only used to check that the API answers first.",
    )
    tcp_user_timeout_seconds: float = seconds(
        20,
        "How long the kernel keeps sending unacknowledged bytes to a terminal (TCP_USER_TIMEOUT); part of"
        " the "
        "doubt window.",
    )

    @property
    def doubt_window_seconds(self) -> float:
        """The time from the claim after which no byte of the session can arrive or be processed."""
        return self.doubt_window_for(None)

    def doubt_window_for(self, terminal_time_seconds: float | None) -> float:
        """Return the doubt window of a payment with the terminal's processing time of its profile, if any.

        A profile can only lengthen it: a terminal may be shared, and no merchant's profile may shorten
        another one's protection, or its own below the answer time-out.
        """
        own = max(self.terminal_own_time_seconds, terminal_time_seconds or 0)
        return self.write_window_seconds + self.tcp_user_timeout_seconds + own

    @property
    def enquiry_total_seconds(self) -> float:
        """The longest time of one enquiry, from its first try to connect to its end."""
        return self.connect_total_seconds + self.enquiry_timeout_seconds + self.idle_end_seconds

    @property
    def lease_seconds(self) -> float:
        """The time from the claim to the end of a lease in doubt, without a profile's processing time."""
        return self.doubt_window_seconds + self.lease_after_doubt_seconds


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
    attached_request_limit_per_merchant: int = count(
        5000,
        "Requests of one merchant that wait at one API process for a payment which another request began: "
        "repeated orders, and readers with `wait`; further ones get the payment as it is, without waiting.",
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
