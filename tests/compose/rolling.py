"""`make rolling-compose`: deploy/rolling-upgrade replaces every container under load; no client notices."""

import signal
import sys
import time
from typing import Final

from tests.compose.installation import REPOSITORY, Failed, Installation, say, timed
from tests.compose.shop import Shop

SCALES: Final = {"api": 2, "terminal_worker": 2, "notifier_worker": 2}
ROLLED_SECONDS: Final = 1800
NOTIFIED_SECONDS: Final = 120


def main() -> int:
    """Return 0 when every order was paid at its first try; whatever happened, everything is taken down."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    installation = Installation("sandbox", files=["terminals.yaml"])
    try:
        with installation.cleaned_up():
            _try(installation)
    except Failed as failure:
        say(f"FAILED: {failure}")
        return 1
    return 0


def _try(installation: Installation) -> None:
    installation.up(**SCALES)
    shop = Shop(f"http://{installation.address('haproxy', 8080)}", *installation.credential())
    before = _containers(installation)
    # One that has ended is replaced, too.
    installation.run("docker", "kill", installation.containers("terminal-worker")[0], capture=True)
    with shop.selling("ROLLING") as answers, timed("deploy/rolling-upgrade"):
        installation.run(str(REPOSITORY / "deploy" / "rolling-upgrade"), seconds=ROLLED_SECONDS)
    say(f"answers: {dict(answers)}")
    if set(answers) != {"paid"}:
        raise Failed("a client noticed")
    kept = before & _containers(installation)
    if kept or len(_containers(installation)) != sum(SCALES.values()):
        raise Failed(f"containers were not replaced one by one: {len(kept)} are the old ones")
    _check_stored(installation, answers["paid"])


def _containers(installation: Installation) -> set[str]:
    return {one for name in SCALES for one in installation.containers(name.replace("_", "-"))}


def _check_stored(installation: Installation, paid: int) -> None:
    """None was ever in doubt or tried twice, and each notification was delivered at its first try."""
    stored = installation.rows("SELECT count(*), count(doubted_at), count(DISTINCT order_id) FROM payments")
    if stored != [[str(paid), "0", str(paid)]]:
        raise Failed(f"{paid} orders were paid; stored, in doubt once, orders: {stored}")
    until = time.monotonic() + NOTIFIED_SECONDS
    query = "SELECT state, max(tries), count(*) FROM deliveries GROUP BY state"
    while (found := installation.rows(query)) != [["delivered", "1", str(paid)]]:
        if time.monotonic() > until:
            raise Failed(f"notifications: {found}")
        time.sleep(1)
    say(f"{paid} payments stored, none was in doubt; {paid} notifications delivered at the first try")


if __name__ == "__main__":
    sys.exit(main())
