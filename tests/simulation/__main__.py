"""Command that plays many histories over all cores: `python -m tests.simulation --n 1000 --seed 7`."""

import argparse
import os
import sys
import time

from tests.simulation.running import Totals, failure_text, play_many


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--n", type=int, default=1000, help="how many histories")
    parser.add_argument("--seed", type=int, default=1, help="the first one's seed")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--all", action="store_true", help="go on after the first failure")
    arguments = parser.parse_args()
    began = time.perf_counter()
    totals = Totals()
    for result in play_many(range(arguments.seed, arguments.seed + arguments.n), arguments.jobs):
        totals.add(result)
        if result.verdict.violations:
            _say(f"seed {result.seed}: {'; '.join(result.verdict.violations[:3])}")
            if not arguments.all:
                break
    _say(totals.text(time.perf_counter() - began))
    if totals.failed:
        _say(failure_text(min(totals.failed)))
        return 1
    return 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
