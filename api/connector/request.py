"""Parser of the order request: defaults applied, checked, read into the values that a payment needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from typing import Any, Final, Self

from api.connector.schema import DEFAULT_PORT, Checker, SchemaViolation, first_error, order_schema
from api.http.json_text import NESTING_LIMIT, read_json, write_json
from shared.network.hosts import HostRefused, read_host
from shared.payment.payment import Operation


@dataclass(frozen=True, slots=True)
class Defaults:
    """Defaults of one object of the schema, and its integers, which are written as such (100.0 is 100).

    A missing object is never made, so that its required fields stay missing. `null` is no missing value.
    """

    defaults: tuple[tuple[str, Any], ...]
    integers: tuple[str, ...]
    objects: tuple[tuple[str, Self], ...]
    arrays: tuple[tuple[str, Self], ...]

    @classmethod
    def of(cls, schema: dict[str, Any]) -> Self:
        properties: dict[str, dict[str, Any]] = schema.get("properties", {})
        children = ((name, cls.of(part)) for name, part in properties.items() if "properties" in part)
        items = ((name, cls.of(part["items"])) for name, part in properties.items() if "items" in part)
        return cls(
            defaults=tuple((name, part["default"]) for name, part in properties.items() if "default" in part),
            integers=tuple(name for name, part in properties.items() if part.get("type") == "integer"),
            objects=tuple((name, child) for name, child in children if not child.is_empty),
            arrays=tuple((name, child) for name, child in items if not child.is_empty),
        )

    @property
    def is_empty(self) -> bool:
        return not (self.defaults or self.integers or self.objects or self.arrays)

    def apply(self, value: object) -> None:
        """Change `value`, a tree as the JSON reader makes it, in place; other values than objects stay."""
        if not isinstance(value, dict):
            return
        for name, default in self.defaults:
            if name not in value:
                value[name] = default
        for name in self.integers:
            number = value.get(name)
            if isinstance(number, float) and number.is_integer():
                value[name] = int(number)
        for name, child in self.objects:
            child.apply(value.get(name))
        for name, child in self.arrays:
            items = value.get(name)
            if isinstance(items, list):
                for item in items:
                    child.apply(item)


ITEM_TOTAL_MISMATCH: Final = "basket_item_total_mismatch"
BASKET_TOTAL_MISMATCH: Final = "basket_total_mismatch"

_TOLERANCE_CENTS: Final = 1


def basket_warnings(basket: Sequence[dict[str, Any]], amount_cents: int) -> tuple[str, ...]:
    """Return the warnings for a checked basket, whose numbers are in euros, and the order's amount in cents.

    The two published files disagree on the sign of the discount: a total that fits with either sign fits.
    """
    if not basket:
        return ()
    warnings = []
    if not all(_item_fits(item) for item in basket):
        warnings.append(ITEM_TOTAL_MISMATCH)
    if not _basket_fits(basket, amount_cents):
        warnings.append(BASKET_TOTAL_MISMATCH)
    return tuple(warnings)


def _item_fits(item: dict[str, Any]) -> bool:
    price = item["quantity"] * _cents(item["unit_price"])
    discount = _cents(item.get("discount", 0))
    total = _cents(item["total_amount"])
    return _near(price + discount, total) or _near(price - discount, total)


def _basket_fits(basket: Sequence[dict[str, Any]], amount_cents: int) -> bool:
    sold = sum(_cents(item["total_amount"]) for item in basket if item["type"] != "discount")
    taken_off = sum(_cents(item["total_amount"]) for item in basket if item["type"] == "discount")
    amount = Decimal(amount_cents)
    return _near(sold + taken_off, amount) or _near(sold - taken_off, amount)


def _cents(euros: float) -> Decimal:
    # By way of its text: 8.99 as a float is a little more than 8.99.
    return Decimal(str(euros)) * 100


def _near(one: Decimal | int, other: Decimal) -> bool:
    return abs(one - other) <= _TOLERANCE_CENTS


#: The contract's `transaction_type`, and its operation here.
OPERATIONS: Final = {
    "Debit": Operation.DEBIT,
    "Credit": Operation.CREDIT,
    "Cancel": Operation.REVERSAL,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """A checked order request. Either `host`, in its one spelling, with `port` or `terminal_id` is set."""

    order_id: str
    operation: Operation
    amount_cents: int
    currency: str
    #: `ConcertV3.1` or `ConcertV3.2`.
    protocol: str
    force_authorization: bool
    host: str | None
    port: int | None
    terminal_id: str | None
    webhook_endpoint_id: str | None
    notify_url: str | None
    #: The whole request with its defaults applied, unknown fields kept.
    request: dict[str, Any]
    #: The same as JSON text, fit for a TEXT column of either database.
    request_text: str
    #: Codes of totals that do not fit, which is no reason to refuse.
    warnings: tuple[str, ...]


def parse_order(body: bytes, nesting_limit: int = NESTING_LIMIT) -> OrderRequest:
    """Return the order of a request body of at most so many levels.

    Raises UnreadableBody for what is no JSON and InvalidRequest, the first error in the order of the schema,
    for what the contract refuses.
    """
    request = read_json(body, nesting_limit)
    _defaults().apply(request)
    _check(request)
    order, technical = request["order"], request["pos_technical_info"]
    price, display = order["price"], technical["terminal_transaction_display"]
    address = technical.get("host_information", {}) if "terminal_id" not in technical else {}
    return OrderRequest(
        order_id=order["order_id"],
        operation=OPERATIONS[order["transaction_type"]],
        amount_cents=price["amount"],
        currency=price["currency"],
        protocol=display["protocol"],
        force_authorization=display["force_authorization"],
        host=read_host(address["host"]) if "host" in address else None,
        port=address.get("port"),
        terminal_id=technical.get("terminal_id"),
        webhook_endpoint_id=order.get("webhook_endpoint_id"),
        notify_url=technical.get("notify_url"),
        request=request,
        request_text=write_json(request),
        warnings=basket_warnings(order.get("basket", ()), price["amount"]),
    )


def warm_up() -> None:
    """Build the checker and the defaults, so that the first request does not pay for them."""
    _defaults()
    _checker()


@cache
def _defaults() -> Defaults:
    return Defaults.of(order_schema())


@cache
def _checker() -> Checker:
    return Checker(order_schema())


def _check(request: Any) -> None:
    found = _checker().first_violation(request)
    violations = [*([] if found is None else [found]), *_address_violations(request)]
    if violations:
        raise first_error(violations, order_schema())


def _address_violations(request: Any) -> list[SchemaViolation]:
    # Also of a request that the schema refuses: the first error of all is shown.
    technical = request.get("pos_technical_info") if isinstance(request, dict) else None
    if not isinstance(technical, dict):
        return []
    address = technical.get("host_information")
    if "terminal_id" not in technical:
        if "host_information" not in technical:
            return [SchemaViolation.missing("pos_technical_info", "host_information")]
        if isinstance(address, dict) and "host" not in address:
            return [SchemaViolation.missing("pos_technical_info", "host_information", "host")]
        return _host_violations(address)
    if isinstance(address, dict) and ("host" in address or address.get("port") != DEFAULT_PORT):
        return [
            SchemaViolation(
                ("pos_technical_info", "terminal_id"),
                "not",
                "should NOT be valid",
                "terminal_id and host_information exclude each other: name the terminal or its address",
            )
        ]
    return []


def _host_violations(address: Any) -> list[SchemaViolation]:
    host = address.get("host") if isinstance(address, dict) else None
    if not isinstance(host, str):
        return []
    try:
        read_host(host)
    except HostRefused as error:
        path = ("pos_technical_info", "host_information", "host")
        return [SchemaViolation.misformatted(path, "hostname", f"the terminal's host {error}")]
    return []
