"""Actions of the page, by the API's own routes; each has a reason, which goes into the audit trail."""

from starlette.responses import RedirectResponse, Response

from api.operator import delivery_routes, fleet_routes, routes
from api.operator.acting import Reasoned, actor_of
from api.operator.administration import credential_routes, merchant_routes
from api.operator.administration.credential_models import Revocation, Rotation
from api.operator.administration.merchant_models import Suspension
from api.operator.fleet_routes import Drain
from api.operator.models import Decision, Release
from api.operator_page.render import HEADERS
from api.operator_page.views import View, show_merchant
from api.webhooks.deliveries import replay_one
from shared.security.credentials import CredentialKind

Form = dict[str, str]


async def resolve(view: View, form: Form) -> Response:
    """Settle a doubt."""
    number = form.get("authorisation_number", "").strip()
    given = {"decision": form.get("decision", ""), "reason": form["reason"]}
    if number:
        given["authorisation_number"] = number
    decision = Decision.model_validate(given)
    payment_id = view.name("payment_id")
    await routes.resolve_doubt(view.dependencies, view.session.operator, payment_id, decision)
    return _back(f"/operator/payments/{payment_id}")


async def release(view: View, form: Form) -> Response:
    """Ask for the terminal of a payment in doubt."""
    payment_id = view.name("payment_id")
    asked = Release(reason=form["reason"])
    await routes.release_terminal_as_operator(view.dependencies, view.session.operator, payment_id, asked)
    return _back(f"/operator/payments/{payment_id}")


async def replay(view: View, form: Form) -> Response:
    """Send a delivery once more."""
    delivery_id = view.name("delivery_id")
    found = await delivery_routes.get_any_delivery(view.dependencies, delivery_id)
    actor = actor_of(view.session.operator, Reasoned(reason=form["reason"]).reason)
    await replay_one(view.dependencies.database, delivery_id, merchant_id=None, operator=actor)
    payment_id = found.shown().get("payment_id")
    return _back(f"/operator/payments/{payment_id}" if payment_id else "/operator/deliveries")


async def suspend(view: View, form: Form) -> Response:
    """Refuse a merchant's new orders."""
    merchant_id = view.name("merchant_id")
    body = Suspension(reason=form["reason"])
    await merchant_routes.suspend_merchant(view.dependencies, view.session.operator, merchant_id, body)
    return _back(f"/operator/merchants/{merchant_id}")


async def resume(view: View, form: Form) -> Response:
    """Accept a merchant's orders again."""
    merchant_id = view.name("merchant_id")
    body = Reasoned(reason=form["reason"])
    await merchant_routes.resume_merchant(view.dependencies, view.session.operator, merchant_id, body)
    return _back(f"/operator/merchants/{merchant_id}")


async def revoke(view: View, form: Form) -> Response:
    """Revoke a credential."""
    body = Revocation(reason=form["reason"])
    revoked = await credential_routes.revoke_credential(
        view.dependencies, view.session.operator, view.name("username"), body
    )
    return _back(_of_merchant(revoked.merchant_id))


async def rotate(view: View, form: Form) -> Response:
    """Replace a credential's secret, and show the new one this once."""
    body = Rotation(reason=form["reason"])
    issued = await credential_routes.rotate_credential(
        view.dependencies, view.session.operator, view.name("username"), body
    )
    if issued.kind not in (CredentialKind.PRIVATE, CredentialKind.PUBLIC):
        return _back("/operator/audit")
    return await show_merchant(view, issued.shown())


async def drain(view: View, form: Form) -> Response:
    """Let a terminal worker finish its sessions and end."""
    body = Drain(reason=form["reason"])
    await fleet_routes.drain_worker(view.dependencies, view.session.operator, view.name("worker_id"), body)
    return _back("/operator/workers")


def _of_merchant(merchant_id: str | None) -> str:
    return "/operator/merchants" if merchant_id is None else f"/operator/merchants/{merchant_id}"


def _back(place: str) -> Response:
    # The reload of a page never repeats its form.
    return RedirectResponse(place, 303, HEADERS)
