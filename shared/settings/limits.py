"""The time limits of one payment, from the caller's request to the end of a hold."""

from typing import ClassVar

from shared.settings.fields import Group, count, seconds


class PaymentLimits(Group):
    """Limits that the caller, the queue and the terminal's line obey."""

    title: ClassVar[str] = "Time limits of a payment"

    name_lookup_timeout_seconds: float = seconds(
        2,
        "Looking up the terminal's host name when a payment is accepted; a slow name server must not "
        "hold the till.",
    )
    name_lookup_limit: int = count(
        128,
        "Host names of terminals that an API process looks up at the same time, each on a thread of its own; "
        "names whose servers never answer occupy one for half a minute.",
        most=2000,
    )
    name_lookup_limit_per_merchant: int = count(
        8,
        "Of these, for the payments of one merchant, and as many for its imports; more wait for each other.",
        most=1000,
    )
    name_cache_seconds: float = seconds(
        10,
        "How long a terminal's address is remembered; the system does not say how long an answer lives, and "
        "a terminal's mobile link may get a new address.",
    )
    import_timeout_seconds: float = seconds(
        60,
        "Looking up the host names of one file of terminals; those that were not looked up by then are named "
        "as errors, and nothing is stored.",
    )
    queue_deadline_seconds: float = seconds(
        30,
        "How long a payment may wait for a worker and its terminal; past it nothing is sent and it is "
        "expired.",
    )
    connect_timeout_seconds: float = seconds(
        5, "One try to connect to the terminal; mobile links need a few seconds to wake."
    )
    connect_tries: int = count(
        3, "Tries to connect; trying again is safe because nothing was sent yet.", most=20
    )
    connect_total_seconds: float = seconds(
        10,
        "All tries together, an identification included; leaves the rest of the write window for the claim.",
    )
    connect_retry_seconds: float = seconds(
        0.5, "Pause before the next try after a refusal; one that came at once would come at once again."
    )
    write_window_seconds: float = seconds(
        15,
        "From before the claim is sent until the request's first byte; later nothing is written, so "
        "that whoever takes the line over knows when no byte can follow.",
    )
    answer_timeout_seconds: float = seconds(
        180, "From the write to the terminal's complete answer; the customer may take two minutes."
    )
    terminal_own_time_seconds: float = seconds(
        240,
        "The longest time a terminal works on a request it has read, PIN and authorisation included; "
        "a terminal's profile may name a longer one.",
    )
    idle_end_known_seconds: float = seconds(
        0.25, "Silence that ends an answer in which every field is there that this terminal is known to echo."
    )
    idle_end_seconds: float = seconds(
        3, "Silence that ends any other complete answer; mobile links cut segments 300 ms and more apart."
    )
    busy_answer_seconds: float = seconds(
        2,
        "A bare 'not done' whose first byte comes this soon after the write means busy; later it is a "
        "refusal.",
    )
    orphan_scan_interval_seconds: float = seconds(
        60, "How often workers look for payments in session that no line names; there should be none."
    )
    lease_after_doubt_seconds: float = seconds(
        60,
        "How long a line in doubt is held after its doubt window, so that 'the last transaction' is "
        "still ours when it is asked for.",
    )
    enquiry_timeout_seconds: float = seconds(
        10,
        "One question to a terminal about its last transaction; begins with the read that says that the "
        "terminal is still this worker's.",
    )
    identification_timeout_seconds: float = seconds(
        5, "The terminal's answer to an identification, before a payment that must be sure nothing else runs."
    )
    probe_lease_seconds: float = seconds(20, "How long a probe may hold a terminal's line.")
    early_release_after_seconds: float = seconds(
        60,
        "The earliest moment after the claim or takeover at which a person may free a line in doubt: "
        "a look at the terminal taken before the bytes could arrive proves nothing.",
    )
    operator_after_seconds: float = seconds(
        60,
        "How old a doubt must be before a person may settle it: what the terminal's worker finds out by "
        "itself comes first.",
    )
    takeover_free_after_seconds: float = seconds(
        20,
        "A worker that took a line over frees nothing before this: the old one may still be inside "
        "its write window.",
    )
    caller_wait_seconds: float = seconds(
        240, "How long a request waits for its payment's result before it is answered with 504."
    )
    caller_wait_in_doubt_seconds: float = seconds(
        45, "How old a doubt may grow while its caller still waits for it to be resolved."
    )
    proxy_timeout_seconds: float = seconds(
        250,
        "The time-out of the proxy in front of the API; used for the check only, so that the API "
        "answers first.",
    )
    tcp_user_timeout_seconds: float = seconds(
        20,
        "How long the kernel goes on sending unacknowledged bytes to a terminal (TCP_USER_TIMEOUT); "
        "part of the doubt window.",
    )

    @property
    def doubt_window_seconds(self) -> float:
        """From the claim: after this no byte of the session can be under way or at work in the terminal."""
        return self.doubt_window_for(None)

    def doubt_window_for(self, terminal_time_seconds: float | None) -> float:
        """Return the doubt window of a payment whose profile names this time of its terminal's own.

        It only lengthens the usual one: a terminal may be shared, and no merchant's profile may end another
        one's protection, or its own before the answer time-out.
        """
        own = max(self.terminal_own_time_seconds, terminal_time_seconds or 0)
        return self.write_window_seconds + self.tcp_user_timeout_seconds + own

    @property
    def enquiry_total_seconds(self) -> float:
        """One enquiry from its first try to connect to its end."""
        return self.connect_total_seconds + self.enquiry_timeout_seconds + self.idle_end_seconds

    @property
    def lease_seconds(self) -> float:
        """From the claim: the end of a hold in doubt, for a terminal without a time of its own."""
        return self.doubt_window_seconds + self.lease_after_doubt_seconds
