"""The operators' page as an application of its own below `/operator`: who may see what, and its errors."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import FastAPI
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from api.http.dependencies import Dependencies, read_body
from api.http.errors import ApiError, UnreadableBody
from api.http.validation import field_errors
from api.operator_page import actions, views
from api.operator_page.render import HEADERS, Pages
from api.operator_page.sessions import (
    PATH,
    Session,
    forget_cookie,
    is_foreign,
    log_in,
    log_out,
    session_of,
    set_cookie,
)
from api.operator_page.views import View
from shared.security.credentials import Role
from shared.storage.db.engine import CommitUnknown, DatabaseUnavailable

_LOGIN: Final = f"{PATH}/login"
#: Far more than any form of the page has.
_FIELDS_AT_MOST: Final = 50

Handler = Callable[[Request], Awaitable[Response]]
#: Shows a page.
Shown = Callable[[View], Awaitable[Response]]
#: Does what a form asks for; returns the place to go on.
Done = Callable[[View, dict[str, str]], Awaitable[Response]]


class OperatorPage:
    """Handlers around the pages: session, role, form token, errors."""

    def __init__(self, dependencies: Dependencies) -> None:
        self._dependencies: Final = dependencies
        self._pages: Final = Pages()

    def shows(self, view: Shown) -> Handler:
        """Return the handler of a page, for every operator."""

        async def handle(request: Request) -> Response:
            session = await session_of(self._dependencies, request)
            if session is None:
                return RedirectResponse(_LOGIN, 303, HEADERS)
            return await self._guarded(session, view(self._view(request, session)))

        return handle

    def does(self, action: Done, role: Role) -> Handler:
        """Return the handler of a form, for operators of this role."""

        async def handle(request: Request) -> Response:
            session = await session_of(self._dependencies, request)
            if session is None:
                return RedirectResponse(_LOGIN, 303, HEADERS)
            form = await _form(request)
            if is_foreign(request) or not session.sent(form.pop("form_token", "")):
                return self._problem(session, 403, "This form is not of this session: open the page again.")
            if not session.may(role):
                return self._problem(session, 403, f"Only operators with the role {role} may do this.")
            if not form.get("reason", "").strip():
                return self._problem(session, 400, "Give a reason: it goes into the audit trail.")
            return await self._guarded(session, action(self._view(request, session), form))

        return handle

    async def login_page(self, request: Request) -> Response:
        """Show the log-in."""
        del request
        return self._pages.page("login.html", session=None, problem=None)

    async def login(self, request: Request) -> Response:
        """Begin a session."""
        if is_foreign(request):
            return self._problem(None, 403, "This form was sent by a page of another site.")
        form = await _form(request)
        try:
            session = await log_in(self._dependencies, form.get("username", ""), form.get("secret", ""))
        except ApiError as error:
            problem = error.description if error.status == 429 else "User name or secret is wrong."
            return self._pages.page("login.html", session=None, problem=problem, status=error.status)
        except (DatabaseUnavailable, CommitUnknown):
            return self._problem(None, 503, "The database is unavailable.")
        response = RedirectResponse(PATH, 303, HEADERS)
        set_cookie(response, request, session.token)
        return response

    async def logout(self, request: Request) -> Response:
        """End the session."""
        session = await session_of(self._dependencies, request)
        if session is not None:
            if is_foreign(request) or not session.sent((await _form(request)).get("form_token", "")):
                return self._problem(session, 403, "This form is not of this session: open the page again.")
            await log_out(self._dependencies, session)
        response = RedirectResponse(_LOGIN, 303, HEADERS)
        forget_cookie(response)
        return response

    def _view(self, request: Request, session: Session) -> View:
        return View(self._dependencies, self._pages, request, session)

    async def _guarded(self, session: Session, work: Awaitable[Response]) -> Response:
        try:
            return await work
        except ApiError as error:
            return self._problem(session, error.status, error.description)
        except ValidationError as error:
            return self._problem(session, 400, field_errors(error.errors())[0].description)
        except (DatabaseUnavailable, CommitUnknown):
            return self._problem(
                session, 503, "The database is unavailable: whether it was done is not known."
            )

    def _problem(self, session: Session | None, status: int, text: str) -> Response:
        return self._pages.page("problem.html", session=session, status=status, text=text)


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form, each once. Raises UnreadableBody, and what `read_body` raises."""
    body = await read_body(request)
    try:
        fields = parse_qs(
            body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=_FIELDS_AT_MOST
        )
    except ValueError:
        raise UnreadableBody("The form has too many fields.") from None
    return {name: values[-1] for name, values in fields.items()}


def serve_operator_page(app: FastAPI, dependencies: Dependencies) -> None:
    """Add the page below `/operator`."""
    page = OperatorPage(dependencies)
    shown: dict[str, Shown] = {
        "": views.show_now,
        "/payments": views.show_search,
        "/payments/{payment_id}": views.show_payment,
        "/terminals": views.show_terminals,
        "/merchants": views.show_merchants,
        "/merchants/{merchant_id}": views.show_merchant,
        "/deliveries": views.show_deliveries,
        "/workers": views.show_workers,
        "/audit": views.show_audit_trail,
    }
    done: dict[str, tuple[Done, Role]] = {
        "/payments/{payment_id}/resolve": (actions.resolve, Role.SETTLE),
        "/payments/{payment_id}/release": (actions.release, Role.SETTLE),
        "/deliveries/{delivery_id}/replay": (actions.replay, Role.SETTLE),
        "/merchants/{merchant_id}/suspend": (actions.suspend, Role.ADMIN),
        "/merchants/{merchant_id}/resume": (actions.resume, Role.ADMIN),
        "/credentials/{username}/revoke": (actions.revoke, Role.ADMIN),
        "/credentials/{username}/rotate": (actions.rotate, Role.ADMIN),
        "/workers/{worker_id}/drain": (actions.drain, Role.ADMIN),
    }
    files = StaticFiles(packages=[("api.operator_page", "static"), ("shared.pages", "static")])
    routes: list[Any] = [
        Route(f"{PATH}/login", page.login_page, methods=["GET"]),
        Route(f"{PATH}/login", page.login, methods=["POST"]),
        Route(f"{PATH}/logout", page.logout, methods=["POST"]),
        *(Route(PATH + path, page.shows(view), methods=["GET"]) for path, view in shown.items()),
        *(Route(PATH + path, page.does(*each), methods=["POST"]) for path, each in done.items()),
        Mount(f"{PATH}/static", files, name="operator-static"),
    ]
    app.router.routes[:0] = [*routes]
