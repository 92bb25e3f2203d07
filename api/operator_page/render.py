"""Pages of the operators from jinja2 templates; everything is escaped, nothing comes from elsewhere."""

from typing import Any, Final

from jinja2 import Environment, PackageLoader
from starlette.responses import HTMLResponse

from api.operator_page.sessions import Session
from shared.security.credentials import Role

#: No script at all, no resource of another origin, no frame around the page.
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
NAVIGATION: Final = (
    ("/operator", "Now"),
    ("/operator/payments", "Payments"),
    ("/operator/terminals", "Terminals"),
    ("/operator/merchants", "Merchants"),
    ("/operator/deliveries", "Deliveries"),
    ("/operator/workers", "Workers"),
    ("/operator/audit", "Audit trail"),
)
_DASH: Final = "\u2013"
_TONES: Final = {
    "succeeded": "good",
    "delivered": "good",
    "reachable": "good",
    "refused": "neutral",
    "queued": "info",
    "in_session": "info",
    "waiting": "info",
    "in_doubt": "warn",
    "dead": "bad",
    "unreachable": "warn",
}


def money(cents: int | None, currency: str = "EUR") -> str:
    """Return `1 234.50 EUR` with no-break spaces; a dash for None."""
    if cents is None:
        return _DASH
    return f"{cents // 100:,}.{cents % 100:02d} {currency}".replace(",", "\u00a0").replace(" ", "\u00a0")


def when(iso: str | None) -> str:
    """Return `2026-03-05 12:06:58` (UTC) for an ISO 8601 time; a dash for None."""
    return _DASH if iso is None else iso[:19].replace("T", " ")


def duration(seconds: float) -> str:
    """Return `45 s`, `12 min` or `3 h 5 min`."""
    minutes, whole = divmod(int(seconds), 60)
    if not minutes:
        return f"{whole} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


class Pages:
    """Renderer of the templates."""

    def __init__(self) -> None:
        self._environment: Final = Environment(
            loader=PackageLoader("api.operator_page"),
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(
            money=money, when=when, duration=duration, tone=lambda state: _TONES.get(state, "neutral")
        )
        self._environment.globals.update(navigation=NAVIGATION, Role=Role)

    def page(
        self, template: str, *, session: Session | None, here: str = "", status: int = 200, **context: Any
    ) -> HTMLResponse:
        """Return a page; `here` is its place in the navigation."""
        text = self._environment.get_template(template).render(session=session, here=here, **context)
        return HTMLResponse(text, status_code=status, headers=HEADERS)
