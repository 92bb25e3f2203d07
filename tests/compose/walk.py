"""`make walk-compose`: the handbook's drill as printed, from the first start to a restore."""

import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from sandbox.servers.private.children import free_ports
from sandbox.terminal.device.session_log import charged_twice
from tests.compose.handbook import DRILL, Reader
from tests.compose.installation import REPOSITORY, Failed, Installation, say, timed
from tests.compose.scale import session_records
from tests.compose.shop import Shop

UP_SECONDS: Final = 900
ROLLED_SECONDS: Final = 1800
#: Prometheus asks each 10 s, and a worker counts as dead after 15 s.
FIRING_SECONDS: Final = 120
#: A customer may pay until then, so `not_charged` is refused before: 275 s after the claim.
DECIDED_SECONDS: Final = 400
#: Between two orders of a cash register: the commands need the machine, too.
PAUSE_SECONDS: Final = 2.0
#: Payments that are sold after the backup, which the restored database does not know.
LOST: Final = 5
#: A payment in doubt has its terminal for so long, and so has one that was in session at the backup.
FREE_SECONDS: Final = 400
#: Refused before anything is stored, on a machine that is too small for sales, commands and a build at once;
#: `make rolling-compose` allows no refusal.
OVERLOADED: Final = "overloaded.connector.service.unavailable"
SUCCESS: Final = '"paymentStatus":"Success"\n'
_ALERT: Final = re.compile('alertname="(.+?)"')


def main() -> int:
    """Return 0 when each command did what the page says; whatever happened, everything is taken down."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory(prefix="ct-walk-") as name:
        clone = Path(name) / "cloud-terminal"
        # What is committed: the drill writes settings, a dump and secrets into its folder.
        subprocess.run(["git", "clone", "--quiet", REPOSITORY, clone], check=True)
        # The same before and after the restore.
        [port] = free_ports(1)
        installation = Installation(
            "sandbox", "monitoring", files=["terminals.yaml"], root=clone, api_port=port
        )
        try:
            with installation.cleaned_up(), timed("the whole drill"):
                _walk(installation, Path(name) / "sold.log")
        except Failed as failure:
            say(f"FAILED: {failure}")
            return 1
    return 0


def _walk(installation: Installation, sold: Path) -> None:
    reader = Reader(installation)
    reader.type_all("drill.md", "Start", within_seconds=UP_SECONDS)
    reader.type_all("compose.md", "Pay on a virtual terminal")
    shop = _shop(installation, reader)
    with reader.running("drill.md", "Sell", sold):
        with shop.selling("WALK", pause_seconds=PAUSE_SECONDS) as answers:
            reader.type_all("drill.md", "Kill a worker")
            firing = reader.type_all("drill.md", "See the alert", again_seconds=FIRING_SECONDS)
            say(f"firing: {sorted(set(_ALERT.findall(firing)))}")
            reader.type_all(
                "drill.md", "Settle the doubt", within_seconds=UP_SECONDS, again_seconds=DECIDED_SECONDS
            )
        say(f"answers while a worker was killed: {dict(answers)}")
        before = _sold_again(sold)
        with shop.selling("UPGRADE", pause_seconds=PAUSE_SECONDS) as answers:
            reader.type_all("compose.md", "A new release", within_seconds=ROLLED_SECONDS)
        say(f"answers during the upgrade: {dict(answers)}")
        said = set(sold.read_bytes()[before:].decode().splitlines())
        if noticed := {one for one in {*answers, *said} - {"paid", SUCCESS.strip()} if OVERLOADED not in one}:
            raise Failed(f"a client noticed the upgrade: {noticed}")
    _check_that_nothing_is_open(installation)
    reader.type_all("compose.md", "Back up")
    backed_up = _orders(installation)
    lost = [f"LOST_{number}" for number in range(LOST)]
    for number, order in enumerate(lost):
        _pay(shop, order, number)
    if twice := charged_twice(session_records(installation)):
        raise Failed(f"charged twice: {twice}")
    reader.type_all("drill.md", "Destroy")
    reader.type_all("compose.md", "Restore", within_seconds=UP_SECONDS)
    _check_restored(installation, backed_up)
    reader.type_all("drill.md", "Restore", again_seconds=FREE_SECONDS)
    if missing := set(DRILL) - set(reader.typed):
        raise Failed(f"not typed: {missing}")


def _sold_again(sold: Path) -> int:
    """Wait until the drill's own cash register sells again; return the length of its log then."""
    length, until = sold.stat().st_size, time.monotonic() + FREE_SECONDS
    while not (new := sold.read_bytes()[length:]).endswith(SUCCESS.encode()):
        if time.monotonic() > until:
            raise Failed(f"the terminal sells nothing: {new.decode()}")
        time.sleep(1)
    return length + len(new)


def _shop(installation: Installation, reader: Reader) -> Shop:
    """Return the client that has the drill's credential."""
    address = installation.address("haproxy", 8080)
    return Shop(f"http://{address}", reader.answers["USERNAME"], reader.answers["SECRET"])


def _pay(shop: Shop, order: str, number: int) -> None:
    trouble, _ = shop.try_once(order, number)
    if trouble is not None:
        raise Failed(f"{order}: {trouble}")


def _orders(installation: Installation) -> set[str]:
    """Return the orders that are paid."""
    return {row[0] for row in installation.rows("SELECT order_id FROM payments WHERE state = 'succeeded'")}


def _check_that_nothing_is_open(installation: Installation) -> None:
    """The killed worker's other sessions were settled by proofs, and the operator's decision is stored."""
    query = "SELECT state, count(*) FROM payments WHERE doubted_at IS NOT NULL GROUP BY state"
    settled = dict(installation.rows(query))
    say(f"in doubt meanwhile, and then: {settled}")
    if "in_doubt" in settled:
        raise Failed("a payment is still in doubt")


def _check_restored(installation: Installation, backed_up: set[str]) -> None:
    """Payments are those of the backup, and none of later."""
    restored = _orders(installation)
    say(f"{len(restored)} orders restored")
    if restored != backed_up:
        raise Failed(f"of {len(backed_up)} orders {len(restored)} were restored: {restored ^ backed_up}")


if __name__ == "__main__":
    sys.exit(main())
