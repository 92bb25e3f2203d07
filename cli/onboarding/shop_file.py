"""Reader of a file of shops: a row for each terminal, with its merchant. Pure."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Final

from shared.network.hosts import EVERY_NETWORK, PUBLIC, folded, is_allowed, is_drivable, is_public

ROWS_AT_MOST: Final = 100_000
COLUMNS: Final = ("merchant", "name", "networks", "terminal", "host", "port", "label", "shop")
_REQUIRED: Final = ("merchant", "name", "networks", "terminal", "host")
_MERCHANT: Final = re.compile(r"[A-Za-z0-9_]{1,60}")
_TERMINAL: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PREFIX: Final = "mer_"
_PORT: Final = 8888
_TEXT_AT_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class RowProblem:
    """An error of a cell; the header is row 1."""

    row: int
    column: str
    problem: str


@dataclass(frozen=True, slots=True)
class ShopTerminal:
    """A terminal of a row."""

    row: int
    id: str
    host: str
    port: int
    terminal_address: str
    label: str
    shop: str


@dataclass(slots=True)
class Shop:
    """A merchant with its terminals."""

    id: str
    name: str
    networks: tuple[str, ...]
    row: int
    terminals: list[ShopTerminal] = field(default_factory=list)
    #: The first rows of each terminal id and of each address and port.
    ids: dict[str, int] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class ShopFile:
    """The content of a file, and every error in it."""

    shops: dict[str, Shop] = field(default_factory=dict)
    problems: list[RowProblem] = field(default_factory=list)
    rows: int = 0


def read_shops(text: str) -> ShopFile:
    """Return the shops of a CSV file (comma or semicolon), and the problems of all its rows.

    Networks are CIDR, divided by blanks; `public` stands for every public address. A host is an address: a
    name is looked up by the API where a terminal is registered.
    """
    found = ShopFile()
    for number, cells in _records(text, found):
        found.rows += 1
        if found.rows > ROWS_AT_MOST:
            found.problems.append(RowProblem(number, "", f"a file has at most {ROWS_AT_MOST} rows"))
            return found
        _read_row(found, number, cells)
    if not found.rows and not found.problems:
        found.problems.append(RowProblem(1, "", "the file has no rows"))
    return found


def _records(text: str, found: ShopFile) -> Iterator[tuple[int, dict[str, str]]]:
    first = text.partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=";" if first.count(";") > first.count(",") else ",",
        strict=True,
    )
    number = 1
    try:
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in _REQUIRED if name not in header]
        unknown = [name for name in header if name not in COLUMNS]
        found.problems += [RowProblem(1, name, "is missing") for name in missing]
        found.problems += [RowProblem(1, name, "is no column of a file of shops") for name in unknown]
        if len(set(header)) < len(header):
            found.problems.append(RowProblem(1, "", "a column is there twice"))
        if found.problems:
            return
        for number, cells in enumerate(reader, 2):
            if any(cell.strip() for cell in cells):
                yield number, {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
    except csv.Error as error:
        found.problems.append(RowProblem(number, "", f"is no CSV: {error}"))


def _read_row(found: ShopFile, number: int, cells: dict[str, str]) -> None:
    problems = [RowProblem(number, name, "is empty") for name in _REQUIRED if not cells.get(name)]
    problems += [
        RowProblem(number, name, f"is longer than {_TEXT_AT_MOST} characters or has unprintable ones")
        for name, cell in cells.items()
        if len(cell) > _TEXT_AT_MOST * (10 if name == "networks" else 1) or not cell.isprintable()
    ]
    if problems:
        found.problems += problems
        return
    shop = _shop(found, number, cells)
    terminal = _terminal(found, number, cells, shop)
    if terminal is None:
        return
    same_id = shop.ids.setdefault(terminal.id, number)
    same_place = shop.places.setdefault(terminal.terminal_address, number)
    if same_id != number:
        found.problems.append(RowProblem(number, "terminal", f"is in row {same_id}, too"))
    if same_place != number:
        found.problems.append(RowProblem(number, "host", f"is the address and port of row {same_place}"))
    shop.terminals.append(terminal)


def _shop(found: ShopFile, number: int, cells: dict[str, str]) -> Shop:
    key = cells["merchant"]
    if not _MERCHANT.fullmatch(key):
        found.problems.append(RowProblem(number, "merchant", "should be 1 to 60 letters, digits and _"))
    networks = []
    for text in cells["networks"].split():
        try:
            network = PUBLIC if text == PUBLIC else str(ip_network(text))
        except ValueError:
            found.problems.append(RowProblem(number, "networks", f"{text} is no network like 10.20.0.0/16"))
            continue
        if network in map(str, EVERY_NETWORK):
            found.problems.append(RowProblem(number, "networks", f"{text} is every address; write public"))
        networks.append(network)
    merchant_id = _PREFIX + key.removeprefix(_PREFIX)
    shop = found.shops.setdefault(merchant_id, Shop(merchant_id, cells["name"], tuple(networks), number))
    for column, said, before in (
        ("name", cells["name"], shop.name),
        ("networks", tuple(networks), shop.networks),
    ):
        if said != before:
            found.problems.append(RowProblem(number, column, f"differs from row {shop.row} of the merchant"))
    return shop


def _terminal(found: ShopFile, number: int, cells: dict[str, str], shop: Shop) -> ShopTerminal | None:
    before = len(found.problems)
    if not _TERMINAL.fullmatch(cells["terminal"]):
        found.problems.append(
            RowProblem(number, "terminal", "should be 1 to 64 letters, digits, dots, dashes and _")
        )
    port_text = cells.get("port") or str(_PORT)
    port = int(port_text) if port_text.isascii() and port_text.isdecimal() and len(port_text) < 6 else 0
    if not 1 <= port <= 65_535:
        found.problems.append(RowProblem(number, "port", "should be 1 to 65535"))
    try:
        address = folded(ip_address(cells["host"]))
    except ValueError:
        found.problems.append(RowProblem(number, "host", "should be an IP address"))
        return None
    allowed = [ip_network(network) for network in shop.networks if network != PUBLIC]
    inside = any(address in network for network in allowed) or (
        PUBLIC in shop.networks and is_public(address)
    )
    if not is_drivable(address) or not inside or not is_allowed(address, allowed):
        found.problems.append(RowProblem(number, "host", "is outside of the merchant's networks"))
    if len(found.problems) > before:
        return None
    shown = f"[{address}]" if address.version == 6 else str(address)
    return ShopTerminal(
        number,
        cells["terminal"],
        str(address),
        port,
        f"{shown}:{port}",
        cells.get("label", ""),
        cells.get("shop", ""),
    )
