"""Worst bodies within the limits, for every route that takes one."""

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wire.raw_http import request

from api.openapi.examples import MINIMAL_REQUEST

BYTES = 262_000
#: Place of the shape in a body that is right otherwise.
HERE = "@here@"

_ORDER = {**MINIMAL_REQUEST, "order": {**MINIMAL_REQUEST["order"], "order_id": "worst"}}


def shapes(size: int) -> dict[str, str]:
    """Return JSON values of about `size` bytes, each made to be expensive."""

    def filled(item: str) -> str:
        return "[" + ",".join([item] * (size // (len(item) + 1))) + "]"

    return {
        "empty objects": filled("{}"),
        "empty lists": filled("[]"),
        "small numbers": filled("1"),
        "exponents": filled("1e99"),
        "too large a number": "1" + "0" * size,
        "huge exponents": filled("1e400"),
        "long integers": filled("9" * 4300),
        "long fractions": "0." + "1" * size,
        "empty texts": filled('""'),
        "backslashes": '"' + "\\\\" * (size // 2) + '"',
        "quotes": '"' + '\\"' * (size // 2) + '"',
        "surrogates": '"' + "\\ud800" * (size // 6) + '"',
        "u0000": '"' + "\\u0000" * (size // 6) + '"',
        "digits": '"' + "4970101234567890 " * (size // 17) + '"',
        "many names": "{" + ",".join(f'"{number}":0' for number in range(size // 10)) + "}",
        "one name": "{" + ",".join(['"a":0'] * (size // 6)) + "}",
        "deep": '{"a":' * (size // 6) + "1" + "}" * (size // 6),
        "deep side by side": filled("[" * 50 + "]" * 50),
        "a text without an end": "[[]," * 100 + '"' + '\\"' * (size // 2),
    }


@dataclass(frozen=True)
class Route:
    """Route that takes a body, the login that may call it, and right bodies with a place for a shape."""

    method: str
    path: str
    login: str
    bodies: tuple[object, ...] = ()

    def requests(self, login: Mapping[str, str]) -> Iterator[bytes]:
        headers = {**login, "Prefer": "respond-async"}
        for shape in shapes(BYTES - 2_000).values():
            for body in (HERE, *self.bodies):
                text = json.dumps(body).replace(f'"{HERE}"', shape)
                yield request(self.method, self.path, text.encode(), headers)


def order_with(part: str) -> dict[str, Any]:
    order: dict[str, Any] = copy.deepcopy(_ORDER)
    *way, last = part.split(".")
    at = order
    for step in way:
        at = at.setdefault(step, {})
    at[last] = HERE
    return order


_DISPLAY = "pos_technical_info.terminal_transaction_display.contract_array"
_WRITTEN = {"name": "Jane", "reason": HERE}
ROUTES = (
    Route(
        "POST",
        "/v1/connector/order",
        "merchant",
        tuple(
            order_with(part)
            for part in ("order.basket", _DISPLAY, "order.custom_data", "order.order_id", "customer", "other")
        ),
    ),
    Route(
        "PUT", "/v1/terminals/till-1", "merchant", ({"host": HERE}, {"host": "127.0.0.1", "profile": HERE})
    ),
    Route("POST", "/v1/webhooks/endpoints", "merchant", ({"url": "https://127.0.0.1/", "types": HERE},)),
    Route("PATCH", "/v1/webhooks/endpoints/whe_1", "merchant", ({"types": HERE},)),
    Route("POST", "/v1/webhooks/endpoints/whe_1/rotate-secret", "merchant", ({"overlap_seconds": HERE},)),
    Route("POST", "/v1/webhooks/deliveries/replay", "merchant", ({"state": "dead", "from": HERE},)),
    Route("POST", "/v1/operator/deliveries/replay", "operator", ({"state": "dead", "from": HERE},)),
    Route("POST", "/v1/operator/payments/pay_1/resolve", "operator", ({"decision": "charged", **_WRITTEN},)),
    Route("POST", "/v1/operator/payments/pay_1/release", "operator", (_WRITTEN,)),
    Route("POST", "/v1/operator/merchants", "operator", ({"name": "a", "networks": HERE},)),
    Route("POST", "/v1/operator/credentials", "operator", ({"merchant_id": "mer_1", "label": HERE},)),
    Route("POST", "/v1/gateway/evidence", "gateway", ({"source": "a", "record_id": HERE},)),
)


def worst_files() -> list[str]:
    """Return files of terminals."""
    return [
        "id,host," + ",".join(f"c{number}" for number in range(BYTES // 8)),
        "id,host\n" + "".join(f"{number},\n" for number in range(BYTES // 8)),
        "id,host,port,shop,sole_use\n" + "!,,x,y,z\n" * 1990,
        'id,host\n"' + '""' * (BYTES // 3),
        "id,host\n" + "x," * (BYTES // 3),
    ]
