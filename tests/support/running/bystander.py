"""Bystander in a process of its own: it asks for health again and again until its input is closed.

`python -m running.bystander PORT` writes a line once it has an answer, and at the end one JSON object:
`seconds` (how long each check took) and `statuses`. A process, because an attacker in the same one would
slow its clock.
"""

import http.client
import json
import select
import sys
import time

from wire.raw_http import HEALTH_PATH

#: Interval of the checks, and their least number: their 99th percentile is measured.
CHECK_EVERY_SECONDS = 0.02
CHECKS_AT_LEAST = 100
#: The first checks make the process import, connect and prepare; they are not counted.
CHECKS_BEFORE = 50


def watch(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for _ in range(CHECKS_BEFORE):
        connection.request("GET", HEALTH_PATH)
        connection.getresponse().read()
    seconds: list[float] = []
    statuses: set[int] = set()
    while not _is_told_to_end() or len(seconds) < CHECKS_AT_LEAST:
        begun = time.perf_counter()
        connection.request("GET", HEALTH_PATH)
        answer = connection.getresponse()
        answer.read()
        seconds.append(time.perf_counter() - begun)
        statuses.add(answer.status)
        if len(seconds) == 1:
            _write("it watches")
    _write(json.dumps({"seconds": seconds, "statuses": sorted(statuses)}))


def _is_told_to_end() -> bool:
    """Check after a pause."""
    time.sleep(CHECK_EVERY_SECONDS)
    return bool(select.select([sys.stdin], [], [], 0)[0])


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    watch(int(sys.argv[1]))
