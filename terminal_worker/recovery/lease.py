"""One leased terminal lock without a session."""

import asyncio
from dataclasses import dataclass, field

from shared.storage.payments.claims import Claimed
from shared.storage.terminals.locks import LockGrant
from terminal_worker.session.late_answers import LateAnswerListener


@dataclass(slots=True, kw_only=True)
class Lease:
    """One leased lock. Times are boot-time seconds, counted from before the claim or takeover was sent."""

    grant: LockGrant
    started_at: float
    #: Until then the terminal may still be working on our request.
    doubt_ends_at: float
    ends_at: float
    #: After a takeover: nothing is freed or enquired before, since the earlier owner may still write until
    #: then. None: the session was this worker's own.
    frees_from: float | None = None
    #: The payment to resolve; None where the lock only has to be released.
    claimed: Claimed | None = None
    #: Enquiries may begin at once: our own connection is closed and nobody else's can be open.
    enquires_soon: bool = False
    listener: LateAnswerListener | None = None
    #: The terminal answered an enquiry (busy is no answer), or late: it is past our request.
    answered: bool = False
    #: It answered an enquiry or an identification: it is excused from identifications no longer.
    answers_questions: bool = False
    #: Released, the lock's next session begins with an identification; for a lease without a payment.
    identify_next: bool = False
    task: "asyncio.Task[None] | None" = field(default=None, repr=False)
