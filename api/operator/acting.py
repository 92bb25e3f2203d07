"""Operators as the audit trail names them, and the reason that a request gives."""

from typing import Annotated

from pydantic import Field

from api.http.models import NOT_NUL, Omittable, RequestBody
from shared.concert.mask import mask_card_numbers
from shared.storage.administration.audit_trail import Actor
from shared.storage.terminals.merchants import Credential

Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=NOT_NUL)]


class Reasoned(RequestBody):
    """A request whose reason goes into the audit trail."""

    reason: Omittable[Reason] = Field(
        None, description="Why; for the audit trail.", examples=["The till was replaced, ticket 118."]
    )


def actor_of(operator: Credential, reason: str | None = None, name: str | None = None) -> Actor:
    """Return the operator of a credential; card numbers in the reason and in the given name are masked."""
    return Actor(operator.id, mask_card_numbers(operator.label), _masked(reason), _masked(name))


def _masked(text: str | None) -> str | None:
    return None if text is None else mask_card_numbers(text)
