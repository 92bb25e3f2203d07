"""Calls of functions in PostgreSQL, each a transaction of its own.

What comes while a call is under way goes together into the next one; a single one goes alone, at once.
"""

import contextvars
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from shared.runtime.lanes import Lanes
from shared.storage.db.connections.connection import Row
from shared.storage.db.errors import StatementCancelled, StatementError
from shared.storage.db.statement import Statement

_log = structlog.get_logger()

#: The SQLSTATE by which a function undoes what it did.
UNUSUAL: Final = "CT001"

#: Calls that go together; more would keep each other's rows locked for longer.
MOST_TOGETHER: Final = 32
#: Calls of one function that are under way at once, each past the first because the others hang.
LANES: Final = 3
#: A call that is under way for longer keeps the next one waiting no more.
PATIENCE_SECONDS: Final = 0.05

Parameters = Mapping[str, object]


class WriteRows(Protocol):
    async def __call__(self, statement: Statement, **parameters: object) -> Sequence[Row]: ...


@dataclass(frozen=True, slots=True)
class Call:
    """The call of a function for one, and the call of the function that does the same for several.

    `together` has the parameter `calls`, a JSON list of the parameters of each with its `number`. Its rows
    have that number; it has no row for one whose case is unusual or whose rows are locked.
    """

    alone: Statement
    together: Statement


class GoesAlone(Exception):
    """Raised in all callers of a batch of which nothing was stored."""


class Calls:
    """The calls of one process, by function."""

    def __init__(self, write_rows: WriteRows) -> None:
        self._write_rows: Final = write_rows
        self._lanes: Final[dict[Call, Lanes[Parameters, Row | None]]] = {}
        self._context: Final = contextvars.copy_context()

    async def alone(self, call: Call, parameters: Parameters) -> Row | None:
        """Return the only row; None: the case is unusual, and nothing was changed."""
        try:
            rows = await self._write_rows(call.alone, **parameters)
        except StatementError as error:
            if error.sqlstate != UNUSUAL:
                raise
            return None
        return rows[0] if rows else None

    async def together(self, call: Call, parameters: Parameters) -> Row | None:
        """Do the same, together with whatever else came while an earlier call was under way.

        None also where another transaction has locked a row of it: nothing was changed, and nobody waited.
        Raises GoesAlone where the batch failed; a lost answer is CommitUnknown for all that went together.
        """
        return await self._lanes_of(call).run(parameters)

    async def drain(self) -> None:
        """Wait for what is under way."""
        for lanes in self._lanes.values():
            await lanes.drain()

    def _lanes_of(self, call: Call) -> Lanes[Parameters, Row | None]:
        lanes = self._lanes.get(call)
        if lanes is None:

            async def run(batch: Sequence[Parameters], is_beside: bool) -> Sequence[Row | None]:
                return await self._run(call, batch, is_beside)

            lanes = self._lanes[call] = Lanes(
                run,
                most=MOST_TOGETHER,
                lanes=LANES,
                patience_seconds=PATIENCE_SECONDS,
                context=self._context,
            )
        return lanes

    async def _run(self, call: Call, batch: Sequence[Parameters], is_beside: bool) -> Sequence[Row | None]:
        # Beside a call that hangs no other one may wait for a lock, since there are few lanes.
        if len(batch) == 1 and not is_beside:
            return [await self.alone(call, batch[0])]
        # Without characters beyond ASCII: a text that is no Unicode is PostgreSQL's to refuse.
        calls = json.dumps([{"number": number, **parameters} for number, parameters in enumerate(batch)])
        try:
            rows = await self._write_rows(call.together, calls=calls)
        except (StatementError, StatementCancelled) as error:
            # Nothing is stored. Nobody fails with another's row, and nobody waits for another's lock.
            _log.info("calls that went together go alone", count=len(batch), error=str(error))
            raise GoesAlone from error
        found = {row.number: row for row in rows}
        return [found.get(number) for number in range(len(batch))]
