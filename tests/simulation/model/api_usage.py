"""Special uses of the API in one history, beyond the plain order; most histories have none."""

import random
from dataclasses import dataclass

from shared.settings.settings import Settings
from tests.simulation.engine.faults import Faults
from tests.simulation.engine.limits import NOTIFIED, SETTINGS


@dataclass(frozen=True)
class ApiUsage:
    """Uses of the API, drawn from the seed."""

    #: Ratio of requests whose client does not wait (`respond-async`), or not for long (`wait=N`).
    impatient: float = 0.0
    #: Ratio of customers whose order is sent with another order's Idempotency-Key.
    mixed_up_keys: float = 0.0
    #: Payments that may wait for one terminal; None: as many as come.
    waiting_limit: int | None = None
    #: Seconds after its success at which an order's number may name another order; None: never.
    guard_life_seconds: float | None = None
    #: Ratio of customers of a second merchant, with the same terminals, order numbers and keys.
    second_merchant: float = 0.0
    #: Endpoints of each merchant, notified like HiPay; None: nobody is notified.
    endpoints: int | None = None

    def settings(self) -> Settings:
        """Return the API's settings in this history."""
        changes: dict[str, float] = {}
        if self.waiting_limit is not None:
            changes["waiting_limit_per_terminal"] = self.waiting_limit
        if self.guard_life_seconds is not None:
            # The guard lives at least as long as a success is replayed.
            changes["replay_window_seconds"] = self.guard_life_seconds
            changes["replay_window_unkeyed_credit_seconds"] = self.guard_life_seconds
        return (SETTINGS if self.endpoints is None else NOTIFIED).model_copy(update=changes)


def drawn_usage(rng: random.Random, faults: Faults) -> ApiUsage:
    def ratio(most: float, share: float) -> float:
        return rng.uniform(0, most) if rng.random() < share else 0.0

    numbers_begin_again = rng.random() < 0.15
    return ApiUsage(
        impatient=ratio(0.6, 0.3),
        mixed_up_keys=ratio(0.7, 0.3),
        waiting_limit=rng.randint(1, 2) if rng.random() < 0.2 else None,
        # A number's life goes by the database's clock: it is judged only where that clock is right.
        guard_life_seconds=25.0 if numbers_begin_again and not faults.clock_steps else None,
        second_merchant=ratio(0.7, 0.3),
        endpoints=rng.randint(1, 2) if rng.random() < 0.2 else None,
    )
