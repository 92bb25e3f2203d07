"""The audit trail: who did what, when, why, and what it changed. Nothing is ever changed or deleted in it.

A record is written in the transaction of its action, so that there is none without the other.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from shared.storage.db.engine import Database, Row, Transaction
from shared.storage.db.statement import Statement
from shared.storage.payments.listing import Place
from shared.storage.payments.rows import json_text

_INSERT = Statement(
    "INSERT INTO audit_trail (at, by, by_name, action, subject, reason, detail, before, after)"
    " VALUES ({now}, :by, :by_name, :action, :subject, :reason, :detail, :before, :after)"
)

#: A condition for each filter that is given.
_CONDITIONS: Final = {
    "by": "by = :by",
    "action": "action = :action",
    "subject": "subject = :subject",
    "since": "at >= :since",
    "until": "at < :until",
    "before_id": "id < :before_id",
}


class Action(StrEnum):
    """A kind of action that an operator takes."""

    MERCHANT_CREATED = "merchant_created"
    MERCHANT_CHANGED = "merchant_changed"
    MERCHANT_SUSPENDED = "merchant_suspended"
    MERCHANT_RESUMED = "merchant_resumed"
    CREDENTIAL_CREATED = "credential_created"
    CREDENTIAL_CHANGED = "credential_changed"
    #: A new secret was made; the earlier one may still be valid for a while.
    CREDENTIAL_ROTATED = "credential_rotated"
    CREDENTIAL_REVOKED = "credential_revoked"
    #: A merchant's sole use of a terminal address was confirmed.
    SOLE_USE_CONFIRMED = "sole_use_confirmed"
    #: A sole use was withdrawn.
    SOLE_USE_WITHDRAWN = "sole_use_withdrawn"
    #: A payment in doubt was settled.
    DOUBT_DECIDED = "doubt_decided"
    #: The terminal of a payment in doubt was asked for.
    TERMINAL_ASKED_FOR = "terminal_asked_for"
    #: One delivery was replayed.
    DELIVERY_REPLAYED = "delivery_replayed"
    #: A batch of at most 500 deliveries that fit a filter was replayed.
    DELIVERIES_REPLAYED = "deliveries_replayed"
    #: Payments and deliveries were deleted because of their age.
    PURGED = "purged"
    #: The customer data of an order was erased.
    ORDER_ERASED = "order_erased"
    #: After a restore, payments were put in doubt and orders locked for review.
    RESTORED = "restored"
    #: A file of shops was stored.
    SHOPS_IMPORTED = "shops_imported"
    #: A terminal worker was asked to end.
    WORKER_DRAINED = "worker_drained"
    #: An operator logged in to the page, or out.
    LOGGED_IN = "logged_in"
    LOGGED_OUT = "logged_out"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever acts: a credential's name, or `USER@HOST`; with the credential's label and the reason given."""

    by: str
    label: str = ""
    reason: str | None = None
    #: The name that the request gave; anybody can give any.
    given_name: str | None = None

    @property
    def name(self) -> str:
        """The name for people: as given, else the credential's label, else the credential."""
        return self.given_name or self.label or self.by


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A recorded action; `at` is milliseconds since 1970 UTC."""

    id: int
    at: int
    by: str
    by_name: str
    action: str
    subject: str
    reason: str | None
    detail: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """Conditions on records; None leaves one out. Times are milliseconds since 1970 UTC."""

    by: str | None = None
    action: str | None = None
    subject: str | None = None
    #: Inclusive.
    since: int | None = None
    #: Exclusive.
    until: int | None = None


async def record(
    tx: Transaction,
    actor: Actor,
    action: Action,
    subject: str,
    *,
    detail: Mapping[str, object] | None = None,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> None:
    """Append one action, at the database's time."""
    named = {} if actor.given_name is None else {"name": actor.given_name}
    await tx.run(
        _INSERT,
        by=actor.by,
        by_name=actor.label,
        action=action.value,
        subject=subject,
        reason=actor.reason,
        detail=json_text({**(detail or {}), **named}),
        before=None if before is None else json_text(dict(before)),
        after=None if after is None else json_text(dict(after)),
    )


async def page(
    database: Database, wanted: AuditFilter, *, after: Place | None, limit: int
) -> tuple[list[AuditRecord], Place | None]:
    """Return records, the newest first, and the start of the next page. Raises DatabaseUnavailable."""
    parameters = {name: value for name, value in asdict(wanted).items() if value is not None}
    if after is not None:
        parameters["before_id"] = after.created_at
    statement = _list_statement(tuple(parameters))
    rows = await database.read(lambda tx: tx.all(statement, most=limit + 1, **parameters))
    found = [_record(row) for row in rows[:limit]]
    return found, Place(found[-1].id, "audit") if len(rows) > limit else None


@cache
def _list_statement(conditions: tuple[str, ...]) -> Statement:
    where = " AND ".join(_CONDITIONS[name] for name in conditions)
    return Statement(
        "SELECT id, at, by, by_name, action, subject, reason, detail, before, after FROM audit_trail"
        + (f" WHERE {where}" if where else "")
        + " ORDER BY id DESC LIMIT :most"
    )


def _record(row: Row) -> AuditRecord:
    return AuditRecord(
        row.id,
        row.at,
        row.by,
        row.by_name,
        row.action,
        row.subject,
        row.reason,
        json.loads(row.detail),
        None if row.before is None else json.loads(row.before),
        None if row.after is None else json.loads(row.after),
    )
