"""The route of operators for the audit trail."""

from typing import Annotated, Any

from fastapi import Query
from pydantic import Field

from api.http.dependencies import Wired, operator
from api.http.errors import InvalidQuery
from api.http.models import Omittable, ResponseBody, Time, known
from api.http.query import Page, Text, TimeParameter, cursor
from api.http.routing import api_router
from api.openapi.components import error_responses
from api.payments.models import one_of
from shared.runtime.clock import iso_time
from shared.storage.administration import audit_trail
from shared.storage.administration.audit_trail import Action, AuditFilter

router = api_router("/v1/operator/audit", caller=operator, tag="operator")


class AuditRecord(ResponseBody):
    """One action of an operator; nothing ever changes it."""

    number: int = Field(description="Its place in the trail.")
    at: Time
    by: str = Field(description="The operator's credential; `USER@HOST` of a command on the machine.")
    by_name: Omittable[str] = Field(None, description="The credential's label at the time.")
    action: str = Field(json_schema_extra=one_of(Action))
    subject: Omittable[str] = Field(
        None, description="The id of the merchant, credential, payment or delivery that it was done to."
    )
    reason: Omittable[str] = None
    detail: dict[str, Any] = Field(description="Further facts.")
    before: Omittable[dict[str, Any]] = Field(None, description="What was changed, as it was.")
    after: Omittable[dict[str, Any]] = Field(None, description="What was changed, as it is since.")


class AuditPage(ResponseBody):
    """One page of actions."""

    actions: list[AuditRecord]
    next: Omittable[str] = Field(None, description="The next page's `cursor`; left out on the last page.")


@router.get(
    "",
    summary="List what operators did, newest first",
    responses=error_responses(InvalidQuery("limit")),
)
async def list_audit_trail(
    dependencies: Wired,
    page: Page,
    by: Annotated[Text, Query(description="By this credential only.")] = None,
    action: Annotated[Omittable[Action], Query(description="Actions of this kind only.")] = None,
    subject: Annotated[Text, Query(description="On this merchant, credential, payment or delivery.")] = None,
    from_: Annotated[TimeParameter, Query(alias="from", description="Since this time.")] = None,
    to: Annotated[TimeParameter, Query(description="Before this time.")] = None,
) -> AuditPage:
    """Return the audit trail, page by page."""
    wanted = AuditFilter(
        by=by, action=None if action is None else action.value, subject=subject, since=from_, until=to
    )
    found, place = await audit_trail.page(dependencies.database, wanted, after=page.after, limit=page.limit)
    actions = [
        AuditRecord(
            number=each.id,
            at=iso_time(each.at),
            by=each.by,
            action=each.action,
            detail=each.detail,
            **known(
                by_name=each.by_name or None,
                subject=each.subject or None,
                reason=each.reason,
                before=each.before,
                after=each.after,
            ),
        )
        for each in found
    ]
    return AuditPage(actions=actions, **known(next=cursor(place)))
