"""PostgreSQL accounts, one for each kind of process, with the grants that its statements need and no others.

The owner, who migrates and creates the first operator, is a separate account.
"""

import re
from collections.abc import Mapping
from typing import Final

from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement

_READ: Final = "SELECT"
_ADD: Final = "SELECT, INSERT"
_CHANGE: Final = "SELECT, INSERT, UPDATE"
_ALL: Final = "SELECT, INSERT, UPDATE, DELETE"

#: Grants by account and table. Only the API writes merchants and credentials; histories are append-only.
GRANTS: Final[Mapping[str, Mapping[str, str]]] = {
    "cloud_terminal_api": {
        "merchants": _CHANGE,
        "credentials": _CHANGE,
        "operator_sessions": _ALL,
        "workers": _READ,
        "worker_drains": _ADD,
        "merchant_usage": _ALL,
        "terminal_locks": _CHANGE,
        "terminals": _ALL,
        "probes": _ALL,
        "payments": _CHANGE,
        "idempotency_keys": _ADD,
        "gateway_records": _ADD,
        "payment_events": _ADD,
        "evidence": _ADD,
        "responses": _ADD,
        "audit_trail": _ADD,
        "totalled_days": _READ,
        "day_totals": _READ,
        "late_changes": _ADD,
        "events": _CHANGE,
        "feeds": _CHANGE,
        "deliveries": _CHANGE,
        "delivery_attempts": _READ,
        "delivery_targets": "SELECT, DELETE",
        "webhook_endpoints": _CHANGE,
        "webhook_secrets": _ALL,
    },
    "cloud_terminal_terminal": {
        "workers": _ALL,
        "worker_drains": "SELECT, DELETE",
        "terminal_locks": _CHANGE,
        "probes": "SELECT, UPDATE, DELETE",
        "payments": "SELECT, UPDATE",
        "payment_events": _ADD,
        "evidence": _ADD,
        "events": _ADD,
        # The purge; of payments and their histories by a function with the owner's rights.
        "deliveries": "SELECT, INSERT, DELETE",
        "delivery_attempts": "SELECT, DELETE",
        "audit_trail": _ADD,
        "tasks": _CHANGE,
        "totalled_days": "SELECT, INSERT, DELETE",
        "day_totals": "SELECT, INSERT, DELETE",
        "late_changes": "SELECT, INSERT, DELETE",
        "webhook_endpoints": _READ,
    },
    "cloud_terminal_notifier": {
        "payments": _READ,
        "payment_events": _READ,
        "events": _READ,
        "deliveries": "SELECT, UPDATE",
        "delivery_attempts": _ADD,
        "delivery_targets": _ALL,
        "webhook_endpoints": "SELECT, UPDATE",
        "webhook_secrets": _READ,
    },
}

#: Its function has the owner's rights.
_PURGES: Final = "cloud_terminal_terminal"
_NO_PURGE: Final = "REVOKE EXECUTE ON FUNCTION ct_purge_v1(text[], bigint) FROM {account}"

#: Passwords stand in a statement, since DDL takes no parameters.
_PASSWORD: Final = re.compile(r"[0-9A-Za-z_-]{16,128}")

_CREATE: Final = """
DO $$ BEGIN
    CREATE ROLE {account} LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$
"""


class UnfitPassword(Exception):
    """Raised for a password that is not 16 to 128 letters, digits, dashes and underscores."""


async def grant_accounts(database: Database, passwords: Mapping[str, str]) -> None:
    """Create the missing accounts; set their passwords and exactly their grants.

    `passwords` by account; an account without one keeps its own. Run it as the owner after each migration;
    it is one transaction. Raises UnfitPassword, DatabaseUnavailable, CommitUnknown.
    """
    for account, password in passwords.items():
        if account not in GRANTS or not _PASSWORD.fullmatch(password):
            raise UnfitPassword(account)

    async def work(tx: Transaction) -> None:
        for account, tables in GRANTS.items():
            for statement in _statements(account, tables, passwords.get(account)):
                await tx.run(Statement(statement))

    await database.write(work)


def _statements(account: str, tables: Mapping[str, str], password: str | None) -> list[str]:
    statements = [
        _CREATE.format(account=account),
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {account}",
        f"GRANT USAGE ON SCHEMA public TO {account}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {account}",
        # They have the account's own rights, no more; all but the purge's.
        f"GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO {account}",
        *([] if account == _PURGES else [_NO_PURGE.format(account=account)]),
        f"GRANT SELECT ON alembic_version TO {account}",
        *(f"GRANT {verbs} ON {table} TO {account}" for table, verbs in tables.items()),
    ]
    if password is not None:
        statements.append(f"ALTER ROLE {account} PASSWORD '{password}'")
    return statements
