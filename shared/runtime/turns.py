"""Turns of the event loop: a burst goes on in portions, so that everything else has the loop in between."""

import asyncio
from collections import deque
from typing import Final

#: Each works for a millisecond or two before it waits for something else, and a call of the database or the
#: broker takes several turns.
_PER_TURN: Final = 2


class Turns:
    """A few callers go on in each turn of the event loop, in the order they came."""

    def __init__(self) -> None:
        self._left = _PER_TURN
        self._waiting: Final[deque[asyncio.Future[None]]] = deque()
        self._is_counting = False

    async def take(self) -> None:
        """Return in this turn of the event loop where there is room, else in a later one."""
        loop = asyncio.get_running_loop()
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._next)
        if self._left > 0:
            self._left -= 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self) -> None:
        """Begin the next turn of the event loop; those that wait come first."""
        self._left = _PER_TURN
        while self._waiting and self._left:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._left -= 1
        self._is_counting = self._left < _PER_TURN
        if self._is_counting:
            asyncio.get_running_loop().call_soon(self._next)
