"""Count of the product's files that a usual debit enters, background loops left out: `make entered-files`.

No test of the suite: pytest collects it only by its name.
"""

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

from system import System
from wire.shop_terminal import shop_terminal

REPOSITORY: Final = Path(__file__).parents[2]
PRODUCT: Final = ("api", "terminal_worker", "shared")
#: Longer than a heartbeat, a sweep and the other loops of the tests' settings take to come by.
IDLE_SECONDS: Final = 4.0


@contextmanager
def watched_calls() -> Iterator[set[CodeType]]:
    """Yield the set of the functions that are called, in this thread and those that begin meanwhile."""
    called: set[CodeType] = set()

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event == "call":
            called.add(frame.f_code)

    threading.setprofile(note)
    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def files_of(functions: set[CodeType]) -> set[str]:
    """Return the product's files among those of the functions."""
    below = (Path(function.co_filename) for function in functions)
    inside = (path.relative_to(REPOSITORY) for path in below if path.is_relative_to(REPOSITORY))
    return {str(path) for path in inside if path.parts[0] in PRODUCT}


async def test_count_the_files_that_a_usual_debit_enters(system: System) -> None:
    """A file counts if the debit calls a function of it that no loop calls by itself."""
    with watched_calls() as called:
        pos = await system.pos()
        await system.worker()
        async with shop_terminal() as shop:
            await pos.pay(shop.host)
            called.clear()
            await asyncio.sleep(IDLE_SECONDS)
            loops = set(called)
            called.clear()
            paid = await pos.pay(shop.host)
            entered = files_of(called - loops)

    assert paid.json()["paymentStatus"] == "Success"
    lines = (f"{len((REPOSITORY / name).read_text().splitlines()):5} {name}" for name in sorted(entered))
    sys.stdout.write("\n".join([*lines, f"{len(entered)} files\n"]))
