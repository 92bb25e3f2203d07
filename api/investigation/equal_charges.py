"""Pages of equal charges, for the routes of merchants and of operators."""

from dataclasses import replace

from api.http.models import known
from api.http.query import PageRequest, cursor
from api.investigation.models import EqualCharges, EqualChargesPage
from shared.storage.db.engine import Database
from shared.storage.investigation import equal_charges, search
from shared.storage.investigation.search import Filter


async def page_of_groups(
    database: Database, wanted: Filter, page: PageRequest, within_minutes: int
) -> EqualChargesPage:
    """Return the groups of the debits that fit a filter and have an equal one. Raises DatabaseUnavailable."""
    within_ms = within_minutes * 60_000
    twins = replace(wanted, twin_within_ms=within_ms)
    found = await search.payments(database, twins, after=page.after, limit=page.limit)
    ids = [each.payment.id for each in found.payments]
    groups = await equal_charges.groups(database, ids, within_ms=within_ms)
    return EqualChargesPage(
        groups=[EqualCharges.of(group) for group in groups], **known(next=cursor(found.next))
    )
