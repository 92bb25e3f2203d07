"""Pages from jinja2 templates, everything escaped."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from sandbox.pages import formats
from sandbox.tracing.trace import Trace


@dataclass(frozen=True, slots=True)
class NavLink:
    """A page in the navigation; `url` is absolute, since each system has a port of its own."""

    title: str
    url: str


def templates(package: str) -> Environment:
    """Return an environment of the package's folder `templates` and the common `base.html` and `parts.html`.

    Filters: `money` (cents to `12.50 EUR`), `price` (a number of a basket, `12.50`), `when`, `exactly`,
    `clock_time` (Unix ms to text). Undefined names are errors.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("sandbox.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        money=formats.money,
        price=formats.price,
        when=formats.when,
        exactly=formats.when_exactly,
        clock_time=formats.clock_time,
    )
    return environment


class Pages:
    """Renderer of one system's templates with the system's name and the navigation."""

    def __init__(
        self,
        package: str,
        *,
        system: str,
        subtitle: str = "",
        navigation: Sequence[NavLink] = (),
        trace: Trace | None = None,
    ) -> None:
        """system: the name in the head and in titles, e.g. `Console`.

        navigation: all pages of the sandbox; the one with the title `system` is marked as the current one.
        trace: its events make pages with `data-live` reload.
        """
        self._trace: Final = trace
        self._environment: Final = templates(package)
        self._common: Final[dict[str, Any]] = {
            "system": system,
            "subtitle": subtitle,
            "navigation": list(navigation),
        }

    def page(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Return the page; the context must have been read without an `await` before this call."""
        last_event = None if self._trace is None else self._trace.last_number
        known = {**self._common, "last_event": last_event}
        text = self._environment.get_template(template).render({**known, **context})
        return HTMLResponse(text, status_code=status)
