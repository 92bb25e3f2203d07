"""A merchant's terminals: register, look at, disable, replace, probe, release."""

import base64
import binascii
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.http.body import check_media_type, read_body
from api.http.dependencies import Dependencies
from api.http.errors import InvalidQuery, UnsupportedMediaType
from api.http.json_text import read_json
from api.http.large_work import LARGE_BYTES
from api.http.query import Query
from api.http.responses import answer
from api.limits.fair_shares import Share
from api.payments.models import Accepted, Payment
from api.terminals.csv_file import read_file
from api.terminals.disconnect import while_connected
from api.terminals.entry import TERMINAL_ID, read_entry
from api.terminals.terminal_object import probe_object
from shared.storage.terminals.merchants import Credential

router = APIRouter()

_PATH: Final = "/v1/terminals"
_ONE: Final = _PATH + "/{terminal_id}"


@router.get(_PATH, include_in_schema=False)
async def terminals(request: Request) -> Response:
    """List them by id, page by page."""
    parts, credential = await _caller(request)
    query = Query(request, ("limit", "cursor"))
    shown, last = await parts.registry.page(credential, after=_after(query), limit=query.page_limit())
    body: dict[str, Any] = {"terminals": shown}
    if last is not None:
        body["next"] = _cursor(last)
    return answer(200, body)


@router.post(_PATH + "/import", include_in_schema=False)
async def import_terminals(request: Request) -> Response:
    """Register every row of a CSV file, or none; `dry_run=true` only checks it."""
    parts, credential = await _caller(request, Share.IMPORTS)
    dry_run = bool(Query(request, ("dry_run",)).choice("dry_run", {"true": True, "false": False}))
    body = await read_body(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/csv":
        raise UnsupportedMediaType("The Content-Type is not supported; send text/csv.")
    # Even a short file has rows that take a tenth of a second.
    rows, errors = await parts.large_work.run(
        LARGE_BYTES,
        read_file,
        body,
        pos_number=parts.settings.pos_number,
        answer_timeout_seconds=parts.settings.answer_timeout_seconds,
    )
    file = await while_connected(request, parts.registry.locate_rows(rows, errors, credential))
    imported = await parts.registry.import_file(file, credential, dry_run=dry_run)
    return answer(
        200,
        {
            "dry_run": dry_run,
            "rows": imported.created + imported.changed,
            "created": imported.created,
            "changed": imported.changed,
        },
    )


@router.get(_ONE, include_in_schema=False)
async def terminal(request: Request, terminal_id: str) -> Response:
    parts, credential = await _caller(request)
    return answer(200, await parts.registry.show(terminal_id, credential))


@router.put(_ONE, include_in_schema=False)
async def put_terminal(request: Request, terminal_id: str) -> Response:
    """Create it, or change it to exactly what the body says: what is left out has its default."""
    parts, credential = await _caller(request)
    settings = parts.settings
    body = await read_body(request)
    check_media_type(request.headers.get("content-type"))
    given = await parts.large_work.run(len(body), read_json, body, settings.body_nesting_limit)
    entry, problems = read_entry(
        terminal_id,
        given,
        pos_number=settings.pos_number,
        answer_timeout_seconds=settings.answer_timeout_seconds,
    )
    if entry is None:
        raise problems[0].error()
    shown, created = await parts.registry.put(entry, credential)
    return answer(201 if created else 200, shown)


@router.delete(_ONE, include_in_schema=False)
async def delete_terminal(request: Request, terminal_id: str) -> Response:
    parts, credential = await _caller(request)
    await parts.registry.remove(terminal_id, credential)
    return Response(status_code=204)


@router.post(_ONE + "/disable", include_in_schema=False)
async def disable(request: Request, terminal_id: str) -> Response:
    """Take no more payments; those that run go on."""
    return await _set_disabled(request, terminal_id, disabled=True)


@router.post(_ONE + "/enable", include_in_schema=False)
async def enable(request: Request, terminal_id: str) -> Response:
    return await _set_disabled(request, terminal_id, disabled=False)


@router.post(_ONE + "/replace", include_in_schema=False)
async def replace(request: Request, terminal_id: str) -> Response:
    """Another device is at the same place: what was learned of the old one is forgotten."""
    parts, credential = await _caller(request)
    await parts.registry.replace(terminal_id, credential)
    return answer(200, await parts.registry.show(terminal_id, credential))


@router.post(_ONE + "/probe", include_in_schema=False)
async def probe(request: Request, terminal_id: str) -> Response:
    """Look whether a Concert terminal is there; takes the line as a payment does, shows nothing on it."""
    parts, credential = await _caller(request)
    return answer(200, probe_object(await parts.probing.probe(terminal_id, credential)))


@router.post(_ONE + "/release", include_in_schema=False)
async def release(request: Request, terminal_id: str) -> Response:
    """Ask for the terminal that a payment in doubt holds: a person saw that it shows nothing."""
    parts, credential = await _caller(request)
    payment_id = await parts.registry.release(terminal_id, credential)
    seen = await parts.payments.results.snapshot(payment_id)
    payment = Payment.of(seen.payment, safe_to_retry=seen.response.safe_to_retry, resolving=seen.resolving)
    return answer(202, Accepted(payment=payment).shown())


async def _caller(request: Request, share: Share = Share.MANAGEMENT) -> tuple[Dependencies, Credential]:
    parts: Dependencies = request.app.state.dependencies
    return parts, await parts.credentials.merchant(request.headers.get("authorization"), share=share)


async def _set_disabled(request: Request, terminal_id: str, *, disabled: bool) -> Response:
    parts, credential = await _caller(request)
    await parts.registry.set_disabled(terminal_id, credential, disabled=disabled)
    return answer(200, await parts.registry.show(terminal_id, credential))


def _cursor(terminal_id: str) -> str:
    return base64.urlsafe_b64encode(terminal_id.encode()).rstrip(b"=").decode()


def _after(query: Query) -> str:
    """Return the id that an earlier page ended with; empty for the first page."""
    given = query.text("cursor") or ""
    try:
        text = base64.b64decode(given + "=" * (-len(given) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = "?"
    if text and TERMINAL_ID.fullmatch(text) is None:
        raise InvalidQuery("cursor", "The parameter should be what an earlier page named as `next`.")
    return text
