"""Order requests for tests: the contract's full example, edited by path."""

import copy
import json
import re
import secrets
from enum import Enum
from typing import Any, Final

from api.openapi.examples import FULL_REQUEST, MINIMAL_REQUEST


#: An edit that takes the field away.
class Gone(Enum):
    """Marker of a field that is left out; an enum, since its text is the same in every process."""

    GONE = "gone"


GONE: Final = Gone.GONE


def order_with(edits: dict[str, Any] | None = None, base: dict[str, Any] = FULL_REQUEST) -> dict[str, Any]:
    """Return a copy of `base` with e.g. `order.basket[0].name` set, or taken away by GONE."""
    order = copy.deepcopy(base)
    for path, value in (edits or {}).items():
        *way, last = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]
        target: Any = order
        for step in way:
            target = target[step]
        if value is GONE:
            del target[last]
        else:
            target[last] = value
    return order


def body_with(edits: dict[str, Any] | None = None, base: dict[str, Any] = FULL_REQUEST) -> bytes:
    """Return the JSON text of `order_with`."""
    return json.dumps(order_with(edits, base)).encode()


def order_for(host: str, amount: int = 250, **order: Any) -> dict[str, Any]:
    """Return the smallest order for a terminal, with a fresh order id unless one is given."""
    body = copy.deepcopy(MINIMAL_REQUEST)
    body["order"] |= {"order_id": f"order-{secrets.token_hex(6)}", "price": {"amount": amount}, **order}
    body["pos_technical_info"]["host_information"]["host"] = host
    return body


def order_on(terminal_id: str, amount: int = 250, **order: Any) -> dict[str, Any]:
    """Return the same for a registered terminal."""
    body = order_for("", amount, **order)
    del body["pos_technical_info"]["host_information"]
    body["pos_technical_info"]["terminal_id"] = terminal_id
    return body
