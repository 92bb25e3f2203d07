"""Benchmark `make bench`: all parts, or those that are named; `--write` puts the figures into the page."""

import argparse
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import uvloop

from bench.measures.sampling import take_pictures
from bench.measures.surroundings import surroundings
from bench.page import table, write_page
from bench.parts import callers, databases, growth, latency, overload, peers, rate, sessions, webhooks
from bench.results import Part, Result
from bench.size import TINY, WHOLE, Size
from bench.system import Servers

REPOSITORY: Final = Path(__file__).parents[1]
PARTS: Final[dict[str, Part]] = {
    "latency": latency.PART,
    "rate": rate.PART,
    "peers": peers.PART,
    "databases": databases.PART,
    "sessions": sessions.PART,
    "callers": callers.PART,
    "overload": overload.PART,
    "webhooks": webhooks.PART,
    "growth": growth.PART,
}
FLAMES: Final = "flames"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} or {FLAMES}")
    parser.add_argument("--write", action="store_true", help="write docs/performance.md and its figures")
    parser.add_argument("--tiny", action="store_true", help="show that the parts run; figures mean nothing")
    parser.add_argument("--json", action="store_true", help="print the results as JSON after the tables")
    found = parser.parse_args()
    unknown = set(found.parts) - {*PARTS, FLAMES}
    if unknown:
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if found.tiny and found.write:
        parser.error("figures of --tiny mean nothing and are not written")
    return found


async def run_part(name: str, servers: Servers, size: Size) -> Result:
    """Measure one part and print its table."""
    print(f"\n## {PARTS[name].title}", flush=True)
    begun = time.monotonic()
    rows = tuple(await PARTS[name].measure(servers, size))
    print(f"{table(rows)}({time.monotonic() - begun:.0f} s)", flush=True)
    measured_at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Result(measured_at, await surroundings(servers), rows)


async def main(options: argparse.Namespace) -> None:
    servers, size = Servers.given(), TINY if options.tiny else WHOLE
    results: dict[str, Result] = {}
    for name in options.parts or [*PARTS, *([FLAMES] if options.write else [])]:
        if name == FLAMES:
            folder = REPOSITORY / "docs/images" if options.write else Path()
            await take_pictures(servers, size, folder)
            continue
        results[name] = await run_part(name, servers, size)
        if options.write:
            # After each part: a later one that fails costs none of the earlier ones.
            write_page(REPOSITORY, PARTS, results)
    if options.write:
        write_page(REPOSITORY, PARTS, results)
    if options.json:
        print(json.dumps({name: result.to_json() for name, result in results.items()}))


if __name__ == "__main__":
    uvloop.run(main(arguments()))
