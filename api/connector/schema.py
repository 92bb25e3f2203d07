"""The published JSON Schema of the order request: requests are checked by it and the document shows it.

The order of `properties` is the order in which errors are shown. Unknown fields are allowed everywhere.
`x-refused` maps a keyword to the sentence that the client reads where the keyword alone explains too little;
`x-published` holds rules that `request.py` checks, for the document.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from shared.concert import fields as concert_fields

#: The port of a terminal where a request names none.
DEFAULT_PORT: Final = 8888
#: `AppNepting`, which the older POS file lists as well, is no Concert terminal: it is refused.
PROTOCOLS: Final = tuple(concert_fields.VERSIONS)

_FILE: Final = Path(__file__).with_name("order.schema.json")


@cache
def order_schema() -> dict[str, Any]:
    """Return the schema; it is shared, do not change it."""
    schema: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return schema
