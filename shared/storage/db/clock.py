"""The database's clock in conditions that an index is searched by."""

from typing import Final

#: The time in milliseconds since 1970, read once for the whole statement. `{now}` alone is read again for
#: each row, so that no index can be searched by it. Only for a statement that waits for no lock, or whose
#: answer may be as old as its start.
NOW_ONCE: Final = "(SELECT {now})"
