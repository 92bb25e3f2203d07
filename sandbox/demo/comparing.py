"""At the demo's end: everything that was recorded, compared with everything."""

from collections.abc import Mapping
from typing import Any

from sandbox.demo import checks, partner_checks
from sandbox.demo.frames import euros
from sandbox.demo.paying import Paying
from sandbox.demo.processes import until

#: The last of them are under way.
_DELIVERY_SECONDS = 20.0


async def compare_all(paying: Paying) -> list[str]:
    """Compare; return what was found to hold. Raises Unexpected."""
    system = paying.system
    rows = {str(row["id"]): row for row in system.rows.payments()}
    sessions = await paying.sessions()
    for call in paying.calls:
        checks.expect(checks.answered_as_stored(call, rows[call.payment_id]))
    checks.expect(checks.sessions_match(sessions, list(rows.values())))
    for session in sessions:
        assert session.reference is not None
        history = system.rows.events(session.reference)
        checks.expect(checks.session_as_stored(session, rows[session.reference], history))
    for name, held in (await paying.sessions_by_terminal()).items():
        checks.expect(checks.one_session_at_a_time(name, held))
    checks.expect(f"{line} is still held" for line in system.rows.held_lines())
    charged = sum(session.charged for session in sessions)
    return [
        f"{len(paying.calls)} answers equal the stored rows, receipts included",
        f"{len(rows)} payments, {len(sessions)} sessions: each payment was sent to its terminal once",
        f"{charged} sessions moved money, each for a payment that succeeded, none of them twice",
        "no terminal had two sessions at a time, and no terminal is held any more",
        "the history holds the very fields that the terminals saw and said",
        *await _compare_partners(paying, rows),
    ]


async def _compare_partners(paying: Paying, rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    async def look() -> bool | None:
        return None if paying.system.rows.open_deliveries() else True

    await until(look, "every delivery", *paying.system.parts, seconds=_DELIVERY_SECONDS)
    payments = list(rows.values())
    checks.expect(partner_checks.told_once(payments, await paying.partners.order_notifications()))
    checks.expect(partner_checks.webhooks_as_stored(payments, await paying.partners.webhooks()))
    totals = (await paying.partners.transactions())["totals"]
    collected = await paying.partners.collected()
    checks.expect(partner_checks.same_sums(payments, paying.system.partners.line, totals, collected))
    return [
        f"HiPay has {len(rows)} order notifications, one for each payment, signed and with credentials",
        f"the merchant has {len(rows)} webhooks, one for each result, verified; they say what is stored",
        f"Console, acquirer and our rows agree to the cent: {euros(totals['captured_cents'])} collected",
    ]
