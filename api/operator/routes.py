"""Routes of operators: doubts, contradictions and decisions."""

import structlog

from api.http.dependencies import Dependencies, Operator, Wired, deciding_operator, operator
from api.http.errors import InvalidQuery, InvalidRequest, NotFound, or_not_found
from api.http.models import known
from api.http.query import Page, cursor
from api.http.routing import api_router
from api.openapi.components import BODY_ERRORS, error_responses
from api.operator.facts import facts_of
from api.operator.models import (
    Case,
    CasePage,
    Decision,
    DecisionTimes,
    Facts,
    Release,
    Settled,
    Settler,
)
from api.payments.early_release import ask_for_terminal, doubt_window
from api.payments.errors import PaymentConflict, TerminalFree, TooEarly
from api.payments.history import evidence_object
from api.payments.models import Accepted, Payment, PaymentId
from shared.payment import payment as stored
from shared.payment.answers import ResponseSpec
from shared.payment.states import State
from shared.runtime.clock import iso_time
from shared.runtime.ids import is_payment_id
from shared.runtime.logging import bound
from shared.storage.payments import listing, operators
from shared.storage.payments.listing import Place
from shared.storage.payments.operators import Decided, NotInDoubt
from shared.storage.payments.operators import TooEarly as DecidedTooEarly

router = api_router("/v1/operator", caller=operator, tag="operator")
deciding = api_router("/v1/operator", caller=deciding_operator, tag="operator")

_log = structlog.get_logger()

_LIST_ERRORS = error_responses(InvalidQuery("limit"))


@router.get("/doubts", summary="List payments in doubt, the oldest first", responses=_LIST_ERRORS)
async def list_doubts(dependencies: Wired, page: Page) -> CasePage:
    """Return payments in doubt of all merchants, with everything that is known of each."""
    found = await operators.doubts(dependencies.database, after=page.after, limit=page.limit)
    return await _page(dependencies, *found)


@router.get(
    "/contradictions",
    summary="List payments whose outcome a proof contradicts, the oldest first",
    responses=_LIST_ERRORS,
)
async def list_contradictions(dependencies: Wired, page: Page) -> CasePage:
    """Return payments of all merchants whose final state a proof contradicts."""
    found = await operators.conflicts(dependencies.database, after=page.after, limit=page.limit)
    return await _page(dependencies, *found)


@router.get(
    "/payments/{payment_id}",
    summary="Return everything that is stored about any merchant's payment",
    responses=error_responses(InvalidQuery("limit"), NotFound()),
)
async def get_case(dependencies: Wired, payment_id: PaymentId) -> Facts:
    """Return the payment with its evidence, history, deliveries, and the answers that clients were given."""
    case = await _case(dependencies, payment_id)
    shown = await _shown(dependencies, case)
    return await facts_of(dependencies.database, shown, receipt=case.payment.result.receipt)


@deciding.post(
    "/payments/{payment_id}/resolve",
    summary="Settle a doubt by an operator's decision",
    responses=error_responses(
        *BODY_ERRORS,
        NotFound(),
        TooEarly(101),
        PaymentConflict(State.REFUSED, "only one in doubt is decided by an operator"),
    ),
)
async def resolve_doubt(
    dependencies: Wired, operator: Operator, payment_id: PaymentId, decision: Decision
) -> Settled:
    """Store the decision. `charged` is taken from a minute of doubt on, `not_charged` only once the terminal
    is certain to have ended what it may have read. The same decision again is as good. Of two operators at
    the same moment one decides; the other is told who did."""
    case = await _case(dependencies, payment_id)
    _check_amount(decision, case.payment)
    with bound(payment_id=payment_id):
        decided = await operators.decide(
            dependencies.database,
            payment_id,
            operators.Decision(decision.decision),
            actor=decision.actor(operator),
            result=decision.result,
            early_seconds=dependencies.settings.operator_after_seconds,
            doubt_window=doubt_window(dependencies.settings),
        )
        match decided:
            case DecidedTooEarly(payment, seconds_left):
                raise TooEarly(seconds_left, payment=payment)
            case NotInDoubt(payment, response, settler):
                raise PaymentConflict(
                    payment.state, _why_not_decided(settler), payment=payment, response=response
                )
            case Decided(payment, is_new, response, settler):
                if is_new:
                    _log.warning("doubt decided by an operator", decision=decision.decision, by=operator.id)
                    await dependencies.changes.evidence_stored(case.payment, payment)
                return Settled(
                    payment=_payment(payment, response),
                    is_new=is_new,
                    **known(settled_by=None if settler is None else _settler(settler)),
                )


@deciding.post(
    "/payments/{payment_id}/release",
    status_code=202,
    summary="Ask for the terminal of any merchant's payment in doubt",
    responses=error_responses(
        *BODY_ERRORS,
        NotFound(),
        TooEarly(12),
        TerminalFree(),
        PaymentConflict(State.REFUSED, "it is not in doubt"),
    ),
)
async def release_terminal_as_operator(
    dependencies: Wired, operator: Operator, payment_id: PaymentId, release: Release
) -> Accepted:
    """Ask for the terminal. The payment stays in doubt; the terminal is free for others some seconds
    later."""
    await _case(dependencies, payment_id)
    actor = release.actor(operator)
    # The credential is in the audit trail; a merchant reads this in its payment's history.
    by = f"operator {actor.name}: {actor.reason}"
    await ask_for_terminal(dependencies.database, dependencies.settings, payment_id, by=by, operator=actor)
    case = await _case(dependencies, payment_id)
    return Accepted(payment=_payment(case.payment, case.response))


async def _case(dependencies: Dependencies, payment_id: str) -> operators.Case:
    is_id = is_payment_id(payment_id)
    return or_not_found(await operators.case(dependencies.database, payment_id) if is_id else None)


async def _page(
    dependencies: Dependencies, found: list[operators.Case], next_place: Place | None
) -> CasePage:
    shown = [await _shown(dependencies, case) for case in found]
    return CasePage(payments=shown, **known(next=cursor(next_place)))


async def _shown(dependencies: Dependencies, case: operators.Case) -> Case:
    evidence = await listing.evidence(dependencies.database, case.payment.id)
    doubt: dict[str, object] = {}
    if case.payment.state is State.IN_DOUBT:
        window = doubt_window(dependencies.settings)(case.profile)
        early_seconds = dependencies.settings.operator_after_seconds
        doubt = {
            "in_doubt_seconds": round(case.doubt_age_seconds, 1),
            "decision_in_seconds": DecisionTimes(
                **{
                    decision.value: round(max(0, case.seconds_left(decision, early_seconds, window)), 1)
                    for decision in operators.Decision
                }
            ),
        }
    return Case.model_validate(
        {
            "payment": _payment(case.payment, case.response, case.terminal_is_locked),
            "merchant_id": case.payment.merchant_id,
            "terminal_address": case.payment.terminal_address,
            "evidence": [evidence_object(each) for each in evidence],
            **doubt,
        }
    )


def _payment(
    payment: stored.Payment, response: ResponseSpec, terminal_is_locked: bool | None = None
) -> Payment:
    resolving = terminal_is_locked if payment.state is State.IN_DOUBT else None
    return Payment.of(payment, safe_to_retry=response.safe_to_retry, resolving=resolving)


def _settler(settler: operators.Settler) -> Settler:
    return Settler(
        source=settler.source,
        at=iso_time(settler.at),
        **known(name=settler.name, by=settler.by, decision=settler.decision),
    )


def _why_not_decided(settler: operators.Settler | None) -> str:
    rule = "only one in doubt is decided by an operator"
    if settler is None:
        return rule
    who = f"{settler.source} {settler.name or ''}".strip() + (f" ({settler.by})" if settler.by else "")
    what = "" if settler.decision is None else f" as {settler.decision}"
    return f"{rule}; {who} settled it{what} at {iso_time(settler.at)}"


def _check_amount(decision: Decision, payment: stored.Payment) -> None:
    if decision.amount is not None and decision.amount > payment.amount_cents:
        raise InvalidRequest(
            "maximum",
            f"should be <= {payment.amount_cents}",
            "amount",
            "more than was asked for cannot have been paid",
        )
