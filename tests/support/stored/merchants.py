"""Merchants and credentials of tests, made in the database as an operator makes them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from shared.security.credentials import CredentialKind, Role
from shared.storage.administration import credential_register, merchant_register
from shared.storage.administration.audit_trail import Actor
from shared.storage.administration.credential_register import NewCredential
from shared.storage.administration.merchant_register import MerchantSettings
from shared.storage.db.engine import Database
from shared.storage.terminals.merchants import DEFAULT_UNKNOWN_ORDERS, UnknownOrders

TESTER: Final = Actor("tester@test", reason="for a test")


async def create_merchant(
    database: Database,
    merchant_id: str,
    name: str,
    networks: Sequence[str],
    guard_hours: int | None = None,
    unknown_orders: UnknownOrders = DEFAULT_UNKNOWN_ORDERS,
) -> None:
    """Store a merchant."""
    settings = MerchantSettings(
        name=name, networks=tuple(networks), guard_hours=guard_hours, unknown_orders=unknown_orders
    )
    await merchant_register.create(database, merchant_id, settings, TESTER)


async def create_credential(
    database: Database,
    name: str,
    kind: CredentialKind,
    merchant_id: str | None,
    secret_hash: str,
    role: Role = Role.ADMIN,
) -> bool:
    """Store a credential; an operator's has a role. False: there is no such merchant."""
    new = NewCredential(
        id=name,
        kind=kind,
        secret_hash=secret_hash,
        merchant_id=merchant_id,
        role=role if kind is CredentialKind.OPERATOR else None,
    )
    return await credential_register.create(database, new, TESTER) is not None


async def revoke_credential(database: Database, name: str) -> bool:
    """Revoke a credential; False: there is none."""
    return await credential_register.revoke(database, name, TESTER) is not None


async def suspend_merchant(database: Database, merchant_id: str, because: str) -> bool:
    """Suspend a merchant; False: there is none."""
    return await merchant_register.suspend(database, merchant_id, because, TESTER) is not None


async def resume_merchant(database: Database, merchant_id: str) -> bool:
    """Resume a merchant; False: there is none."""
    return await merchant_register.resume(database, merchant_id, TESTER) is not None


async def set_networks(database: Database, merchant_id: str, networks: tuple[str, ...]) -> None:
    """Replace a merchant's networks."""
    changed = await merchant_register.update(
        database, merchant_id, lambda found: replace(found, networks=networks), TESTER
    )
    assert changed is not None
