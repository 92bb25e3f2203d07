"""A function in PostgreSQL, and its call as a transaction of its own.

A function takes the usual case. An unusual one it leaves as it is, for the statements that every database
runs: it returns nothing if it has changed nothing, and raises `UNUSUAL` where it has to undo what it did.

A function is VOLATILE, so that each of its statements sees what was committed before it, as in READ
COMMITTED. One statement of several parts would see what was there before it waited for a lock. A version is
part of its name: processes of two releases run beside each other, and each calls the one that it knows. So
a change makes a new function, and the earlier one stays for one release.
"""

from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from dataclasses import dataclass
from typing import Final

from shared.storage.db.calls import Call, GoesAlone
from shared.storage.db.engine import Database, Row

#: The longest wait for a lock in a function of several calls; past it all of them go alone.
LOCK_WAIT: Final = "20ms"

#: Settings of a function of several calls, while it runs. It reads by indexes only: a fresh database's tables
#: are empty when its plans are made, and the plans stay while they grow.
TOGETHER_SETTINGS: Final = (
    "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"
    f" SET lock_timeout = '{LOCK_WAIT}'"
)

#: The state of a payment `p` that is searched by its id. No index has this form: before there are statistics
#: PostgreSQL would search the index of queued or open payments, and read all of them for one.
STATE: Final = "p.state || ''"

#: The database's time in milliseconds since 1970, read after the locks of earlier statements.
NOW: Final = "(extract(epoch from clock_timestamp()) * 1000)::bigint"


@dataclass(frozen=True, slots=True)
class Function:
    """A function: its name with its version, and the statement that creates it."""

    name: str
    definition: str


#: No limit of calls that go alone.
NO_LIMIT: Final = nullcontext()


async def call(
    database: Database,
    function_call: Call,
    *,
    is_alone: bool,
    places: AbstractAsyncContextManager[None],
    **parameters: object,
) -> Row | None:
    """Return the only row of a function that ran as a transaction of its own; None: the case is unusual.

    It goes together with others unless it `is_alone`, and takes one of the `places` where it goes alone.
    SQLite has no functions: every case is unusual there.
    Raises DatabaseUnavailable, CommitUnknown: the call commits with its answer, and may be carried out after
    its connection is lost.
    """
    if database.dialect != "postgresql":
        return None
    if not is_alone:
        with suppress(GoesAlone):
            return await database.calls.together(function_call, parameters)
    async with places:
        return await database.calls.alone(function_call, parameters)
