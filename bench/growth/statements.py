"""Every named statement of the storage, and its plan and cost on a PostgreSQL filled by `data.py`."""

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

import shared.storage
from bench.growth.data import key
from shared.storage.db.statement import Dialect, Statement

#: Statements that read a whole table, and the reason for which each may.
WHOLE_TABLE: Final[Mapping[str, str]] = {
    "terminals.merchant_usage._FORGET": "once at the start of a process",
    "webhooks.endpoints._ENABLED": "once, when an operator checks the installation",
    "investigation.day_totals._DELETE_OTHER_TOTALS": "once, where the setting of the time zone was changed",
    "investigation.day_totals._DELETE_OTHER_DAYS": "once, where the setting of the time zone was changed",
    "webhooks.feed._PASS_LOST": "once after a restore, for every merchant",
    "administration.onboarding._TERMINALS": "all terminals of its merchants; here one merchant has all",
}
#: Tables of a few rows at any size: a row for each worker, for each target that fails, for each operator who
#: is logged in to the page, for each day, for each late change of the last minute.
SMALL_TABLES: Final = frozenset(
    {
        "workers", "worker_drains", "tasks", "delivery_targets", "operator_sessions", "totalled_days",
        "late_changes", "sqlite_sequence",
    }
)  # fmt: skip
#: Statements without a table of ours: settings, locks by number, the schema's version; one that makes its
#: table.
_WITHOUT_TABLE: Final = frozenset(
    {
        "db.schema.migrate._LOCK",
        "db.schema.version._VERSION",
        "db.opening._SYNCHRONOUS",
        "db.connections.pooler._IDLE_LIMIT",
        "db.connections.pooler._SERVING_PROCESS",
        "functions.purge_function.CALL_PURGE",
        "retention.purge.CALL_PURGE",
        "payments.acceptance._LIMIT_LOCK_WAIT",
        "terminals.heartbeats.CREATE_ON_SQLITE",
    }
)
#: Statements that are written for the one database and not run on the other.
_ELSEWHERE: Final[Mapping[Dialect, frozenset[str]]] = {
    "postgresql": frozenset({"payments.acceptance._KNOWN_REFUSED"}),
    "sqlite": frozenset({"payments.acceptance._INSERT_REFUSED", "payments.acceptance._LOCKED_REFUSED"}),
}

#: Values of parameters by name; a text that is not named is the key of the first row, a number is 1.
_VALUES: Final[Mapping[str, object]] = {
    "after": "0",
    "after_ms": 10_000,
    "created_at": 0,
    "from_state": "in_session",
    "in_session": "in_session",
    "kind": "merchant",
    "kept_ms": 86_400_000,
    "life_ms": 86_400_000,
    "memory_ms": 600_000,
    "most": 100,
    "only": None,
    "operation": "debit",
    "position": 1_000_000_000,
    "prefix": "new_",
    "queued": "queued",
    "refused": json.dumps([{"id": key(0), "merchant_id": key(1), "operation_key": key(1)}]),
    "reversed_id": None,
    "succeeded": "succeeded",
    "threshold": 5,
    "to": "succeeded",
}
#: In an insert these name a row that is not there yet.
_NEW: Final = frozenset({"id", "key", "record_id", "terminal_address", "worker"})


@dataclass(frozen=True, slots=True)
class Cost:
    """The least of some runs of one statement, and the tables that it read as a whole."""

    pages: int
    milliseconds: float
    whole_tables: frozenset[str]


def statements(dialect: Dialect = "postgresql") -> dict[str, Statement]:
    """Return every statement that a database runs, by module and name, except those that functions build."""
    left_out = _WITHOUT_TABLE | _ELSEWHERE[dialect]
    return {name: statement for name, statement in sorted(_all_statements()) if name not in left_out}


def _all_statements() -> Iterator[tuple[str, Statement]]:
    prefix = f"{shared.storage.__name__}."
    for found in pkgutil.walk_packages(shared.storage.__path__, prefix):
        # What the functions run is what other statements here do.
        if found.name.startswith((f"{prefix}migrations", f"{prefix}functions")):
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            if isinstance(value, Statement):
                yield f"{found.name.removeprefix(prefix)}.{name}", value


async def cost(connection: asyncpg.Connection, statement: Statement, *, runs: int) -> Cost:
    """Run the statement and roll back, some times; the first run is not counted."""
    words, names = statement.numbered
    types = [each.name for each in (await connection.prepare(words)).get_parameters()]
    is_insert = words.startswith("INSERT")
    values = [_value(name, type_, is_insert) for name, type_ in zip(names, types, strict=True)]
    roots = []
    for _ in range(runs + 1):
        transaction = connection.transaction()
        await transaction.start()
        try:
            explained = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {words}", *values)
        finally:
            await transaction.rollback()
        roots.append(json.loads(explained)[0])
    counted = roots[1:]
    return Cost(
        pages=min(root["Plan"]["Shared Hit Blocks"] + root["Plan"]["Shared Read Blocks"] for root in counted),
        milliseconds=min(root["Execution Time"] for root in counted),
        whole_tables=_whole_tables(counted[-1]["Plan"]) - SMALL_TABLES,
    )


async def whole_tables_of_any_values(connection: asyncpg.Connection, statement: Statement) -> frozenset[str]:
    """Return the tables that the plan for unknown values reads as a whole.

    A prepared statement may use that plan from its sixth run on.
    """
    words, names = statement.numbered
    nothing = f"({', '.join(['NULL'] * len(names))})" if names else ""
    await connection.execute(f"SET plan_cache_mode = force_generic_plan; PREPARE any_values AS {words}")
    try:
        explained = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE any_values{nothing}")
    finally:
        await connection.execute("DEALLOCATE any_values; RESET plan_cache_mode")
    return _whole_tables(json.loads(explained)[0]["Plan"]) - SMALL_TABLES


def _whole_tables(plan: Mapping[str, Any]) -> frozenset[str]:
    own = {plan["Relation Name"]} if plan["Node Type"] == "Seq Scan" else set()
    return frozenset(own).union(*(_whole_tables(below) for below in plan.get("Plans", ())))


def _value(name: str, type_: str, is_insert: bool) -> object:
    if name in _NEW and is_insert:
        given: object = key(0)
    else:
        given = _VALUES.get(name, key(1))
    if given is None:
        return None
    if type_.endswith("[]"):
        return [1] if type_.startswith("int") else [key(1)]
    if type_.startswith("int"):
        return int(str(given)) if str(given).isdigit() else 1
    return False if type_ == "bool" else str(given)
