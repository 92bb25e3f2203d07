"""Routes of a merchant's terminals: register, read, disable, replace, probe, release; import a file."""

import base64
import binascii
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query, Request, Response
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from api.http.dependencies import Merchant, Wired, importing_merchant, merchant, read_body
from api.http.entity_tags import Unchanged
from api.http.errors import (
    BodyTooLarge,
    EncodedBody,
    InvalidQuery,
    NotFound,
    PreconditionFailed,
    UnsupportedMediaType,
)
from api.http.models import known
from api.http.query import PAGE_DEFAULT, Cursor, Limit
from api.http.routing import api_router
from api.openapi.components import BODY_ERRORS, error_responses
from api.payments.errors import BrokerUnavailable, MerchantSuspended, TerminalFree, TooEarly
from api.payments.models import Accepted, Payment
from api.terminals.csv_file import COLUMNS, read_file
from api.terminals.entry import TERMINAL_ID, TerminalEntry, entry_problems
from api.terminals.errors import (
    ForeignTerminal,
    ImportRefused,
    ProbeExpired,
    ReservedTerminal,
    TerminalHeld,
    TerminalLimit,
    TerminalTaken,
)
from api.terminals.models import Probe, Terminal, TerminalImport, TerminalPage
from api.terminals.probes import while_connected
from shared.runtime.turns import LARGE_BYTES

router = api_router("/v1/terminals", caller=merchant, tag="terminals")
imports = api_router("/v1/terminals", caller=importing_merchant, tag="terminals")

_SEND_CSV: Final = "The Content-Type is not supported; send text/csv."
_CSV_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "text/csv": {
            "schema": {"type": "string"},
            "example": "id,host,label\ntill-1,127.0.0.2,Front till\n",
        }
    },
}
_WRONG_ROW: Final = ImportRefused(
    details={"errors": [{"row": 2, "column": "port", "problem": "should be >= 1"}], "error_count": 1}
)

TerminalId = Annotated[
    str,
    Path(description="Chosen by the merchant.", json_schema_extra={"pattern": f"^{TERMINAL_ID.pattern}$"}),
]


def _after(cursor: Cursor = None) -> str:
    """Return the id at the end of the page before; empty for the first page."""
    if cursor is None:
        return ""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if TERMINAL_ID.fullmatch(text) is None:
        raise InvalidQuery("cursor", "The parameter should be an earlier page's `next`.")
    return text


def _cursor(terminal_id: str | None) -> str | None:
    if terminal_id is None:
        return None
    return base64.urlsafe_b64encode(terminal_id.encode()).rstrip(b"=").decode()


def _true_or_false(given: Any) -> Any:
    """Refuse the other words that pydantic reads as a boolean."""
    if isinstance(given, str) and given not in ("true", "false"):
        raise PydanticCustomError("boolean", "Input should be one of: true, false")
    return given


@router.get(
    "",
    summary="List the merchant's terminals by id",
    response_description="One page.",
    responses=error_responses(InvalidQuery("limit")),
)
async def list_terminals(
    dependencies: Wired,
    merchant: Merchant,
    after: Annotated[str, Depends(_after)],
    limit: Limit = PAGE_DEFAULT,
) -> TerminalPage:
    """Return the merchant's terminals, page by page."""
    terminals, last_id = await dependencies.registry.page(merchant, after=after, limit=limit)
    return TerminalPage(terminals=terminals, **known(next=_cursor(last_id)))


@imports.post(
    "/import",
    summary="Register every row of a CSV file, or none",
    description=f"The header row names columns of: {', '.join(COLUMNS)}.",
    response_description="Every row is stored.",
    responses=error_responses(
        _WRONG_ROW,
        InvalidQuery("dry_run"),
        TerminalLimit(),
        BodyTooLarge(),
        UnsupportedMediaType(_SEND_CSV),
        EncodedBody(),
    ),
    openapi_extra={"requestBody": _CSV_BODY},
)
async def import_terminals(
    request: Request,
    dependencies: Wired,
    merchant: Merchant,
    dry_run: Annotated[
        bool, Query(description="Check the file, store nothing."), BeforeValidator(_true_or_false)
    ] = False,
) -> TerminalImport:
    body = await read_body(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/csv":
        raise UnsupportedMediaType(_SEND_CSV)
    # Even a short file has rows that take a tenth of a second.
    rows, errors = await dependencies.large_work.run(
        LARGE_BYTES,
        read_file,
        body,
        answer_timeout_seconds=dependencies.settings.answer_timeout_seconds,
    )
    file = await while_connected(request, dependencies.registry.locate_rows(rows, errors, merchant))
    created, changed = await dependencies.registry.import_file(file, merchant, dry_run=dry_run)
    return TerminalImport(dry_run=dry_run, rows=created + changed, created=created, changed=changed)


@router.get("/{terminal_id}", summary="Return a terminal", responses=error_responses(NotFound()))
async def get_terminal(dependencies: Wired, merchant: Merchant, terminal_id: TerminalId) -> Terminal:
    """Return the terminal with its status."""
    return await dependencies.registry.show(terminal_id, merchant)


@router.put(
    "/{terminal_id}",
    summary="Register a terminal, or change it to exactly what is sent",
    response_description="It was changed.",
    responses={
        201: {"model": Terminal, "description": "It is new."},
        **error_responses(
            *BODY_ERRORS,
            ForeignTerminal(),
            ReservedTerminal(),
            TerminalTaken(),
            TerminalLimit(),
            PreconditionFailed(),
        ),
    },
)
async def put_terminal(
    response: Response,
    dependencies: Wired,
    merchant: Merchant,
    terminal_id: TerminalId,
    entry: TerminalEntry,
    if_match: Unchanged,
) -> Terminal:
    """Store the terminal: a field that is left out has its default."""
    for problem in entry_problems(terminal_id, entry, dependencies.settings.answer_timeout_seconds):
        raise problem
    terminal, is_new = await dependencies.registry.put(terminal_id, entry, merchant, if_match)
    response.status_code = 201 if is_new else 200
    return terminal


@router.delete(
    "/{terminal_id}",
    status_code=204,
    summary="Remove a terminal",
    response_description="It is removed; its payments go on as they were accepted.",
    responses=error_responses(NotFound(), PreconditionFailed()),
)
async def delete_terminal(
    dependencies: Wired, merchant: Merchant, terminal_id: TerminalId, if_match: Unchanged
) -> None:
    """Remove the entry; orders can still name the terminal's address."""
    await dependencies.registry.remove(terminal_id, merchant, if_match)


@router.post(
    "/{terminal_id}/disable",
    summary="Take no more payments on this terminal",
    responses=error_responses(NotFound()),
)
async def disable_terminal(dependencies: Wired, merchant: Merchant, terminal_id: TerminalId) -> Terminal:
    """Refuse new payments; those that were accepted go on."""
    await dependencies.registry.set_disabled(terminal_id, merchant, disabled=True)
    return await dependencies.registry.show(terminal_id, merchant)


@router.post("/{terminal_id}/enable", summary="Take payments again", responses=error_responses(NotFound()))
async def enable_terminal(dependencies: Wired, merchant: Merchant, terminal_id: TerminalId) -> Terminal:
    """Accept payments again."""
    await dependencies.registry.set_disabled(terminal_id, merchant, disabled=False)
    return await dependencies.registry.show(terminal_id, merchant)


@router.post(
    "/{terminal_id}/replace",
    summary="Forget the capabilities of a device that was replaced",
    responses=error_responses(NotFound(), TerminalHeld()),
)
async def replace_terminal(dependencies: Wired, merchant: Merchant, terminal_id: TerminalId) -> Terminal:
    """Forget the observed capabilities: another device is at the same place."""
    await dependencies.registry.replace(terminal_id, merchant)
    return await dependencies.registry.show(terminal_id, merchant)


@router.post(
    "/{terminal_id}/probe",
    summary="Look whether a terminal is there",
    response_description="The result.",
    responses=error_responses(
        NotFound(),
        ForeignTerminal(),
        ReservedTerminal(),
        MerchantSuspended("unpaid invoices"),
        ProbeExpired(),
        BrokerUnavailable(),
    ),
)
async def probe_terminal(dependencies: Wired, merchant: Merchant, terminal_id: TerminalId) -> Probe:
    """Send one identification, which shows nothing on the terminal. It takes the terminal lock as a payment
    does, so that it never disturbs one."""
    return Probe.of(await dependencies.probing.probe(terminal_id, merchant))


@router.post(
    "/{terminal_id}/release",
    status_code=202,
    summary="Ask for the terminal that a payment in doubt holds",
    response_description="Asked for.",
    responses=error_responses(NotFound(), TooEarly(12), TerminalFree()),
)
async def release_terminal_by_id(
    dependencies: Wired, merchant: Merchant, terminal_id: TerminalId
) -> Accepted:
    """Ask for the terminal, which shows nothing of the payment any more."""
    payment_id = await dependencies.registry.release(terminal_id, merchant)
    found = await dependencies.payments.results.snapshot(payment_id)
    return Accepted(
        payment=Payment.of(
            found.payment, safe_to_retry=found.response.safe_to_retry, resolving=found.resolving
        )
    )
