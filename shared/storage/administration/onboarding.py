"""Shops of a file in one transaction: merchants, terminals and first credentials; equal ones stay."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final

from shared.storage.administration import audit_trail, credential_register, merchant_register
from shared.storage.administration.audit_trail import Action, Actor
from shared.storage.administration.credential_register import NewCredential
from shared.storage.administration.merchant_register import MerchantSettings, StoredMerchant
from shared.storage.db.engine import Database, Transaction
from shared.storage.db.statement import Statement
from shared.storage.terminals import registry
from shared.storage.terminals.registry import Entry, RegisteredTerminal

#: Ids of one statement.
_BATCH: Final = 1000

_MERCHANTS = Statement(f"{merchant_register.SHOWN} WHERE id {{in_ids}}")
_TERMINALS = Statement(f"{registry.SELECT_ALL} WHERE merchant_id {{in_ids}}")
_WITH_CREDENTIAL = Statement(
    "SELECT DISTINCT merchant_id FROM credentials WHERE merchant_id {in_ids} AND kind = 'private'"
    " AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > {now})"
)
_RESERVED = Statement(
    "SELECT terminal_address, merchant_id FROM terminals WHERE terminal_address {in_ids}"
    " AND sole_use_confirmed_at IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A merchant as the file has it, with its terminals."""

    id: str
    name: str
    networks: tuple[str, ...]
    terminals: Sequence[Entry]


@dataclass(frozen=True, slots=True)
class Plan:
    """The differences from the database."""

    new_merchants: Sequence[Wanted]
    changed_merchants: Sequence[Wanted]
    new_terminals: Sequence[tuple[str, Entry]]
    changed_terminals: Sequence[tuple[str, Entry]]
    #: Merchants without a valid private credential.
    without_credential: Sequence[str]
    #: Numbers of terminals afterwards, by merchant.
    counts: Mapping[str, int]
    #: Terminals (merchant, id) whose address is another merchant's alone, or another entry's.
    taken: Sequence[tuple[str, str]]


async def plan(database: Database, wanted: Sequence[Wanted]) -> Plan:
    """Return what storing them would change. Raises DatabaseUnavailable."""
    return await database.read(lambda tx: _plan(tx, wanted))


async def store(
    database: Database, wanted: Sequence[Wanted], credentials: Sequence[NewCredential], actor: Actor
) -> Plan:
    """Store what differs, all or nothing; `credentials` are of merchants without one.

    Raises AddressTaken, DatabaseUnavailable, CommitUnknown.
    """

    async def work(tx: Transaction) -> Plan:
        found = await _plan(tx, wanted)
        for merchant in found.new_merchants:
            settings = MerchantSettings(name=merchant.name, networks=merchant.networks)
            await tx.run(merchant_register.INSERT, id=merchant.id, **settings.columns())
            await audit_trail.record(tx, actor, Action.MERCHANT_CREATED, merchant.id, after=settings.facts())
        for merchant in found.changed_merchants:
            before = await merchant_register.read(tx, merchant.id)
            assert before is not None
            settings = replace(before.settings, name=merchant.name, networks=merchant.networks)
            await tx.run(merchant_register.UPDATE, id=merchant.id, **settings.columns())
            await audit_trail.record(
                tx,
                actor,
                Action.MERCHANT_CHANGED,
                merchant.id,
                **merchant_register.differences(before.settings.facts(), settings.facts()),
            )
        new = {merchant.id for merchant in found.new_merchants}
        rows = [asdict(entry) | {"merchant_id": id_} for id_, entry in found.new_terminals if id_ in new]
        await tx.run_many(registry.INSERT, rows)
        others = [each for each in (*found.new_terminals, *found.changed_terminals) if each[0] not in new]
        for merchant_id, entry in others:
            await registry.put_in(tx, merchant_id, entry)
        lacking = set(found.without_credential)
        made = [one for one in credentials if one.merchant_id in lacking]
        await tx.run_many(credential_register.INSERT, [one.columns() for one in made])
        for one in made:
            after = {"kind": one.kind.value, "merchant_id": one.merchant_id, "label": one.label}
            await audit_trail.record(tx, actor, Action.CREDENTIAL_CREATED, one.id, after=after)
        if found.new_merchants or found.changed_merchants or others or rows or made:
            await audit_trail.record(tx, actor, Action.SHOPS_IMPORTED, "", detail=counts_of(found))
        return found

    return await database.write(work)


def counts_of(found: Plan) -> dict[str, int]:
    """Return the numbers of what differs."""
    return {
        "merchants_created": len(found.new_merchants),
        "merchants_changed": len(found.changed_merchants),
        "terminals_created": len(found.new_terminals),
        "terminals_changed": len(found.changed_terminals),
        "credentials_created": len(found.without_credential),
    }


async def _plan(tx: Transaction, wanted: Sequence[Wanted]) -> Plan:
    ids = [merchant.id for merchant in wanted]
    merchants: dict[str, StoredMerchant] = {}
    terminals: dict[tuple[str, str], RegisteredTerminal] = {}
    with_credential: set[str] = set()
    for batch in _batches(ids):
        merchants |= {
            row.id: merchant_register.stored_merchant(row) for row in await tx.all_of(_MERCHANTS, batch)
        }
        for row in await tx.all_of(_TERMINALS, batch):
            terminals[row.merchant_id, row.id] = registry.registered_terminal(row)
        with_credential |= {row.merchant_id for row in await tx.all_of(_WITH_CREDENTIAL, batch)}
    new_terminals, changed_terminals, at_address = [], [], {}
    for stored in terminals.values():
        at_address[stored.merchant_id, stored.terminal_address] = stored.id
    taken = await _reserved(tx, wanted)
    for merchant in wanted:
        for entry in merchant.terminals:
            known = terminals.get((merchant.id, entry.id))
            if at_address.get((merchant.id, entry.terminal_address), entry.id) != entry.id:
                taken.append((merchant.id, entry.id))
            elif known is None:
                new_terminals.append((merchant.id, entry))
            elif _differs(known, entry):
                changed_terminals.append((merchant.id, _changed(known, entry)))
    counts = {merchant.id: 0 for merchant in wanted}
    for merchant_id, _ in (*terminals, *((id_, entry.id) for id_, entry in new_terminals)):
        counts[merchant_id] += 1
    return Plan(
        [merchant for merchant in wanted if merchant.id not in merchants],
        [
            merchant
            for merchant in wanted
            if merchant.id in merchants
            and (merchants[merchant.id].settings.name, merchants[merchant.id].settings.networks)
            != (merchant.name, merchant.networks)
        ],
        new_terminals,
        changed_terminals,
        [merchant_id for merchant_id in ids if merchant_id not in with_credential],
        counts,
        taken,
    )


async def _reserved(tx: Transaction, wanted: Sequence[Wanted]) -> list[tuple[str, str]]:
    users: dict[str, str] = {}
    addresses = [entry.terminal_address for merchant in wanted for entry in merchant.terminals]
    for batch in _batches(addresses):
        users |= {row.terminal_address: row.merchant_id for row in await tx.all_of(_RESERVED, batch)}
    return [
        (merchant.id, entry.id)
        for merchant in wanted
        for entry in merchant.terminals
        if users.get(entry.terminal_address, merchant.id) != merchant.id
    ]


def _differs(known: RegisteredTerminal, entry: Entry) -> bool:
    return (known.label, known.shop, known.host, known.port, known.terminal_address) != (
        entry.label,
        entry.shop,
        entry.host,
        entry.port,
        entry.terminal_address,
    )


def _changed(known: RegisteredTerminal, entry: Entry) -> Entry:
    """Return the entry with what a file of shops does not say: the terminal's profile stays."""
    return replace(
        entry,
        protocol=known.protocol,
        profile=known.profile,
        pos_number=known.pos_number,
        authorisation=known.authorisation,
        authorisation_above_cents=known.authorisation_above_cents,
        sole_use=known.sole_use != "none",
    )


def _batches(texts: Sequence[str]) -> list[Sequence[str]]:
    return [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
