"""Credentials with their merchant's networks, and registered terminals; the same on both databases."""

import pytest
from payments import ADDRESS, HOST, MERCHANT, PORT, change
from stored.merchants import (
    create_credential,
    create_merchant,
    resume_merchant,
    revoke_credential,
    suspend_merchant,
)

from shared.security.credentials import CredentialKind
from shared.storage.db.engine import Database
from shared.storage.terminals.merchants import (
    Credential,
    Terminal,
    UnknownOrders,
    credentials,
    terminal_by_id,
)
from shared.storage.terminals.status import AtAddress, at_addresses


async def credential(database: Database, name: str) -> Credential | None:
    return (await credentials(database, [name])).get(name)


async def test_a_credential_comes_with_its_merchants_networks(database: Database) -> None:
    """One read returns the merchant and the networks of its terminals."""
    await create_merchant(database, "shop", "A merchant", ["10.20.0.0/16", "fd00::/8"])

    assert await create_credential(database, "pos", CredentialKind.PRIVATE, "shop", "hash")

    assert await credential(database, "pos") == Credential(
        "pos", CredentialKind.PRIVATE, "shop", "hash", ("10.20.0.0/16", "fd00::/8")
    )


@pytest.mark.parametrize("kind", [CredentialKind.GATEWAY, CredentialKind.OPERATOR])
async def test_a_credential_without_a_merchant_has_no_networks(
    database: Database, kind: CredentialKind
) -> None:
    """Gateways and operators belong to no merchant."""
    assert await create_credential(database, "theirs", kind, None, "hash")

    found = await credential(database, "theirs")
    assert found is not None
    assert (found.kind, found.merchant_id, found.networks) == (kind, None, ())


async def test_an_unknown_merchant_gets_no_credential(database: Database) -> None:
    """The result says so, and nothing is stored."""
    assert not await create_credential(database, "pos", CredentialKind.PRIVATE, "unknown", "hash")
    assert await credential(database, "pos") is None


async def test_a_revoked_credential_is_unknown(database: Database) -> None:
    """From the commit of the revocation on."""
    await create_credential(database, "pos", CredentialKind.PRIVATE, MERCHANT, "hash")

    assert await revoke_credential(database, "pos")
    assert await revoke_credential(database, "pos")
    assert not await revoke_credential(database, "unknown")

    assert await credential(database, "pos") is None


async def test_the_credentials_of_a_suspended_merchant_have_the_reason(database: Database) -> None:
    """Until it is resumed; an unknown merchant cannot be suspended."""
    await create_credential(database, "pos", CredentialKind.PRIVATE, MERCHANT, "hash")

    assert await suspend_merchant(database, MERCHANT, "lost terminals")
    assert await suspend_merchant(database, MERCHANT, "unpaid invoices")
    suspended = await credential(database, "pos")
    assert suspended is not None
    assert suspended.suspended_because == "unpaid invoices"

    assert await resume_merchant(database, MERCHANT)
    resumed = await credential(database, "pos")
    assert resumed is not None
    assert resumed.suspended_because is None
    assert not await suspend_merchant(database, "unknown", "")
    assert not await resume_merchant(database, "unknown")


async def test_unknown_orders_are_the_merchants_setting(database: Database) -> None:
    """At first a reversal of an order that is not known here is refused and a credit passed on."""
    await create_credential(database, "pos", CredentialKind.PRIVATE, MERCHANT, "hash")
    await create_merchant(database, "strict", "Another", [], unknown_orders=UnknownOrders(True, False))
    await create_credential(database, "other", CredentialKind.PRIVATE, "strict", "hash")

    async def setting(name: str) -> UnknownOrders:
        found = await credential(database, name)
        assert found is not None
        return found.unknown_orders

    assert await setting("pos") == UnknownOrders(reversals=False, credits=True)
    assert await setting("other") == UnknownOrders(reversals=True, credits=False)


async def test_a_terminal_is_found_by_its_merchant_only(database: Database) -> None:
    """By id and by address; another merchant's terminal is not found."""
    await change(
        database,
        "INSERT INTO terminals (id, merchant_id, label, host, port, terminal_address, protocol, profile,"
        " pos_number, created_at) VALUES ('front', :merchant, 'Front', :host, :port, :terminal_address,"
        " 'ConcertV3.2', :profile, '07', 0)",
        merchant=MERCHANT,
        host=HOST,
        port=PORT,
        terminal_address=ADDRESS,
        profile="{}",
    )
    front = Terminal("front", HOST, PORT, ADDRESS, "ConcertV3.2", "{}", "07")

    elsewhere = "127.0.0.77:8888"

    assert await terminal_by_id(database, MERCHANT, "front") == front
    assert await terminal_by_id(database, "other", "front") is None
    # Many are asked for in one statement.
    assert await at_addresses(database, [(MERCHANT, ADDRESS), ("other", ADDRESS), (MERCHANT, elsewhere)]) == {
        (MERCHANT, ADDRESS): AtAddress(front),
        ("other", ADDRESS): AtAddress(),
        (MERCHANT, elsewhere): AtAddress(),
    }
    await change(database, "UPDATE terminals SET sole_use_confirmed_at = 1 WHERE id = 'front'")
    assert await at_addresses(database, [(MERCHANT, ADDRESS), ("other", ADDRESS)]) == {
        (MERCHANT, ADDRESS): AtAddress(front, MERCHANT),
        ("other", ADDRESS): AtAddress(None, MERCHANT),
    }
